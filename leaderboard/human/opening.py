"""Opening the human evaluation after the lock, and closing it for good."""

import random

from sqlalchemy import select
from sqlalchemy.orm import Session

from harness.errors import UsageError
from leaderboard import locks
from leaderboard.db.engine import Database, now
from leaderboard.db.people import Lock
from leaderboard.human import moves
from leaderboard.human import protocol as protocols
from leaderboard.human.personas import draw
from leaderboard.human.pool import personas
from leaderboard.human.protocol import Protocol
from leaderboard.locks import Locked
from leaderboard.quota import stamp


def open_evaluation(db: Database, competition_id: str) -> Locked:
    """Let raters begin; once it is open this changes nothing.

    `UsageError` codes: `not_locked`, `no_finalist` (none that can chat), `human_closed`, and
    `data_missing` or `bad_data` where the personas do not give three that differ.
    """
    if locks.locked(db, competition_id) is None:
        raise locks.not_locked(competition_id)
    draw(personas(db, competition_id), rng=random.Random(0))  # noqa: S311  (only whether it can)
    with db.write() as session:
        row = _lock(session, competition_id)
        if row.closed_at is not None:
            raise UsageError(
                f"the human evaluation of {competition_id} was closed at {stamp(row.closed_at)}; "
                "it cannot be opened again",
                code="human_closed",
            )
        found = _locked(session, competition_id)
        if row.opened_at is None:
            _expect_partner(found)
            row.opened_at = now(session)
            session.flush()
        return _locked(session, competition_id)


def close_evaluation(db: Database, competition_id: str, *, reason: str) -> Locked:
    """End the human evaluation for good: conversations under way are void, results are final.

    A second time changes nothing, the first reason stays. `UsageError` codes: `not_locked`,
    `human_not_open`.
    """
    with db.write() as session:
        row = _lock(session, competition_id)
        if row.opened_at is None:
            raise UsageError(
                f"the human evaluation of {competition_id} has not been opened",
                code="human_not_open",
                hint="Open it with `rostrum admin human open`.",
            )
        if row.closed_at is None:
            row.closed_at = now(session)
            row.close_reason = reason
            moves.void_all(session, competition_id, "closed")
            session.flush()
        return _locked(session, competition_id)


def expect_open(session: Session, competition_id: str) -> Protocol:
    """The frozen protocol while raters may begin conversations.

    What follows in the same transaction is over before the evaluation can be closed. `UsageError`
    with a sentence for the rater: `human_not_open`, `human_closed`.
    """
    row = session.get(Lock, competition_id)  # no lock: writers take turns, readers only look
    if row is None or row.opened_at is None:
        raise UsageError(
            "The conversations have not begun yet.",
            code="human_not_open",
            hint="Please come back later with the same link.",
        )
    if row.closed_at is not None:
        raise UsageError(
            "The conversations are over; no more answers are needed.",
            code="human_closed",
            hint="Thank you for your interest.",
        )
    return protocols.loads(row.protocol)


def _lock(session: Session, competition_id: str) -> Lock:
    chosen = select(Lock).where(Lock.competition_id == competition_id).with_for_update()
    row = session.scalar(chosen)
    if row is None:
        raise locks.not_locked(competition_id)
    return row


def _locked(session: Session, competition_id: str) -> Locked:
    found = locks.of_session(session, competition_id)
    assert found is not None
    return found


def _expect_partner(found: Locked) -> None:
    if any(line.chats for line in found.finalists):
        return
    reasons = "; ".join(
        f"{line.entry}: {line.passed_over or 'its score is withheld'}" for line in found.finalists
    )
    raise UsageError(
        f"no finalist of competition {found.competition_id} can chat ({reasons})",
        code="no_finalist",
    )
