"""Which conversation a rater gets next, and why there is none.

Claims take turns in one transaction, so two raters never get the same place. The finalist with
the fewest valid ratings comes first; what is under way counts as taken, what is void comes back.
"""

import hashlib
import hmac
import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from harness.errors import UsageError
from leaderboard.db.engine import Database, now
from leaderboard.db.models import Attempt, Competition
from leaderboard.db.people import Conversation, Finalist, Judgement, Lock, Rater
from leaderboard.human import deadlines, moves
from leaderboard.human.invitations import RaterView, rater_view
from leaderboard.human.opening import expect_open
from leaderboard.human.personas import Drawn, draw, seeded
from leaderboard.human.pool import personas
from leaderboard.human.protocol import Protocol
from leaderboard.human.results import is_valid
from leaderboard.human.stages import VOID_REASONS, Blame, ChatState
from leaderboard.human.talk import expect_id

_log = logging.getLogger(__name__)

REST = timedelta(minutes=5)
"""How long a finalist rests whose last `REST_AFTER` conversations were void by no rater's doing."""

REST_AFTER = 3

_FAULTS = frozenset(
    code for code, reason in VOID_REASONS.items() if reason.blame in (Blame.MODEL, Blame.PLATFORM)
)

REFUSALS: Mapping[str, str] = {
    "share_done": "You have done your whole share; thank you for every conversation.",
    "none_left": "There are no more conversations for you: all that were wanted are rated.",
    "try_later": "No partner is free at the moment; please try again in a few minutes.",
}
"""Why a rater gets no conversation, by code."""

_HINTS: Mapping[str, str] = {
    "share_done": "Nothing is left to do; you can close this page.",
    "none_left": "Thank you for your help; you can close this page.",
    "try_later": "Keep your link: it stays valid, and nothing of yours is lost.",
}


@dataclass(frozen=True, slots=True)
class Desk:
    """What a rater finds behind the link: what is done, what is open, whether more can begin.

    `share` is what can be asked of them: nobody rates the same partner twice.
    `may_start` says that a claim would give a conversation, `current` where one is unfinished;
    otherwise `code` says why not.
    """

    rater: RaterView
    share: int
    rated: int
    current: int | None
    may_start: bool
    code: str | None
    sentence: str


@dataclass(slots=True)
class _Tally:
    """What has happened with one finalist; `ends` are its ended conversations, the latest last."""

    taken: int = 0
    valid: int = 0
    voids: int = 0
    mine: bool = False
    sour: bool = False
    ends: list[tuple[datetime, bool]] = field(default_factory=list)

    def rests(self, moment: datetime) -> bool:
        """Whether it had better not be offered now."""
        last = self.ends[-REST_AFTER:]
        return len(last) == REST_AFTER and all(
            faulty and moment - at <= REST for at, faulty in last
        )


def desk(db: Database, rater_id: int) -> Desk:
    """What the rater finds now; changes nothing."""
    with db.read() as session:
        rater = session.get_one(Rater, rater_id)
        current = _unfinished(session, rater_id)
        rated = _rated(session, rater_id)
        partners = len(_chatting(session, rater.competition_id))
        share = min(rater.share, max(partners, rated))
        code, sentence = None, _progress(rated, share, current)
        try:
            protocol = expect_open(session, rater.competition_id)
            if current is None:
                _choose(session, rater, protocol)
        except UsageError as refusal:
            code, sentence = refusal.code, refusal.message
        return Desk(
            rater=rater_view(rater),
            share=share,
            rated=rated,
            current=current,
            may_start=code is None,
            code=code,
            sentence=sentence,
        )


def claim(db: Database, rater_id: int, *, tab: str) -> int:
    """The conversation that the rater goes on with, or a new one; `tab` is the one that may write.

    `UsageError` codes: `share_done`, `none_left`, `try_later`, `human_closed`, `human_not_open`,
    `link_revoked`, `bad_answer` (for the tab).
    """
    expect_id(tab, name="tab")
    try:
        drawn = _drawn(db, rater_id)
    except UsageError as error:  # the organizer's to mend, and no business of the rater's
        _log.error("no personas: rater=%d code=%s %s", rater_id, error.code, error.message)
        raise _refusal("try_later") from error
    with db.write() as session:
        rater = session.get_one(Rater, rater_id)
        session.execute(  # claims of one competition take turns; SQLite's writers do anyway
            select(Lock.competition_id)
            .where(Lock.competition_id == rater.competition_id)
            .with_for_update()
        )
        session.refresh(rater, with_for_update=True)
        _expect_invited(rater)
        protocol = expect_open(session, rater.competition_id)
        current = _take_over(session, rater_id, tab=tab)
        if current is not None:
            return current
        finalist_id = _choose(session, rater, protocol)
        conversation = _new(session, rater, finalist_id, drawn=drawn, tab=tab)
        session.flush()
        return conversation.id


def _drawn(db: Database, rater_id: int) -> Drawn:
    """The personas of a new conversation, drawn before the transaction that others wait for."""
    with db.read() as session:
        competition_id, secret = session.execute(
            select(Competition.id, Competition.secret)
            .join(Rater, Rater.competition_id == Competition.id)
            .where(Rater.id == rater_id)
        ).one()
    nonce = secrets.token_bytes(16)
    return draw(personas(db, competition_id), rng=seeded(secret, nonce=nonce))


def _take_over(session: Session, rater_id: int, *, tab: str) -> int | None:
    """Move the rater's unfinished conversation to `tab`; None if none is left to go on with."""
    mine = (Conversation.rater_id == rater_id) & Conversation.state.in_(moves.UNFINISHED)
    for standing in deadlines.standings(session, mine):
        if deadlines.enforce(session, standing) is None:
            conversation = standing.conversation
            if conversation.tab != tab:
                moves.touch(session, conversation, tab=tab)
            return conversation.id
    return None


def _new(
    session: Session, rater: Rater, finalist_id: int, *, drawn: Drawn, tab: str
) -> Conversation:
    moment = now(session)
    first = secrets.token_hex(4)
    second = next(name for name in iter(lambda: secrets.token_hex(4), "") if name != first)
    conversation = Conversation(
        competition_id=rater.competition_id,
        finalist_id=finalist_id,
        rater_id=rater.id,
        created_at=moment,
        state=ChatState.WAITING,
        state_since=moment,
        active_at=moment,
        tab=tab,
        rater_persona=list(drawn.rater),
        partner_persona=list(drawn.partner),
        distractor=list(drawn.distractor),
        partner_first=bool(secrets.randbits(1)),
        choices=[first, second],
    )
    session.add(conversation)
    return conversation


def _choose(session: Session, rater: Rater, protocol: Protocol) -> int:
    """The finalist for this rater's next conversation; a `UsageError` of `REFUSALS` if none."""
    tallies = _tallies(session, rater, protocol)
    others = {number: tally for number, tally in tallies.items() if not tally.mine}
    if _rated(session, rater.id) >= rater.share or (tallies and not others):
        raise _refusal("share_done")
    moment = now(session)
    free = {n: t for n, t in others.items() if protocol.ratings - t.valid - t.taken > 0}
    awake = {n: t for n, t in free.items() if not t.rests(moment)}
    if awake:
        secret = session.scalar(
            select(Competition.secret).where(Competition.id == rater.competition_id)
        )
        return min(awake, key=lambda n: _order(awake[n], secret or b"", rater.id, n))
    if free or any(protocol.ratings > tally.valid for tally in others.values()):
        raise _refusal("try_later")
    raise _refusal("none_left")


def _order(
    tally: _Tally, secret: bytes, rater_id: int, finalist_id: int
) -> tuple[bool, int, int, bytes]:
    """Balance on valid ratings; ties in an order that nobody can foretell.

    A partner that has just failed this very rater comes last: they should get on with the task.
    """
    text = f"rostrum claim {rater_id} {finalist_id}".encode()
    lot = hmac.new(secret, text, hashlib.sha256).digest()
    return tally.sour, tally.valid + tally.taken, tally.voids, lot


def _tallies(session: Session, rater: Rater, protocol: Protocol) -> dict[int, _Tally]:
    """What has happened with each finalist that chats, as far as a new claim must know."""
    tallies = {number: _Tally() for number in _chatting(session, rater.competition_id)}
    rows = session.execute(
        select(
            Conversation.finalist_id,
            Conversation.rater_id,
            Conversation.state,
            Conversation.void_code,
            Conversation.ended_at,
            Judgement.enjoyment,
            Rater.revoked_at,
        )
        .join(Rater, Rater.id == Conversation.rater_id)
        .join(Judgement, Judgement.conversation_id == Conversation.id, isouter=True)
        .where(Conversation.finalist_id.in_(tallies))
        .order_by(Conversation.ended_at, Conversation.id)
    )
    since = now(session) - REST
    for finalist_id, rater_id, state, code, ended_at, enjoyment, revoked_at in rows:
        tally, own, faulty = tallies[finalist_id], rater_id == rater.id, code in _FAULTS
        if ended_at is None:
            tally.taken += 1
            continue
        tally.ends.append((ended_at, faulty))
        tally.sour |= own and faulty and ended_at >= since
        tally.voids += state is ChatState.VOID
        revoked = revoked_at is not None
        tally.mine |= own and state is ChatState.RATED and enjoyment is not None
        tally.valid += is_valid(
            state, enjoyment, revoked=revoked, withheld=False, protocol=protocol
        )
    return tallies


def _chatting(session: Session, competition_id: str) -> list[int]:
    """The finalists that people may talk to, the best placed first."""
    chosen = (
        select(Finalist.id)
        .join(Attempt, Attempt.id == Finalist.attempt_id)
        .where(
            Finalist.competition_id == competition_id,
            Finalist.passed_over.is_(None),
            Attempt.withheld.is_(None),
        )
        .order_by(Finalist.place)
    )
    return list(session.scalars(chosen))


def _rated(session: Session, rater_id: int) -> int:
    return (
        session.scalar(
            select(func.count())
            .select_from(Conversation)
            .where(Conversation.rater_id == rater_id, Conversation.state == ChatState.RATED)
        )
        or 0
    )


def _unfinished(session: Session, rater_id: int) -> int | None:
    return session.scalar(
        select(Conversation.id)
        .where(Conversation.rater_id == rater_id, Conversation.state.in_(moves.UNFINISHED))
        .order_by(Conversation.id.desc())
        .limit(1)
    )


def _expect_invited(rater: Rater) -> None:
    if rater.revoked_at is not None:
        raise UsageError("The organizers have withdrawn this invitation.", code="link_revoked")


def _progress(rated: int, share: int, current: int | None) -> str:
    if current is not None:
        return "You have a conversation that is not finished; go on with it."
    if rated == 0:
        return "A partner is found for you as soon as you begin."
    done = "1 conversation" if rated == 1 else f"{rated} conversations"
    return f"You have rated {done} of {share}; thank you. You can begin another one."


def _refusal(code: str) -> UsageError:
    return UsageError(REFUSALS[code], code=code, hint=_HINTS[code])
