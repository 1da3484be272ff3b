"""The site: the board, a submission's timeline, the rules; pages that work without JavaScript."""

from leaderboard.web.app import create_app

__all__ = ["create_app"]
