"""What a person sees of the doctor: a line for each thing, what to do below it, the count."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from harness.cli.terminal import plain
from harness.rendering.figures import plural
from worker.doctor.finding import Finding, Level

_STYLES = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}
_WIDTH = 18


class Show:
    """Prints each line as it is found; a context manager for its spinner."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = Status("looking", console=console)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._status.stop()

    def begins(self, area: str) -> None:
        """The spinner says what is looked at."""
        self._status.update(f"looking at: {area}")

    def done(self, finding: Finding) -> None:
        """One line, and what to do."""
        row = Table.grid(padding=(0, 2))
        row.add_column(width=4, no_wrap=True)
        row.add_column(width=_WIDTH)
        row.add_column(ratio=1, overflow="fold")
        mark = Text(finding.level.value, style=_STYLES[finding.level])
        row.add_row(mark, Text(finding.name, style="bold"), Text(plain(finding.text)))
        if finding.todo:
            row.add_row("", "", Text(plain(finding.todo), style=_STYLES[finding.level]))
        self._console.print(row)

    def over(self, found: Sequence[Finding]) -> None:
        """The count, and what it means."""
        failed = sum(finding.level is Level.FAIL for finding in found)
        warned = sum(finding.level is Level.WARN for finding in found)
        self._console.print()
        if failed:
            text = f"{plural(failed, 'line')} to mend before a worker starts here"
            style = _STYLES[Level.FAIL]
        else:
            text, style = "A worker can run here", _STYLES[Level.OK]
        rest = f"; {plural(warned, 'warning')} to think about" if warned else ""
        self._console.print(Text(f"{text}{rest}.", style=style))
