"""The board: who stands where, and why, read with one query and ranked from published values.

A page and its JSON are made from the same values. Each team stands with its latest submission whose
latest scored attempt is not withheld, so a rerun of an older one pushes nothing aside; baselines
follow without a rank.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from harness.agent import Track
from leaderboard import rank
from leaderboard.competition import Competition, of_row, unknown
from leaderboard.db.engine import Database, now
from leaderboard.db.models import Attempt, Role, Submission, Team, TrackReport
from leaderboard.db.models import Competition as CompetitionRow
from leaderboard.figures import Cell, cell
from leaderboard.locks import finalist_attempts
from leaderboard.reasons import why
from leaderboard.states import State
from leaderboard.submissions import Failure, SubmissionView, preflight_log, submission

__all__ = [
    "Board",
    "Cell",
    "Failure",
    "Row",
    "SubmissionView",
    "board",
    "preflight_log",
    "submission",
]


@dataclass(frozen=True, slots=True)
class Row:
    """One team on the board. `tracks` holds those entered, in the competition's order."""

    submission_id: int
    entry: str
    team: str
    baseline: bool
    rank: int | None
    tied: bool
    finalist: bool
    tracks: Mapping[Track, Cell]
    why: str
    commit: str | None
    scored_at: datetime


@dataclass(frozen=True, slots=True)
class Board:
    """The board of one competition at one moment: ranks first, then baselines by name.

    `phase` is the one that opened last; only attempts on its `split` are shown.
    """

    competition_id: str
    title: str
    demo: bool
    phase: str
    closes: datetime
    split: str
    tracks: tuple[Track, ...]
    rows: tuple[Row, ...]
    moment: datetime


@dataclass(frozen=True, slots=True)
class _Scored:
    """One scored attempt as the query found it, its reports collected."""

    attempt: Attempt
    submission: Submission
    team: Team
    cells: dict[Track, Cell] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return str(self.attempt.id)

    @property
    def name(self) -> str:
        return self.submission.entry or self.team.name


def board(db: Database, competition_id: str) -> Board:
    """The board of a competition; `UsageError` (`unknown_competition`) if there is none."""
    with db.read() as session:
        return of_session(session, competition_id)


def of_session(session: Session, competition_id: str) -> Board:
    """The same within the caller's transaction."""
    row = session.get(CompetitionRow, competition_id)
    if row is None:
        known = list(session.scalars(select(CompetitionRow.id).order_by(CompetitionRow.id)))
        raise unknown(competition_id, known)
    competition = of_row(row)
    phase = competition.shown_phase(now(session))
    scored = _latest_scored(session, competition_id, phase.split)
    return Board(
        competition_id=competition_id,
        title=competition.title,
        demo=row.demo,
        phase=phase.name,
        closes=phase.closes,
        split=phase.split.value,
        tracks=competition.tracks,
        rows=_rows(scored, competition, locked=finalist_attempts(session, competition_id)),
        moment=now(session),
    )


def _latest_scored(session: Session, competition_id: str, split: Role) -> list[_Scored]:
    """The latest scored attempt of each team on a split, with its reports, in one query."""
    latest = (
        select(func.max(Attempt.id))
        .join(Team, Team.id == Attempt.team_id)
        .where(
            Team.competition_id == competition_id,
            Attempt.state == State.SCORED,
            Attempt.split == split,
        )
        .group_by(Attempt.submission_id)
    )
    shown = (
        select(func.max(Attempt.submission_id))
        .where(Attempt.id.in_(latest), Attempt.withheld.is_(None))
        .group_by(Attempt.team_id)
    )
    found: dict[int, _Scored] = {}
    rows = session.execute(
        select(Attempt, Submission, Team, TrackReport)
        .join(Submission, Submission.id == Attempt.submission_id)
        .join(Team, Team.id == Attempt.team_id)
        .join(TrackReport, TrackReport.attempt_id == Attempt.id)
        .where(Attempt.id.in_(latest), Attempt.submission_id.in_(shown))
    )
    for attempt, of, team, report in rows:
        entry = found.setdefault(attempt.id, _Scored(attempt, of, team))
        published = cell(report)
        entry.cells[published.track] = published
    return list(found.values())


def _rows(
    scored: Sequence[_Scored], competition: Competition, *, locked: Collection[int] | None
) -> tuple[Row, ...]:
    """The ranked rows; the finalists are those that a lock has fixed, before it those of today."""
    standings = rank.standings(
        [
            rank.Entry(
                key=one.key,
                values={track: shown.value for track, shown in one.cells.items()},
                baseline=one.team.baseline,
            )
            for one in scored
        ],
        tracks=competition.tracks,
        rule=competition.rank,
    )
    final = set(map(str, locked)) if locked is not None else _finalists(standings, competition)
    sharers = Counter(standing.rank for standing in standings.values())
    rows = [
        _row(
            one,
            standings[one.key],
            tracks=competition.tracks,
            sharing=sharers[standings[one.key].rank] - 1,
            finalist=one.key in final,
        )
        for one in scored
    ]
    return tuple(sorted(rows, key=_order))


def _finalists(standings: Mapping[str, rank.Standing], competition: Competition) -> set[str]:
    human = competition.human
    return set(rank.finalists(standings, per_track=human.per_track, at_most=human.at_most))


def _row(
    one: _Scored,
    standing: rank.Standing,
    *,
    tracks: Sequence[Track],
    sharing: int,
    finalist: bool,
) -> Row:
    return Row(
        submission_id=one.submission.id,
        entry=one.name,
        team=one.team.name,
        baseline=one.team.baseline,
        rank=standing.rank,
        tied=standing.rank is not None and sharing > 0,
        finalist=finalist,
        tracks={track: one.cells[track] for track in tracks if track in one.cells},
        why=why(standing, tracks=tracks, sharing=sharing),
        commit=one.submission.commit,
        scored_at=one.attempt.state_since,
    )


def _order(row: Row) -> tuple[bool, int, str, int]:
    return (row.rank is None, row.rank or 0, row.entry, row.submission_id)
