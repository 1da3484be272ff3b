"""Teams of a competition, and the tokens by which they are known.

A token is shown once, when the team is added; only its sha256 is stored.
"""

import hashlib
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from harness.errors import UsageError
from leaderboard import competition as competitions
from leaderboard.db.engine import Database, now
from leaderboard.db.models import Credential
from leaderboard.db.models import Team as Row
from leaderboard.intake import check_ref
from leaderboard.locks import expect_unlocked

PREFIX = "rostrum_"
"""Begins every token, so that a leaked one is recognised."""


@dataclass(frozen=True, slots=True)
class Team:
    """A team without its secret."""

    id: int
    competition_id: str
    name: str
    repo_url: str
    branch: str
    baseline: bool


@dataclass(frozen=True, slots=True)
class Added:
    """A new team, and its token in clear: the only time it is known."""

    team: Team
    token: str


def add(
    db: Database, competition_id: str, *, name: str, repo_url: str, branch: str, baseline: bool
) -> Added:
    """Add a team; `UsageError` for a name that is taken or cannot be shown, or a bad address."""
    competitions.get(db, competition_id)
    _expect_line(name, what="name", longest=80)
    _expect_address(repo_url)
    token = PREFIX + secrets.token_urlsafe(32)
    row = Row(
        competition_id=competition_id,
        name=name.strip(),
        repo_url=repo_url.strip(),
        branch=check_ref(branch),
        baseline=baseline,
        token_sha256=_hash(token),
    )
    try:
        with db.write() as session:
            row.created_at = now(session)
            session.add(row)
    except IntegrityError as error:
        raise UsageError(
            f"competition {competition_id} already has a team {name!r}",
            code="team_exists",
            hint="Choose another name, or see `rostrum admin teams list`.",
        ) from error
    return Added(_team(row), token)


def move(db: Database, team_id: int, *, repo_url: str, branch: str | None = None) -> Team:
    """Give a team another repository, from its next submission on.

    A token is for one host: where the host is another one now, the stored token is forgotten.
    `UsageError` for a bad address, and once the competition is locked: what was scored may have to
    be fetched again.
    """
    _expect_address(repo_url)
    new_branch = check_ref(branch) if branch is not None else None
    with db.write() as session:
        row = session.get_one(Row, team_id)
        expect_unlocked(session, row.competition_id)
        if _host(row.repo_url) != _host(repo_url.strip()):
            of_old = (Credential.team_id == team_id) & (Credential.kind == "https")
            session.execute(delete(Credential).where(of_old))
        row.repo_url = repo_url.strip()
        row.branch = new_branch or row.branch
        return _team(row)


def listing(db: Database, competition_id: str) -> list[Team]:
    """The teams of a competition by name, baselines last."""
    with db.read() as session:
        rows = session.scalars(
            select(Row).where(Row.competition_id == competition_id).order_by(Row.baseline, Row.name)
        )
        return [_team(row) for row in rows]


def by_token(db: Database, token: str) -> Team | None:
    """The team that the token belongs to, or None; found by hash, so timing tells nothing."""
    with db.read() as session:
        row = session.scalar(select(Row).where(Row.token_sha256 == _hash(token)))
    return _team(row) if row is not None else None


def by_name(db: Database, competition_id: str, name: str) -> Team:
    """The team of this name; `UsageError` if there is none."""
    with db.read() as session:
        row = session.scalar(
            select(Row).where(Row.competition_id == competition_id, Row.name == name)
        )
    if row is None:
        raise UsageError(
            f"competition {competition_id} has no team {name!r}",
            code="unknown_team",
            hint="See `rostrum admin teams list`.",
        )
    return _team(row)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _team(row: Row) -> Team:
    return Team(
        id=row.id,
        competition_id=row.competition_id,
        name=row.name,
        repo_url=row.repo_url,
        branch=row.branch,
        baseline=row.baseline,
    )


def _host(repo_url: str) -> str:
    """The machine of an https address, with its port; what else there is names none."""
    return urlsplit(repo_url).netloc.lower() if repo_url.startswith("https://") else ""


def _expect_address(repo_url: str) -> None:
    _expect_line(repo_url, what="repository", longest=1000)
    if "@" in _host(repo_url.strip()):
        raise UsageError(
            "the address of the repository holds a user name or a password",
            code="bad_repo",
            hint="Give the address without it, then store the token with `rostrum admin teams "
            "token NAME --user USER`.",
        )


def _expect_line(value: str, *, what: str, longest: int) -> None:
    text = value.strip()
    if not text or len(text) > longest or not text.isprintable() or text.startswith("-"):
        raise UsageError(
            f"the {what} {value[:60]!r} is not one line of 1 to {longest} printable characters "
            "that does not begin with -"
        )
