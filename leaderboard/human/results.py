"""What the raters' judgements say of each finalist, with intervals and how many they rest on.

A rating is valid if its conversation was served to the end and the enjoyment answered, unless the
finalist is withheld or the protocol leaves out revoked raters. Missing is missing, never zero.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from harness.statistics import Estimate, clustered_mean, wilson
from leaderboard import locks
from leaderboard.db.engine import Database, now
from leaderboard.db.models import Competition
from leaderboard.db.people import Conversation, Judgement, Rater
from leaderboard.human.protocol import Protocol
from leaderboard.human.stages import CHAT_STAGES, ChatState
from leaderboard.locks import FinalistLine

_SERVED = (ChatState.RATING, ChatState.RATED)


@dataclass(frozen=True, slots=True)
class Share:
    """`k` of `n` with Wilson's 95 % interval."""

    k: int
    n: int
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ResultLine:
    """One finalist. None where there is nothing yet to estimate from.

    `ratings` are the valid ones. `detected`: in how many of them the persona question was answered
    rightly, of those answered. `served`: conversations that reached the questions, of those and
    the ones that the agent broke off (`model_error`). `voids` counts void conversations by code.
    """

    place: int
    entry: str
    team: str
    submission_id: int
    passed_over: str | None
    withheld: str | None
    ratings: int
    wanted: int
    enjoyment: Estimate | None
    detected: Share | None
    served: Share | None
    under_way: int
    voids: Mapping[str, int]

    @property
    def counts(self) -> bool:
        """Whether people may talk to it, so that its ratings are wanted."""
        return self.passed_over is None and self.withheld is None


@dataclass(frozen=True, slots=True)
class Results:
    """The human evaluation of one competition at one moment, finalists in the lock's order.

    `invited` people hold an invitation that is not revoked, `raters` have begun a conversation;
    `conversations` counts all that were begun.
    """

    competition_id: str
    title: str
    opened_at: datetime | None
    closed_at: datetime | None
    protocol_sha256: str
    wanted: int
    invited: int
    raters: int
    conversations: int
    lines: tuple[ResultLine, ...]
    moment: datetime

    @property
    def done(self) -> int:
        """The ratings so far, of each finalist no more than are wanted."""
        return sum(min(line.ratings, line.wanted) for line in self.lines if line.counts)

    @property
    def asked(self) -> int:
        """The ratings wanted in all."""
        return sum(line.wanted for line in self.lines if line.counts)


@dataclass(slots=True)
class _Tally:
    """What is counted of one finalist, conversation by conversation."""

    enjoyment: list[int] = field(default_factory=list)
    raters: list[int] = field(default_factory=list)
    detected: list[bool] = field(default_factory=list)
    states: Counter[ChatState] = field(default_factory=Counter)
    voids: Counter[str] = field(default_factory=Counter)


def results(db: Database, competition_id: str) -> Results | None:
    """The results of a competition, or None if it is not locked."""
    with db.read() as session:
        found = locks.of_session(session, competition_id)
        if found is None:
            return None
        tallies = _tallies(session, competition_id, found.protocol)
        return Results(
            competition_id=competition_id,
            title=session.get_one(Competition, competition_id).title,
            opened_at=found.opened_at,
            closed_at=found.closed_at,
            protocol_sha256=found.protocol_sha256,
            wanted=found.protocol.ratings,
            invited=_invited(session, competition_id),
            raters=_raters(session, competition_id),
            conversations=sum(tally.states.total() for tally in tallies.values()),
            lines=tuple(
                _line(finalist, tallies.get(finalist.id, _Tally()), wanted=found.protocol.ratings)
                for finalist in found.finalists
            ),
            moment=now(session),
        )


def is_valid(
    state: ChatState, enjoyment: int | None, *, revoked: bool, withheld: bool, protocol: Protocol
) -> bool:
    """Whether the rating of a conversation counts."""
    served = state is ChatState.RATED and enjoyment is not None
    return served and not withheld and not (revoked and protocol.exclude_revoked)


def share(successes: int, total: int) -> Share | None:
    """`successes` of `total` with its interval; None of nothing."""
    if not total:
        return None
    low, high = wilson(successes, total)
    return Share(k=successes, n=total, value=successes / total, low=low, high=high)


def _tallies(session: Session, competition_id: str, protocol: Protocol) -> dict[int, _Tally]:
    """The tally of each finalist that has a conversation, by its id, in one query."""
    rows = session.execute(
        select(
            Conversation.finalist_id,
            Conversation.rater_id,
            Conversation.state,
            Conversation.void_code,
            Rater.revoked_at,
            Judgement.enjoyment,
            Judgement.detected,
        )
        .join(Rater, Rater.id == Conversation.rater_id)
        .outerjoin(Judgement, Judgement.conversation_id == Conversation.id)
        .where(Conversation.competition_id == competition_id)
        .order_by(Conversation.id)
    )
    tallies: dict[int, _Tally] = {}
    for finalist_id, rater_id, state, void_code, revoked_at, enjoyment, detected in rows:
        tally = tallies.setdefault(finalist_id, _Tally())
        tally.states[state] += 1
        if void_code is not None:
            tally.voids[void_code] += 1
        revoked = revoked_at is not None
        valid = is_valid(state, enjoyment, revoked=revoked, withheld=False, protocol=protocol)
        if valid and enjoyment is not None:
            tally.enjoyment.append(enjoyment)
            tally.raters.append(rater_id)
            if detected is not None:
                tally.detected.append(detected)
    return tallies


def _line(finalist: FinalistLine, tally: _Tally, *, wanted: int) -> ResultLine:
    counts = finalist.withheld is None and bool(tally.enjoyment)
    served = sum(tally.states[state] for state in _SERVED)
    return ResultLine(
        place=finalist.place,
        entry=finalist.entry,
        team=finalist.team,
        submission_id=finalist.submission_id,
        passed_over=finalist.passed_over,
        withheld=finalist.withheld,
        ratings=len(tally.enjoyment) if counts else 0,
        wanted=wanted,
        enjoyment=clustered_mean(tally.enjoyment, tally.raters) if counts else None,
        detected=share(sum(tally.detected), len(tally.detected)) if counts else None,
        served=share(served, served + tally.voids["model_error"]),
        under_way=sum(
            number for state, number in tally.states.items() if not CHAT_STAGES[state].final
        ),
        voids=dict(sorted(tally.voids.items())),
    )


def _invited(session: Session, competition_id: str) -> int:
    invited = select(func.count(Rater.id)).where(
        Rater.competition_id == competition_id, Rater.revoked_at.is_(None)
    )
    return session.scalar(invited) or 0


def _raters(session: Session, competition_id: str) -> int:
    begun = select(func.count(Conversation.rater_id.distinct())).where(
        Conversation.competition_id == competition_id
    )
    return session.scalar(begun) or 0
