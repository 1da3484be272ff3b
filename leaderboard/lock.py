"""The lock: scores become final, finalists are chosen, protocol and board are frozen, seals opened.

All of it is one transaction, and it is done once.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, defer

from harness.errors import UsageError
from harness.submission import CHAT_ORDER
from leaderboard import board as boards
from leaderboard import datasets, locks
from leaderboard.api.documents import board_document
from leaderboard.board import Board
from leaderboard.competition import Competition, known, of_row, unknown
from leaderboard.db.engine import Database, now
from leaderboard.db.models import Attempt, DataSet, Role, Team, Visibility
from leaderboard.db.models import Competition as CompetitionRow
from leaderboard.db.people import Finalist, Lock
from leaderboard.human import protocol as protocols
from leaderboard.locks import Locked, Seal
from leaderboard.quota import stamp
from leaderboard.states import STAGES, State

CANNOT_CHAT = "its agent cannot chat: respond gave no reply in the preflight"

NAMED = 5
"""Open submissions that a refusal names."""

_OPEN = tuple(state for state, stage in STAGES.items() if not stage.final)


@dataclass(frozen=True, slots=True)
class LockMade:
    """The lock of a competition; `new` is false where it was there already."""

    locked: Locked
    new: bool


def lock(
    db: Database,
    competition_id: str,
    *,
    reason: str,
    protocol_text: str | None = None,
    early: bool = False,
) -> LockMade:
    """Lock a competition, or find it locked: then nothing changes.

    `protocol_text` is laid over the packaged protocol. `early` locks before the phases are over.
    `UsageError` codes: `unknown_competition`, `bad_protocol`, `phase_open`, `attempts_open`,
    `no_finalist`.
    """
    with db.write() as session:
        row = session.get(CompetitionRow, competition_id, with_for_update=True)
        if row is None:
            raise unknown(competition_id, known(db))
        found = locks.of_session(session, competition_id)
        if found is not None:
            return LockMade(found, new=False)
        competition = of_row(row)
        protocol = protocols.parse(protocol_text, human=competition.human)
        if not early:
            _expect_over(competition, now(session))
        _expect_idle(session, competition_id)
        shown = boards.of_session(session, competition_id)
        chosen = _finalists(session, shown)
        session.add(
            Lock(
                competition_id=competition_id,
                at=now(session),
                reason=reason,
                protocol=protocol.dumps(),
                protocol_sha256=protocol.sha256,
                board=json.dumps(board_document(shown, None), ensure_ascii=False, allow_nan=False),
                seals=[asdict(seal) for seal in _seals(session, db, competition_id)],
            )
        )
        session.add_all(chosen)
        session.flush()
        made = locks.of_session(session, competition_id)
        assert made is not None
        return LockMade(made, new=True)


def _expect_over(competition: Competition, moment: datetime) -> None:
    phase = competition.shown_phase(moment)
    later = competition.next_opening(moment)
    if later is not None:
        what = f"a phase opens at {stamp(later)}"
    elif moment < phase.closes:
        what = f"phase {phase.name} closes at {stamp(phase.closes)}"
    else:
        return
    raise UsageError(
        f"competition {competition.id} is not over: {what}",
        code="phase_open",
        hint="Lock it then, or now with --early.",
    )


def _expect_idle(session: Session, competition_id: str) -> None:
    """`UsageError` (`attempts_open`) while a score may still come in."""
    of_competition = (
        select(Attempt.submission_id, Team.name, Attempt.state)
        .join(Team, Team.id == Attempt.team_id)
        .where(Team.competition_id == competition_id, Attempt.state.in_(_OPEN))
    )
    total = session.scalar(select(func.count()).select_from(of_competition.subquery())) or 0
    if not total:
        return
    first = session.execute(of_competition.order_by(Attempt.id).limit(NAMED))
    names = ", ".join(f"{submission} of {team} ({state})" for submission, team, state in first)
    more = f" and {total - NAMED} more" if total > NAMED else ""
    verb = "submission is" if total == 1 else "submissions are"
    raise UsageError(
        f"{total} {verb} still under way: {names}{more}",
        code="attempts_open",
        hint="Wait for their end, or end them with `rostrum admin submissions cancel`.",
    )


def _finalists(session: Session, shown: Board) -> list[Finalist]:
    """The rows of the board's finalists, in the board's order."""
    submissions = [row.submission_id for row in shown.rows if row.finalist]
    if not submissions:
        raise UsageError(
            f"competition {shown.competition_id} has no ranked score on its {shown.split} set, so "
            "it would have no finalist",
            code="no_finalist",
        )
    shown_attempts = (
        select(func.max(Attempt.id))
        .where(
            Attempt.submission_id.in_(submissions),
            Attempt.state == State.SCORED,
            Attempt.withheld.is_(None),
            Attempt.split == Role(shown.split),
        )
        .group_by(Attempt.submission_id)
    )
    found = session.scalars(select(Attempt).where(Attempt.id.in_(shown_attempts)))
    attempts = {attempt.submission_id: attempt for attempt in found}
    return [
        _finalist(attempts[submission], place=place, competition_id=shown.competition_id)
        for place, submission in enumerate(submissions, start=1)
    ]


def _finalist(attempt: Attempt, *, place: int, competition_id: str) -> Finalist:
    entered = attempt.tracks or []
    return Finalist(
        competition_id=competition_id,
        attempt_id=attempt.id,
        place=place,
        track=next(track for track in CHAT_ORDER if track in entered),
        passed_over=None if attempt.can_chat else CANNOT_CHAT,
    )


def _seals(session: Session, db: Database, competition_id: str) -> list[Seal]:
    rows = session.scalars(
        select(DataSet)
        .options(defer(DataSet.content))
        .where(
            DataSet.competition_id == competition_id,
            DataSet.visibility == Visibility.HIDDEN,
        )
        .order_by(DataSet.role)
    )
    return [
        Seal(
            role=row.role.value,
            name=datasets.hidden_name(db, competition_id, row.role.value),
            nonce=row.nonce,
            sha256=row.sha256,
        )
        for row in rows
    ]
