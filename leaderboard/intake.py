"""Accepting a submission: the rules of phase, reference and quota, in the transaction that writes.

A double click is harmless: the same reference again, while it waits, is the same attempt.
"""

import re
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from harness.errors import UsageError
from leaderboard import quota
from leaderboard.competition import Competition, Phase, of_row
from leaderboard.db.engine import Database, now
from leaderboard.db.models import Attempt, Role, Submission, Team
from leaderboard.db.models import Competition as CompetitionRow
from leaderboard.locks import expect_unlocked
from leaderboard.quota import stamp
from leaderboard.states import STAGES, State
from leaderboard.transitions import log

COMMIT = re.compile(r"[0-9a-f]{40}")
_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]{0,254}")
_OPEN = tuple(state for state, stage in STAGES.items() if not stage.final)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What an acceptance made; `new` is false where it found the same one still waiting."""

    submission_id: int
    attempt_id: int
    new: bool = True


def check_ref(ref: str) -> str:
    """The reference as stored: 40 hex digits or a branch name; `UsageError` for anything else."""
    text = ref.strip()
    if COMMIT.fullmatch(text.lower()):
        return text.lower()
    hostile = ".." in text or "//" in text or text.endswith(("/", ".", ".lock"))
    if not _BRANCH.fullmatch(text) or hostile:
        raise UsageError(
            f"the reference {text[:60]!r} is neither a commit nor the name of a branch or tag",
            code="bad_ref",
            hint="Give 40 hexadecimal digits, or a branch or tag such as `main`.",
        )
    return text


def accept(db: Database, *, team_id: int, ref: str) -> Accepted:
    """Take in what a team wants scored, and reserve its place in the quota.

    `UsageError` codes: `bad_ref`, `unknown_team`, and those of `take`.
    """
    ref = check_ref(ref)
    with db.write() as session:
        return take(session, locked_team(session, team_id), ref)


def take(session: Session, team: Team, ref: str, *, why: str = "") -> Accepted:
    """As `accept`, in the caller's transaction, of a team that it has locked.

    `why` ends the first line of the timeline. `UsageError` codes: `locked`, `phase_closed`,
    `attempt_under_way`, `quota_used` (the sentence says when the next place opens).
    """
    expect_unlocked(session, team.competition_id)
    competition = _competition(session, team)
    phase = open_phase(session, competition)
    if (same := _under_way(session, team, ref)) is not None:
        return same
    used = quota.usage(session, team.id, competition.allowance)
    if used.opens is not None:
        raise UsageError(
            f"team {team.name} has no submission left: {used.sentence}", code="quota_used"
        )
    return _insert(session, team, ref, split=phase.split, note=f"submitted {ref}{why}")


def locked_team(session: Session, team_id: int) -> Team:
    """The team, locked until the end of the transaction, so that two clicks take turns."""
    team = session.scalar(select(Team).where(Team.id == team_id).with_for_update(key_share=True))
    if team is None:
        raise UsageError(f"there is no team {team_id}", code="unknown_team")
    return team


def _competition(session: Session, team: Team) -> Competition:
    row = session.get_one(CompetitionRow, team.competition_id)
    return of_row(row)


def open_phase(session: Session, competition: Competition) -> Phase:
    """The phase that is open now; `UsageError` (`phase_closed`) says when the next one opens."""
    moment = now(session)
    phase = competition.phase(moment)
    if phase is not None:
        return phase
    opens = competition.next_opening(moment)
    then = f"the next phase opens at {stamp(opens)}" if opens else "no further phase is planned"
    raise UsageError(
        f"competition {competition.id} takes no submissions at {stamp(moment)}; {then}",
        code="phase_closed",
    )


def _under_way(session: Session, team: Team, ref: str) -> Accepted | None:
    """The same request, still waiting; None without an open attempt; else `attempt_under_way`.

    A branch may have moved since it was fetched: only a commit is then still the same request.
    """
    row = session.execute(
        select(Attempt, Submission)
        .join(Submission, Submission.id == Attempt.submission_id)
        .where(Attempt.team_id == team.id, Attempt.state.in_(_OPEN))
        .order_by(Attempt.id.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    attempt, submission = row
    unfetched = attempt.state is State.RECEIVED and submission.commit is None
    still_same = submission.ref == ref and (unfetched or COMMIT.fullmatch(ref))
    if still_same and not attempt.stop:
        return Accepted(submission.id, attempt.id, new=False)
    raise UsageError(
        f"submission {submission.id} of team {team.name} is still {attempt.state.value}",
        code="attempt_under_way",
        hint="Wait for its end, then submit again.",
    )


def _insert(session: Session, team: Team, ref: str, *, split: Role, note: str) -> Accepted:
    moment = now(session)
    submission = Submission(team_id=team.id, ref=ref, created_at=moment)
    session.add(submission)
    session.flush()
    attempt = Attempt(
        submission_id=submission.id,
        team_id=team.id,
        accepted_at=moment,
        month=quota.month_of(moment),
        split=split,
        state=State.RECEIVED,
        state_since=moment,
        turn=moment,
    )
    session.add(attempt)
    session.flush()
    log(session, attempt, source=None, note=note)
    quota.reserve(session, attempt)
    return Accepted(submission.id, attempt.id)
