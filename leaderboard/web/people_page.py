"""The page of the finalists and what people said of them, decided before HTML.

While the human evaluation runs it shows how far it is and no score: running figures would steer
the people who are still to judge.
"""

from dataclasses import dataclass
from datetime import datetime

from flask import url_for

from harness.statistics import Estimate
from leaderboard.human.protocol import SCALE, Protocol
from leaderboard.human.results import ResultLine, Results, Share
from leaderboard.locks import Locked
from leaderboard.web.plot import Scale, Whisker


@dataclass(frozen=True, slots=True)
class Figure:
    """A number for people: its value, its 95 % interval, what it rests on, and its drawing."""

    text: str
    interval: str
    basis: str
    drawing: Whisker | None = None


@dataclass(frozen=True, slots=True)
class PersonLine:
    """One finalist that people talked to."""

    place: int
    entry: str
    team: str
    url: str
    enjoyment: Figure | None
    detected: Figure | None
    served: Figure | None


@dataclass(frozen=True, slots=True)
class PassedOver:
    """One finalist that does not count, and why."""

    place: int
    entry: str
    team: str
    url: str
    reason: str


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """The page. `lines` are empty until the evaluation is closed, `passed_over` never waits."""

    title: str
    standing: str
    locked_at: datetime
    opened_at: datetime | None
    closed_at: datetime | None
    finalists: int
    done: int
    wanted: int
    raters: int
    conversations: int
    lines: tuple[PersonLine, ...]
    passed_over: tuple[PassedOver, ...]
    protocol: Protocol
    protocol_sha256: str


def people_page(found: Results, fixed: Locked) -> PeoplePage:
    """The page of a locked competition."""
    return PeoplePage(
        title=found.title,
        standing=standing(found),
        locked_at=fixed.at,
        opened_at=found.opened_at,
        closed_at=found.closed_at,
        finalists=len(found.lines),
        done=found.done,
        wanted=found.asked,
        raters=found.raters,
        conversations=found.conversations,
        lines=tuple(_line(line) for line in found.lines if line.counts) if found.closed_at else (),
        passed_over=tuple(
            PassedOver(line.place, line.entry, _team(line), _url(line), reason)
            for line in found.lines
            if (reason := out(line)) is not None
        ),
        protocol=fixed.protocol,
        protocol_sha256=found.protocol_sha256,
    )


def out(line: ResultLine) -> str | None:
    """Why a finalist does not count, or None."""
    if line.withheld is not None:
        return f"withheld after the lock: {line.withheld}"
    return line.passed_over


def standing(found: Results) -> str:
    """How far the human evaluation is, in one sentence."""
    if found.closed_at is not None:
        return "The human evaluation is over."
    if found.opened_at is not None:
        return "People are talking to the finalists; scores are shown when they are done."
    return "The finalists are chosen; people have not begun to talk to them."


def _line(line: ResultLine) -> PersonLine:
    return PersonLine(
        place=line.place,
        entry=line.entry,
        team=_team(line),
        url=_url(line),
        enjoyment=_mean(line.enjoyment) if line.enjoyment else None,
        detected=_share(line.detected) if line.detected else None,
        served=_share(line.served) if line.served else None,
    )


def _mean(of: Estimate) -> Figure:
    basis = f"n = {of.n}, {of.clusters} {'rater' if of.clusters == 1 else 'raters'}"
    if of.low is None or of.high is None:
        return Figure(f"{of.value:.2f}", "no interval", basis)
    drawn = Scale(1.0, float(SCALE)).whisker(low=of.low, value=of.value, high=of.high)
    return Figure(f"{of.value:.2f}", f"{of.low:.2f} to {of.high:.2f}", basis, drawn)


def _share(of: Share) -> Figure:
    drawn = Scale(0.0, 1.0).whisker(low=of.low, value=of.value, high=of.high)
    interval = f"{100 * of.low:.0f} to {100 * of.high:.0f}"
    return Figure(f"{100 * of.value:.0f}", interval, f"{of.k} of {of.n}", drawn)


def _team(line: ResultLine) -> str:
    return "" if line.team == line.entry else line.team


def _url(line: ResultLine) -> str:
    return url_for("pages.submission_page", submission_id=line.submission_id)
