"""How a talk looks: prompts and a spinner in a terminal, bare replies through a pipe."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Protocol

import click
from rich.console import Console
from rich.text import Text

from harness.errors import UsageError


class Screen(Protocol):
    """Where lines come from and replies go."""

    def read(self) -> str | None:
        """The next line, None at the end."""

    def greet(self) -> None:
        """The talk begins."""

    def waiting(self, what: str) -> AbstractContextManager[object]:
        """Lasts while the agent `what`: loads, or thinks."""

    def reply(self, text: str, *, seconds: float) -> None:
        """What the agent said, and how long it took."""

    def note(self, text: str) -> None:
        """What is neither: the persona, the answer to a command."""

    def problem(self, text: str) -> None:
        """Something was not done: a person can say it otherwise, a program has failed."""


class Terminal:
    """A person at a keyboard; `entry` is the name that replies stand under."""

    def __init__(self, entry: str, console: Console | None = None):
        self._entry = entry
        self._console = console or Console(highlight=False)
        with suppress(ImportError):
            __import__("readline")  # from then on input() edits lines and remembers them

    def read(self) -> str | None:
        try:
            return input("you: ")
        except EOFError:
            self._console.print()
            return None

    def greet(self) -> None:
        title = (f"Talking to {self._entry}", "bold")
        rest = ("; an empty line ends, /help lists commands", "dim")
        self._console.print(Text.assemble(title, rest), soft_wrap=True)

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        with self._console.status(Text(f"{self._entry} {what}", style="dim")):
            yield

    def reply(self, text: str, *, seconds: float) -> None:
        said = (text, "") if text else ("(nothing)", "dim")
        took = (f"  {seconds:.{2 if seconds < 10 else 0}f} s", "dim")
        line = Text.assemble((f"{self._entry}: ", "bold"), said, took)
        self._console.print(line, soft_wrap=True)

    def note(self, text: str) -> None:
        self._console.print(Text(text, style="dim"), soft_wrap=True)

    def problem(self, text: str) -> None:
        self._console.print(Text(text, style="yellow"), soft_wrap=True)


class Pipe:
    """Lines from a program or file: one reply a line on standard output, notes beside it."""

    def read(self) -> str | None:
        return sys.stdin.readline() or None

    def greet(self) -> None:
        """A program needs no greeting."""

    def waiting(self, what: str) -> AbstractContextManager[object]:
        return nullcontext()

    def reply(self, text: str, *, seconds: float) -> None:
        click.echo(text)

    def note(self, text: str) -> None:
        click.echo(text, err=True)

    def problem(self, text: str) -> None:
        raise UsageError(text)


def screen(entry: str) -> Screen:
    """The terminal if both ends are one, else the pipe; what is not UTF-8 is replaced."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        return Terminal(entry)
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(errors="replace")
    return Pipe()


def plain(text: str) -> str:
    """The text without what could steer a terminal: each such character as its code."""
    return "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in text)
