"""Who asks: a team by its bearer token."""

from flask import request

from harness.errors import UsageError
from leaderboard.db.engine import Database
from leaderboard.teams import Team, by_token

MAX_TOKEN = 200


def caller(db: Database) -> Team:
    """The team whose token the request carries; `UsageError` `no_token` or `bad_token`.

    The lookup is by the token's hash, so its time tells nothing of how much of a guess is right.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise UsageError(
            "this needs a team's token",
            code="no_token",
            hint="Send the header `Authorization: Bearer TOKEN`; `rostrum admin teams add` "
            "printed the token once.",
        )
    team = by_token(db, token) if len(token) <= MAX_TOKEN else None
    if team is None:
        raise UsageError(
            "this token is no team's",
            code="bad_token",
            hint="Check ROSTRUM_TOKEN, or the file given as --token-file.",
        )
    return team
