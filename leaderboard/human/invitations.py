"""Invitations: each rater has one signed link that expires and can be withdrawn.

A link is `<id>.<expires>.<mac>`: the rater's id, seconds since 1970, and an HMAC-SHA256 over both
and the competition under the installation's secret key. It is computed anew whenever it is shown
and stored nowhere; whoever holds the database alone cannot make one.
"""

import base64
import hashlib
import hmac
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from harness.errors import UsageError
from leaderboard.db.engine import Database, now
from leaderboard.db.people import Conversation, Lock, Rater
from leaderboard.human import moves
from leaderboard.human.opening import expect_open
from leaderboard.human.stages import CHAT_STAGES, ChatState
from leaderboard.quota import stamp

MAX_NAME = 80
MAX_DAYS = 366
MAX_SHARE = 1_000
MAX_AT_ONCE = 1_000
"""People invited by one call."""

MAX_LINK = 100
_LINK = re.compile(r"([1-9][0-9]{0,8})\.([0-9]{1,12})\.([A-Za-z0-9_-]{43})")
_CONTEXT = "rostrum rater link 1"
_UNDER_WAY = tuple(state for state, stage in CHAT_STAGES.items() if not stage.final)


@dataclass(frozen=True, slots=True)
class RaterView:
    """One invited person. `share` bounds the conversations asked of them."""

    id: int
    competition_id: str
    name: str
    share: int
    expires_at: datetime
    revoked_at: datetime | None
    revoke_reason: str | None


@dataclass(frozen=True, slots=True)
class Invited:
    """A new invitation and what its link ends with."""

    rater: RaterView
    token: str


@dataclass(frozen=True, slots=True)
class RaterLine:
    """One rater and how many conversations they have rated, and have under way."""

    view: RaterView
    rated: int
    under_way: int


def invite(
    db: Database,
    competition_id: str,
    *,
    names: Sequence[str],
    share: int | None,
    days: float,
    key: bytes,
) -> list[Invited]:
    """Invite people, all or none; without a `share` it is the protocol's.

    `UsageError` codes: `human_not_open`, `human_closed`, `bad_rater`, `rater_exists`.
    """
    wanted = [_name(name) for name in names]
    _expect_bounds(wanted, share=share, days=days)
    with db.write() as session:
        # two organizers at once take turns here, so a name cannot be given twice
        session.execute(
            select(Lock.competition_id)
            .where(Lock.competition_id == competition_id)
            .with_for_update()
        )
        protocol = expect_open(session, competition_id)
        _expect_new(session, competition_id, wanted)
        moment = now(session)
        rows = [
            Rater(
                competition_id=competition_id,
                name=name,
                share=share or protocol.share,
                created_at=moment,
                expires_at=(moment + timedelta(days=days)).replace(microsecond=0),
            )
            for name in wanted
        ]
        session.add_all(rows)
        session.flush()
        return [Invited(rater_view(row), _token_of(row, key=key)) for row in rows]


def token(rater_id: int, *, competition_id: str, expires_at: datetime, key: bytes) -> str:
    """What the link of a rater ends with."""
    expires = int(expires_at.timestamp())
    text = "\n".join((_CONTEXT, competition_id, str(rater_id), str(expires)))
    mac = hmac.new(key, text.encode("utf-8"), hashlib.sha256).digest()
    return f"{rater_id}.{expires}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode('ascii')}"


def read(db: Database, text: str, *, key: bytes) -> RaterView:
    """The rater whose link this is.

    `UsageError` with a sentence for the rater: `link_forged` (not one of this installation's),
    `link_revoked`, `link_expired`.
    """
    found = _LINK.fullmatch(text) if len(text) <= MAX_LINK else None
    if found is None:
        raise _forged()
    with db.read() as session:
        row = session.get(Rater, int(found.group(1)))
        if row is None:
            raise _forged()
        expected = _token_of(row, key=key)
        if not hmac.compare_digest(expected.encode("ascii"), text.encode("ascii")):
            raise _forged()
        if row.revoked_at is not None:
            raise UsageError(
                "The organizers have withdrawn this invitation.",
                code="link_revoked",
                hint="Thank you for your help. If this surprises you, ask who sent you the link.",
            )
        if now(session) >= row.expires_at:
            raise UsageError(
                f"This link was valid until {stamp(row.expires_at)}.",
                code="link_expired",
                hint="Ask who sent it to you for a new one.",
            )
        return rater_view(row)


def revoke(db: Database, competition_id: str, name: str, *, reason: str) -> RaterView:
    """Withdraw an invitation; its conversation under way is void (`revoked`).

    A second time changes nothing, the first reason stays. `UsageError` (`unknown_rater`).
    """
    with db.write() as session:
        row = session.scalar(
            select(Rater)
            .where(Rater.competition_id == competition_id, Rater.name == name.strip())
            .with_for_update()
        )
        if row is None:
            raise UsageError(
                f"competition {competition_id} has invited no {name[:MAX_NAME]!r}",
                code="unknown_rater",
                hint="See `rostrum admin human links`.",
            )
        if row.revoked_at is None:
            row.revoked_at = now(session)
            row.revoke_reason = reason
            moves.void_of_rater(session, row.id, "revoked")
            session.flush()
        return rater_view(row)


def listing(db: Database, competition_id: str) -> list[RaterLine]:
    """The raters of a competition in the order of their invitation."""

    def count(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.count(Conversation.id).filter(condition)

    with db.read() as session:
        rows = session.execute(
            select(
                Rater,
                count(Conversation.state == ChatState.RATED),
                count(Conversation.state.in_(_UNDER_WAY)),
            )
            .outerjoin(Conversation, Conversation.rater_id == Rater.id)
            .where(Rater.competition_id == competition_id)
            .group_by(Rater.id)
            .order_by(Rater.id)
        )
        return [RaterLine(rater_view(row), rated, under_way) for row, rated, under_way in rows]


def rater_view(row: Rater) -> RaterView:
    """A row as everybody else sees it."""
    return RaterView(
        id=row.id,
        competition_id=row.competition_id,
        name=row.name,
        share=row.share,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        revoke_reason=row.revoke_reason,
    )


def _token_of(row: Rater, *, key: bytes) -> str:
    return token(row.id, competition_id=row.competition_id, expires_at=row.expires_at, key=key)


def _forged() -> UsageError:
    return UsageError(
        "This link is not valid here.",
        code="link_forged",
        hint="Check that you have copied the whole link, or ask who sent it to you.",
    )


def _name(name: str) -> str:
    text = name.strip()
    if not text or len(text) > MAX_NAME or not text.isprintable() or text.startswith("-"):
        raise _bad(
            f"the name {name[:MAX_NAME]!r} is not one line of 1 to {MAX_NAME} printable "
            "characters that does not begin with -"
        )
    return text


def _expect_bounds(names: Sequence[str], *, share: int | None, days: float) -> None:
    if len(names) > MAX_AT_ONCE:
        raise _bad(f"{len(names)} people are too many at once; invite at most {MAX_AT_ONCE}")
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise _bad(f"the name {twice[0]!r} is given twice; the names of raters differ")
    if share is not None and not 1 <= share <= MAX_SHARE:
        raise _bad(f"the share is {share}; it must be from 1 to {MAX_SHARE} conversations")
    if not (math.isfinite(days) and 0 < days <= MAX_DAYS):
        raise _bad(f"a link cannot be valid for {days:g} days; give up to {MAX_DAYS}")


def _expect_new(session: Session, competition_id: str, names: Sequence[str]) -> None:
    taken = session.scalar(
        select(Rater.name)
        .where(Rater.competition_id == competition_id, Rater.name.in_(names))
        .limit(1)
    )
    if taken is not None:
        raise UsageError(
            f"competition {competition_id} has invited {taken!r} already",
            code="rater_exists",
            hint="Choose another name, or see `rostrum admin human links`.",
        )


def _bad(reason: str) -> UsageError:
    return UsageError(reason, code="bad_rater")
