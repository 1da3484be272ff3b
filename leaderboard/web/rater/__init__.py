"""The rater's pages: the desk, the conversation, two questions, thanks; no word of who is who."""

from leaderboard.web.rater.routes import rater

__all__ = ["rater"]
