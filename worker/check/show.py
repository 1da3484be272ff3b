"""What a person sees of a check: a line for each step as it is over, and what to do at the end."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.padding import Padding
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from harness.cli.terminal import plain
from harness.errors import SubmissionError
from harness.rendering import figures
from worker.check.notes import size
from worker.check.steps import Outcome, Step

LINES = 10
"""How much of a failed program's output is shown without --log."""

_MARKS = {
    Outcome.PASSED: ("ok", "green"),
    Outcome.WARNED: ("ok, but", "yellow"),
    Outcome.FAILED: ("failed", "bold red"),
    Outcome.NOT_ENTERED: ("-", "dim"),
}
_DOING = {
    "runtime": "preparing the runtime",
    "tree": "copying the tree",
    "entry": "looking for track files",
    "requirements": "installing the requirements",
}
_WIDTH = 12
_MARK = 7


class Show:
    """The audience of a check at a terminal or through a pipe; a context manager."""

    def __init__(self, console: Console, *, whole_log: bool) -> None:
        self._console = console
        self._whole_log = whole_log
        self._task: TaskID | None = None
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def begins(self, what: str) -> None:
        """The spinner says so."""
        self._clear()
        self._task = self._progress.add_task(_DOING.get(what, f"asking eval_{what}.py"), total=None)

    def tell(self, line: str) -> None:
        """One quiet line."""
        self._console.print(Padding(Text(plain(line), style="dim"), (0, 0, 0, _MARK + 2)))

    def done(self, step: Step) -> None:
        """The step's line, its notes, and the end of the log where it matters."""
        self._clear()
        mark, style = _MARKS[step.outcome]
        row = Table.grid(padding=(0, 2))
        row.add_column(width=_MARK, no_wrap=True)
        row.add_column(width=_WIDTH, no_wrap=True)
        row.add_column(ratio=1, overflow="fold")
        row.add_row(Text(mark, style=style), Text(step.name, style="bold"), _line(step))
        for note in step.notes:
            row.add_row("", "", Text(plain(note), style="yellow" if step.error is None else ""))
        if isinstance(step.error, SubmissionError):
            row.add_row("", "", Text(step.error.verdict.anchor, style="dim"))
        self._console.print(row)
        self._log(step)

    def _log(self, step: Step) -> None:
        lines = step.log.rstrip().splitlines()
        if not lines or (step.error is None and not self._whole_log):
            return
        shown = lines if self._whole_log else lines[-LINES:]
        left = len(lines) - len(shown)
        if left:
            shown = [f"({figures.plural(left, 'line')} before; --log shows them)", *shown]
        for line in shown:
            text = f"{' ' * (_MARK + 2)}| {plain(line.expandtabs())}"
            self._console.print(Text(text, style="dim"), soft_wrap=True)

    def _clear(self) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None


def head(console: Console, rows: Sequence[tuple[str, str]]) -> None:
    """What is checked, where, and by which rules."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1, overflow="fold")
    for key, value in rows:
        grid.add_row(Text(key, style="dim"), Text(plain(value)))
    console.print(grid)
    console.print()


def verdict(console: Console, steps: Sequence[Step]) -> None:
    """The last line: ready, or what to mend first."""
    console.print()
    failed = [step for step in steps if step.outcome is Outcome.FAILED]
    if not failed:
        warned = sum(step.outcome is Outcome.WARNED for step in steps)
        but = f" {figures.plural(warned, 'step')} with a remark above." if warned else ""
        console.print(Text(f"Ready: the preflight on the server would pass.{but}", style="green"))
    elif any(step.ours for step in failed):
        console.print(Text("Not checked to the end: this machine failed.", style="bold red"))
    else:
        names = ", ".join(step.name for step in failed)
        text = f"Not ready: on the server the preflight would fail ({names})."
        console.print(Text(text, style="bold red"))


def _line(step: Step) -> Text:
    text = Text(plain(step.text))
    facts = []
    if step.report is not None or step.peak is not None or step.seconds >= 1:
        facts.append(figures.seconds(step.seconds))
    if step.peak is not None:
        facts.append(f"{size(step.peak)} of memory")
    if step.talks:
        facts.append("can chat")
    if facts:
        text.append(f"  ({', '.join(facts)})", style="dim")
    return text
