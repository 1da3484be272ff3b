"""How far a run is: a bar in a terminal, a plain line every few seconds through a pipe."""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

EVERY_SECONDS = 5.0
"""How often a line is printed where there is no terminal."""

_WINDOW_SECONDS = 30.0
"""What the pace is measured over: it follows a model that grows slower with the turns."""

Show = Callable[[int, int | None], None]
"""Told how many examples are answered, of how many (None: not known)."""


class Pace:
    """Examples per second over the last half minute, and the time that is left at it."""

    def __init__(self, now: float):
        self._points = deque([(now, 0)])

    def reached(self, done: int, *, now: float) -> None:
        """So many are answered at this time."""
        self._points.append((now, done))
        while len(self._points) > 2 and self._points[1][0] < now - _WINDOW_SECONDS:
            self._points.popleft()

    @property
    def per_second(self) -> float:
        """Examples per second; 0 while nothing is known."""
        (start, before), (end, done) = self._points[0], self._points[-1]
        return (done - before) / (end - start) if end > start else 0.0

    def told(self, total: int | None) -> str:
        """How far, how fast, how long still: `512 of 1,576 examples, 103.2/s, 0:10 left`."""
        done = self._points[-1][1]
        of = f" of {total:,}" if total is not None else ""
        text = f"{done:,}{of} examples, {self.per_second:,.1f}/s"
        if total is not None and self.per_second > 0:
            text += f", {clock((total - done) / self.per_second)} left"
        return text


def clock(seconds: float) -> str:
    """A duration as a clock shows it: 0:07, 12:30, 3:05:00."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minutes}:{second:02}"


@contextmanager
def shown(title: str) -> Iterator[Show]:
    """Shows the progress of a run on standard error while it lasts, and leaves no bar behind."""
    console = Console(stderr=True)
    with _bar(title, console) if console.is_terminal else _lines(title) as show:
        yield show


@contextmanager
def _bar(title: str, console: Console) -> Iterator[Show]:
    columns = (TextColumn(title), BarColumn(bar_width=None), TextColumn("{task.description}"))
    pace = Pace(time.monotonic())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("asking", total=None)

        def show(done: int, total: int | None) -> None:
            pace.reached(done, now=time.monotonic())
            bar.update(task, completed=done, total=total, description=pace.told(total))

        yield show


@contextmanager
def _lines(title: str) -> Iterator[Show]:
    pace = Pace(time.monotonic())
    told = time.monotonic()

    def show(done: int, total: int | None) -> None:
        nonlocal told
        now = time.monotonic()
        pace.reached(done, now=now)
        if now - told >= EVERY_SECONDS and done != total:
            told = now
            click.echo(f"{title}: {pace.told(total)}", file=sys.stderr)

    yield show
