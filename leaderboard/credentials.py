"""What opens the private repositories of teams: a deploy key of ours, or a token of theirs.

One of each kind a team. The public half of a key may be shown; the private half and the token
are sealed in the database and opened only for a fetch.
"""

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from harness.errors import UsageError
from leaderboard import vault
from leaderboard.db.engine import Database, now
from leaderboard.db.models import Credential, Team
from leaderboard.vault import Kind, Secret

__all__ = [
    "Kind",
    "Secret",
    "Stored",
    "fingerprint",
    "forget",
    "keep_token",
    "kind_of",
    "listing",
    "make_key",
    "secret",
    "stored",
]

LONGEST_TOKEN = 1000
_SCP = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*@[A-Za-z0-9.-]+:(?!/)")
_USER = re.compile(r"[!-9;-~]{1,200}")  # printable, no blank, and no colon: it would end the user
_TOKEN = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Stored:
    """One credential without its secret: the key to paste, or the user of a token."""

    kind: Kind
    public: str
    created_at: datetime


def kind_of(repo_url: str) -> Kind | None:
    """The kind of credential that an address takes; None for a folder of this machine."""
    if repo_url.startswith("ssh://") or _SCP.match(repo_url):
        return "ssh"
    return "https" if repo_url.startswith("https://") else None


def stored(db: Database, team_id: int) -> list[Stored]:
    """The team's credentials, `https` before `ssh`."""
    with db.read() as session:
        rows = session.scalars(
            select(Credential).where(Credential.team_id == team_id).order_by(Credential.kind)
        )
        return [_stored(row) for row in rows]


def listing(db: Database, competition_id: str) -> dict[int, list[Stored]]:
    """The credentials of a competition's teams, by team."""
    found: dict[int, list[Stored]] = {}
    with db.read() as session:
        for row in session.scalars(
            select(Credential)
            .join(Team, Team.id == Credential.team_id)
            .where(Team.competition_id == competition_id)
            .order_by(Credential.kind)
        ):
            found.setdefault(row.team_id, []).append(_stored(row))
    return found


def make_key(db: Database, team_id: int, *, new: bool = False) -> Stored:
    """The team's deploy key, made where it has none; `new` replaces it.

    `UsageError` (`no_vault_key`, `unknown_team`).
    """
    key = vault.read_key()

    def made(team: Team) -> tuple[str, bytes]:
        private, public = _key_pair(comment=f"rostrum-{team.competition_id}-team-{team.id}")
        return public, vault.seal(key, private, label=_label(team.id, "ssh"))

    return _put(db, team_id, kind="ssh", made=made, replace=new)


def keep_token(db: Database, team_id: int, *, user: str, token: str) -> Stored:
    """Store the token of an https repository in place of an older one.

    `UsageError` (`bad_token`, `no_vault_key`, `unknown_team`); no message repeats the token.
    """
    token = token.strip()
    if not _USER.fullmatch(user):
        raise UsageError(
            f"the user {user[:40]!r} holds blanks or a colon",
            code="bad_token",
            hint="Give the name that the git host asks for, e.g. `x-access-token` or `oauth2`.",
        )
    if not _TOKEN.fullmatch(token) or len(token) > LONGEST_TOKEN:
        raise UsageError(
            f"the token is not one line of 1 to {LONGEST_TOKEN} characters without blanks",
            code="bad_token",
            hint="Give the token alone, on standard input or in a file.",
        )
    sealed = vault.seal(vault.read_key(), token, label=_label(team_id, "https"))
    return _put(db, team_id, kind="https", made=lambda _: (user, sealed), replace=True)


def fingerprint(public_key: str) -> str:
    """What git hosts and ssh-keygen call a key: `SHA256:` and 43 characters."""
    digest = hashlib.sha256(base64.b64decode(public_key.split()[1])).digest()
    return f"SHA256:{base64.b64encode(digest).decode('ascii').rstrip('=')}"


def forget(db: Database, team_id: int, kind: Kind) -> bool:
    """Remove a credential; whether there was one."""
    with db.write() as session:
        gone = session.execute(
            delete(Credential)
            .where(Credential.team_id == team_id, Credential.kind == kind)
            .returning(Credential.id)
        )
        return gone.first() is not None


def secret(db: Database, team_id: int, scheme: str) -> Secret | None:
    """What opens the team's repository over `scheme` (`ssh`, `https`), in clear; None without.

    `UsageError` (`no_vault_key`, `sealed_otherwise`) where it cannot be opened here.
    """
    with db.read() as session:
        row = session.scalar(
            select(Credential).where(Credential.team_id == team_id, Credential.kind == scheme)
        )
        if row is None:
            return None
        kind, public, sealed = _kind(row), row.public, row.sealed
    value = vault.unseal(vault.read_key(), sealed, label=_label(team_id, kind))
    return Secret(kind, public if kind == "https" else "", value)


def _put(
    db: Database,
    team_id: int,
    *,
    kind: Kind,
    made: Callable[[Team], tuple[str, bytes]],
    replace: bool,
) -> Stored:
    """Keep what `made` returns (public half, sealed half); an older one stays unless replaced."""
    with db.write() as session:
        team = _team(session, team_id)
        row = session.scalar(
            select(Credential).where(Credential.team_id == team_id, Credential.kind == kind)
        )
        if row is not None and not replace:
            return _stored(row)
        public, sealed = made(team)
        row = row or Credential(team_id=team_id, kind=kind)
        row.public, row.sealed, row.created_at = public, sealed, now(session)
        session.add(row)
        return _stored(row)


def _team(session: Session, team_id: int) -> Team:
    team = session.get(Team, team_id, with_for_update=True)
    if team is None:
        raise UsageError(f"there is no team {team_id}", code="unknown_team")
    return team


def _key_pair(*, comment: str) -> tuple[str, str]:
    """A new ed25519 pair: the private half as OpenSSH reads it, the public line to paste."""
    from cryptography.hazmat.primitives import serialization as forms
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    pair = Ed25519PrivateKey.generate()
    private = pair.private_bytes(
        forms.Encoding.PEM, forms.PrivateFormat.OpenSSH, forms.NoEncryption()
    )
    public = pair.public_key().public_bytes(forms.Encoding.OpenSSH, forms.PublicFormat.OpenSSH)
    return private.decode("ascii"), f"{public.decode('ascii')} {comment}"


def _label(team_id: int, kind: Kind) -> str:
    return f"team {team_id} ({kind})"


def _kind(row: Credential) -> Kind:
    return next(kind for kind in get_args(Kind) if kind == row.kind)


def _stored(row: Credential) -> Stored:
    return Stored(_kind(row), row.public, row.created_at)
