"""Drives the other rooms as a person would: by the `rostrum` command, in processes of its own.

Short commands are run to their end; long ones (site, worker, beat) are started in sessions of
their own, so that Ctrl-C reaches the demo alone, which then ends them in order.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.errors import RostrumError

SECONDS = 600.0
"""How long a short command may take."""

END_SECONDS = 45.0
"""How long a long command may take to end by itself: its cells are removed first."""

Line = Callable[[str], None]


class CommandFailedError(RostrumError):
    """A command of ours did not do what the demo asked of it (exit code 1)."""

    def __init__(self, message: str, *, hint: str = ""):
        super().__init__(message, code="demo_failed", hint=hint)


@dataclass(slots=True)
class Shell:
    """The commands of one demo, all with the same `variables`; a context manager that ends them.

    `logs` is the folder for what the long commands print.
    """

    variables: Mapping[str, str]
    logs: Path
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _short: list["subprocess.Popen[str]"] = field(default_factory=list)

    def run(
        self, *arguments: str, extra: Mapping[str, str] | None = None, may_fail: bool = False
    ) -> str:
        """The output of a command that must succeed; its own sentence otherwise."""
        with self._process(arguments, extra or {}, stderr=subprocess.PIPE) as process:
            try:
                output, said = process.communicate(timeout=SECONDS)
            except subprocess.TimeoutExpired:
                _kill(process)
                raise CommandFailedError(
                    f"`rostrum {arguments[0]}` took longer than {SECONDS:.0f} s"
                ) from None
            except BaseException:
                _kill(process)
                raise
        if process.returncode and not (may_fail and process.returncode == 1 and output):
            raise _failure(arguments, said or output)
        return output

    def json(
        self, *arguments: str, extra: Mapping[str, str] | None = None, may_fail: bool = False
    ) -> Any:
        """The document that a command prints with `--json`; with `may_fail` also where it ends
        with 1, because what was asked for is not so."""
        return json.loads(self.run(*arguments, "--json", extra=extra, may_fail=may_fail))

    def follow(self, *arguments: str, each: Line) -> None:
        """Run a command and hand on each line that it prints, as it prints it."""
        tail: list[str] = []
        with self._process(arguments, {}, stderr=subprocess.STDOUT) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    tail = [*tail, line.rstrip()][-10:]
                    each(line.rstrip())
            except BaseException:
                _kill(process)
                raise
        if process.returncode:
            raise _failure(arguments, "\n".join(tail))

    def start(self, name: str, *arguments: str) -> None:
        """Start a long command; its output goes to `<logs>/<name>.log`."""
        with (self.logs / f"{name}.log").open("wb") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603  # our own command
                _command(arguments),
                env=dict(self.variables),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """End a long command at once, as a machine that loses power would."""
        _kill(self._running.pop(name))

    def expect_alive(self) -> None:
        """Raise if a long command has ended by itself, with the end of its log."""
        for name, process in self._running.items():
            if process.poll() is not None:
                log = self.logs / f"{name}.log"
                tail = log.read_text("utf-8", "replace").strip().splitlines()[-5:]
                raise CommandFailedError(
                    f"the {name} ended with status {process.returncode}: " + " / ".join(tail),
                    hint=f"Its whole log: {log}",
                )

    def end(self) -> None:
        """End what still runs: short commands at once; long ones, the newest first, politely."""
        for short in list(self._short):
            if short.poll() is None:
                _kill(short)
        for process in reversed(self._running.values()):
            if process.poll() is None:
                process.terminate()
        for process in self._running.values():
            try:
                process.wait(timeout=END_SECONDS)
            except subprocess.TimeoutExpired:
                _kill(process)
        self._running.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def _process(
        self, arguments: tuple[str, ...], extra: Mapping[str, str], *, stderr: int
    ) -> "subprocess.Popen[str]":
        process = subprocess.Popen(  # noqa: S603  # our own command
            _command(arguments),
            env={**self.variables, **extra},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._short = [known for known in self._short if known.poll() is None] + [process]
        return process


def _command(arguments: tuple[str, ...]) -> list[str]:
    """The same `rostrum` that runs now, wherever it is installed."""
    return [sys.executable, "-c", "from harness.cli.main import main; main()", *arguments]


def _kill(process: "subprocess.Popen[Any]") -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=30)


def _failure(arguments: tuple[str, ...], said: str) -> CommandFailedError:
    lines = said.strip().splitlines()[-6:] or ["no message"]
    return CommandFailedError(f"`rostrum {' '.join(arguments[:3])}` failed: " + " / ".join(lines))
