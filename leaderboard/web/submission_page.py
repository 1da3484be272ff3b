"""A submission's page, from its read model: its way, its verdict, its scores, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import url_for

from harness.errors import VERDICTS, Fault
from leaderboard import formats
from leaderboard.board import SubmissionView
from leaderboard.ledger import Moment
from leaderboard.states import STAGES, State
from leaderboard.waiting import Silence
from leaderboard.web.board_page import CellView
from leaderboard.web.tracks import TRACK_TEXTS

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
    Fault.PLATFORM: "The platform's, not yours: the place returns, or an organizer decides.",
}


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
    expected: str | None
    verdict: VerdictView | None
    withheld: str | None
    cells: tuple[CellView, ...]
    events: tuple[EventView, ...]
    facts: tuple[tuple[str, str], ...]
    board_url: str


def submission_page(view: SubmissionView, silence: Silence | None, *, site: str) -> SubmissionPage:
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
        expected=view.expected.sentence if view.expected else None,
        verdict=_verdict(view, site=site),
        withheld=view.withheld,
        cells=tuple(CellView(TRACK_TEXTS[track], cell) for track, cell in view.scores.items()),
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
    ends = [moment.at for moment in view.timeline[1:]] + [view.moment]
    return tuple(
        EventView(
            at=moment.at,
            state=moment.target.value,
            note=_note(moment),
            stayed="" if STAGES[moment.target].final else formats.duration(end - moment.at),
        )
        for moment, end in zip(view.timeline, ends, strict=True)
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
        (
            "Retries, losses",
            f"{view.retries}, {view.losses}" if view.retries + view.losses else None,
        ),
        (
            "From acceptance to end",
            formats.duration(waited) if isinstance(waited, timedelta) else None,
        ),
        ("Quota", view.quota.sentence),
    )
    return tuple((name, value) for name, value in found if value)
