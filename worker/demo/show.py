"""What a person sees of the demo: steps with their seconds, states as they change, the board.

In a terminal a spinner shows what runs; elsewhere each event is one plain line.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

HEADS = {"hits": "hits@1", "f1": "F1", "ppl": "Perplexity"}


class Show:
    """The demo's voice; safe to use from two threads. A context manager for its spinner."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        self._begin = time.monotonic()
        self._lock = Lock()
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )

    def __enter__(self) -> "Show":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        """One line, with the seconds since the start."""
        with self._lock:
            seconds = time.monotonic() - self._begin
            self.console.print(f"[dim]{seconds:6.1f} s[/]  {escape(text)}", soft_wrap=True)

    def plain(self, text: str) -> None:
        """One line to copy, exactly as it is."""
        with self._lock:
            self.console.print(escape(text), soft_wrap=True)

    @contextmanager
    def step(self, text: str) -> Iterator["Step"]:
        """Something that takes a while: shown as running, then one line with its duration."""
        if not self.console.is_terminal:
            self.say(f"{text} ...")
        task = self._progress.add_task(escape(text))
        begin = time.monotonic()
        step = Step(self._progress, task, text)
        try:
            yield step
        finally:
            self._progress.remove_task(task)
        self.say(f"{text}: {step.result or 'done'} ({time.monotonic() - begin:.1f} s)")

    def board(self, board: Mapping[str, Any]) -> None:
        """The board as a table, in its order, with the intervals."""
        table = Table(
            title=escape(f"{board['title']}, hidden test set"),
            title_justify="left",
            box=SIMPLE_HEAD,
            show_edge=False,
            pad_edge=False,
        )
        table.add_column("Rank", justify="right")
        table.add_column("Entry")
        for head in HEADS.values():
            table.add_column(head, no_wrap=True)
        for row in board["rows"]:
            rank = "baseline" if row["baseline"] else str(row["rank"])
            cells = [_cell(row["tracks"].get(track)) for track in HEADS]
            table.add_row(rank, escape(row["entry"]), *cells)
        self.console.print(table)

    def invariants(self, found: Iterable[Mapping[str, Any]]) -> None:
        """Each invariant, what it promises, and whether it held."""
        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for head in ("Invariant", "What must hold", ""):
            table.add_column(head)
        for one in found:
            word = f"[red]{one['broken']} broken[/]" if one["broken"] else "[green]held[/]"
            table.add_row(escape(one["name"]), escape(one["promise"]), word)
        self.console.print(table)


class Step:
    """A running step: `busy` says what it does just now, `result` what came of it."""

    def __init__(self, progress: Progress, task: TaskID, text: str) -> None:
        self.result = ""
        self._progress = progress
        self._task = task
        self._text = text

    def busy(self, with_what: str) -> None:
        """Say what happens inside the step, in a terminal only."""
        shown = f"{escape(self._text)} [dim]{escape(with_what[:70])}[/]"
        self._progress.update(self._task, description=shown)


def _cell(cell: Mapping[str, Any] | None) -> str:
    if cell is None:
        return "[dim]-[/]"
    interval = str(cell["interval"]).replace(" to ", "–")
    return f"{escape(cell['text'])} [dim]{escape(interval)}[/]"
