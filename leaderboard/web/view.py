"""What the pages show, from the read models: words, styles and drawings, decided before HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import url_for

from harness.agent import Track
from harness.errors import VERDICTS, Fault
from leaderboard import figures, formats
from leaderboard.board import Board, Row, SubmissionView
from leaderboard.competition import Competition
from leaderboard.figures import Cell
from leaderboard.ledger import Moment
from leaderboard.rank import HIGHER_IS_BETTER
from leaderboard.states import STAGES, State
from leaderboard.waiting import Silence
from leaderboard.web.help import RANK_RULES
from leaderboard.web.plot import Scale, Whisker, scale
from leaderboard.web.tracks import TRACK_TEXTS, TrackText

RAIL = (
    State.RECEIVED,
    State.FETCHING,
    State.BUILDING,
    State.PREFLIGHT,
    State.QUEUED,
    State.RUNNING,
    State.SCORED,
)
"""The way of an attempt that goes well."""

WHOSE: Mapping[Fault, str] = {
    Fault.SUBMISSION: "The submission's.",
    Fault.PLATFORM: "The platform's, not yours: the place in the quota is given back.",
}


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
    columns = {t: _column(t, [r.tracks.get(t) for r in board.rows], competition) for t in board.tracks}
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


def _row(
    row: Row, columns: Mapping[Track, Column], best: Mapping[Track, float | None]
) -> RowView:
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
    values = [row.tracks[track].value for row in rows if row.rank is not None and track in row.tracks]
    choose = max if HIGHER_IS_BETTER[track] else min
    return choose(values, default=None)


@dataclass(frozen=True, slots=True)
class Step:
    """One station of the rail: `style` is done, here or empty."""

    name: str
    style: str


@dataclass(frozen=True, slots=True)
class EventView:
    """One line of the timeline; `stayed` is how long the state lasted, empty where it ended."""

    at: datetime
    state: str
    note: str
    stayed: str


@dataclass(frozen=True, slots=True)
class VerdictView:
    """Why it failed, what to do next, and who is at fault."""

    code: str
    detail: str | None
    title: str
    hint: str
    whose: str
    stage: str | None
    log: str | None
    url: str


@dataclass(frozen=True, slots=True)
class SubmissionPage:
    """A submission's page; `mood` is the style of its state."""

    id: int
    entry: str
    team: str
    ref: str
    commit: str | None
    accepted: datetime
    state: str
    mood: str
    sentence: str
    rail: tuple[Step, ...]
    waiting: str | None
    verdict: VerdictView | None
    withheld: str | None
    cells: tuple[CellView, ...]
    events: tuple[EventView, ...]
    facts: tuple[tuple[str, str], ...]
    board_url: str


def submission_page(
    view: SubmissionView, silence: Silence | None, *, site: str
) -> SubmissionPage:
    """The page of a submission; `site` is the site's own address."""
    return SubmissionPage(
        id=view.id,
        entry=view.entry,
        team=view.team,
        ref=view.ref,
        commit=view.commit,
        accepted=view.accepted_at,
        state=view.state.value,
        mood=view.state.value if view.final else "moving",
        sentence="" if view.sentence == f"{view.state.value.capitalize()}." else view.sentence,
        rail=_rail(view),
        waiting=silence.sentence if silence and view.ahead is not None else None,
        verdict=_verdict(view, site=site),
        withheld=view.withheld,
        cells=tuple(
            CellView(TRACK_TEXTS[track], cell) for track, cell in view.scores.items()
        ),
        events=_events(view),
        facts=_facts(view),
        board_url=url_for("pages.board_page", competition_id=view.competition_id),
    )


def _rail(view: SubmissionView) -> tuple[Step, ...]:
    """The stations; an attempt that ended badly stands where it stopped."""
    here = view.state if view.state in RAIL else _last_stage(view.timeline)
    at = RAIL.index(here) if here in RAIL else 0
    return tuple(
        Step(
            state.value,
            "done" if place < at or here is State.SCORED else "here" if place == at else "",
        )
        for place, state in enumerate(RAIL)
    )


def _last_stage(timeline: Sequence[Moment]) -> State | None:
    """The state that an ended attempt was in before its end."""
    moved = [moment for moment in timeline if moment.source and STAGES[moment.target].final]
    return moved[-1].source if moved else None


def _verdict(view: SubmissionView, *, site: str) -> VerdictView | None:
    failure = view.verdict
    if failure is None:
        return None
    stage = _last_stage(view.timeline)
    return VerdictView(
        code=failure.code,
        detail=failure.detail,
        title=failure.title,
        hint=failure.hint,
        whose=WHOSE[failure.fault],
        stage=f"{stage.value}: {STAGES[stage].sentence}" if stage else None,
        log=f"rostrum status {view.id} --site {site} --log" if view.logs else None,
        url=url_for("pages.help_page", _anchor=failure.code),
    )


def _events(view: SubmissionView) -> tuple[EventView, ...]:
    """The timeline; what lasts still is measured up to the moment of the page."""
    moves = [moment for moment in view.timeline]
    ends = [moment.at for moment in moves[1:]] + [view.moment]
    return tuple(
        EventView(
            at=moment.at,
            state=moment.target.value,
            note=_note(moment),
            stayed="" if STAGES[moment.target].final else formats.duration(end - moment.at),
        )
        for moment, end in zip(moves, ends, strict=True)
    )


def _note(moment: Moment) -> str:
    """What happened: the state's own sentence, or the reason in words, with the event's note."""
    parts = []
    if moment.code in VERDICTS:
        parts.append(f"{VERDICTS[moment.code].title} ({moment.code}).")
    elif moment.source is not None or not moment.note:
        parts.append(STAGES[moment.target].sentence)
    if moment.note:
        parts.append(moment.note[:1].upper() + moment.note[1:].rstrip(".") + ".")
    return " ".join(parts)


def _facts(view: SubmissionView) -> tuple[tuple[str, str], ...]:
    waited = view.timeline[-1].at - view.accepted_at if view.final and view.timeline else None
    found: tuple[tuple[str, str | None], ...] = (
        ("Tracks", ", ".join(TRACK_TEXTS[t].name for t in view.tracks) or None),
        ("Sandbox", view.sandbox),
        ("Can chat", None if view.can_chat is None else "yes" if view.can_chat else "no"),
        ("Retries, losses", f"{view.retries}, {view.losses}" if view.retries + view.losses else None),
        ("From acceptance to end", formats.duration(waited) if isinstance(waited, timedelta) else None),
        ("Quota", view.quota.sentence),
    )
    return tuple((name, value) for name, value in found if value)
