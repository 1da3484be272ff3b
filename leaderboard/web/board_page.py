"""The board's page, from its read model: words, styles and drawings, decided before HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import url_for

from harness.agent import Track
from leaderboard import figures, formats
from leaderboard.board import Board, Row
from leaderboard.competition import Competition
from leaderboard.figures import Cell
from leaderboard.rank import HIGHER_IS_BETTER
from leaderboard.waiting import Silence
from leaderboard.web.help import RANK_RULES
from leaderboard.web.plot import Scale, Whisker, scale
from leaderboard.web.tracks import TRACK_TEXTS, TrackText


@dataclass(frozen=True, slots=True)
class Column:
    """One track of the board: its words, its scale, and where chance stands on it, if known."""

    text: TrackText
    scale: Scale
    chance: float | None

    @property
    def name(self) -> str:
        """The track's name for people."""
        return self.text.name

    @property
    def key(self) -> Track:
        """The track."""
        return self.text.key

    @property
    def reading(self) -> str:
        """How to read its numbers."""
        return self.text.reading


@dataclass(frozen=True, slots=True)
class CellView:
    """One score of one entry, None where the track is not entered.

    `best` marks the best ranked score of the column, `drawing` is None where it is infinite.
    """

    track: TrackText
    score: Cell | None
    drawing: Whisker | None = None
    chance: float | None = None
    best: bool = False

    @property
    def words(self) -> str:
        """What a perplexity was measured on: scored words and the size of the dictionary."""
        if self.score is None or self.score.tokens is None or self.score.vocabulary is None:
            return ""
        words, entries = (formats.count(n) for n in (self.score.tokens, self.score.vocabulary))
        return f"{words} scored words, a dictionary of {entries}"


@dataclass(frozen=True, slots=True)
class RowView:
    """One line of the board; `team` is empty where it is the entry's name as well."""

    rank: int | None
    tied: bool
    baseline: bool
    finalist: bool
    style: str
    entry: str
    team: str
    commit: str | None
    url: str
    key: str
    why: str
    cells: tuple[CellView, ...]


@dataclass(frozen=True, slots=True)
class BoardPage:
    """The board's page. `updated` is when the newest score on it was made."""

    title: str
    rule: str
    phase: str
    closes: datetime
    ranked: int
    baselines: int
    updated: datetime | None
    waiting: str | None
    chance: str | None
    tracks: tuple[Column, ...]
    rows: tuple[RowView, ...]


def board_page(board: Board, competition: Competition, silence: Silence | None) -> BoardPage:
    """The page of a board under its competition's rules."""
    columns = {
        t: _column(t, [r.tracks.get(t) for r in board.rows], competition) for t in board.tracks
    }
    best = {track: _best(track, board.rows) for track in board.tracks}
    return BoardPage(
        title=board.title,
        rule=RANK_RULES[competition.rank],
        phase=board.phase,
        closes=board.closes,
        ranked=sum(row.rank is not None for row in board.rows),
        baselines=sum(row.rank is None for row in board.rows),
        updated=max((row.scored_at for row in board.rows), default=None),
        waiting=silence.sentence if silence else None,
        chance=figures.text("hits", 1 / competition.candidates) if "hits" in columns else None,
        tracks=tuple(columns.values()),
        rows=tuple(_row(row, columns, best) for row in board.rows),
    )


def _row(row: Row, columns: Mapping[Track, Column], best: Mapping[Track, float | None]) -> RowView:
    style = "baseline" if row.rank is None else "first" if row.rank == 1 else "ranked"
    return RowView(
        rank=row.rank,
        tied=row.tied,
        baseline=row.baseline,
        finalist=row.finalist,
        style=style,
        entry=row.entry,
        team="" if row.team == row.entry else row.team,
        commit=row.commit,
        url=url_for("pages.submission_page", submission_id=row.submission_id),
        key=f"why-{row.submission_id}",
        why=row.why,
        cells=tuple(
            _cell(
                column,
                row.tracks.get(track),
                best=row.rank is not None
                and track in row.tracks
                and row.tracks[track].value == best[track],
            )
            for track, column in columns.items()
        ),
    )


def _cell(column: Column, score: Cell | None, *, best: bool) -> CellView:
    drawing = (
        column.scale.whisker(low=score.low, value=score.value, high=score.high) if score else None
    )
    return CellView(column.text, score, drawing, column.chance, best)


def _column(track: Track, cells: Sequence[Cell | None], competition: Competition) -> Column:
    text = TRACK_TEXTS[track]
    chance = 1 / competition.candidates if track == "hits" else None
    values = [value for cell in cells if cell for value in (cell.low, cell.value, cell.high)]
    drawn = scale([*values, chance])
    return Column(text, drawn, drawn.place(chance) if chance is not None else None)


def _best(track: Track, rows: Sequence[Row]) -> float | None:
    values = [
        row.tracks[track].value for row in rows if row.rank is not None and track in row.tracks
    ]
    choose = max if HIGHER_IS_BETTER[track] else min
    return choose(values, default=None)
