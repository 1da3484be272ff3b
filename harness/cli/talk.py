"""A talk with an agent, wherever the agent runs: what is said, the slash commands, the record."""

import json
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import click

from harness import __version__
from harness.agent import MAX_REPLY_BYTES, Responder, check_replies
from harness.cli.terminal import Screen, plain
from harness.data import load
from harness.dialogue import Context, Turn
from harness.errors import SubmissionError, UsageError

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True, slots=True)
class Conversation:
    """The agent's persona and what was said; `seconds[i]` is how long reply i took."""

    persona: tuple[str, ...]
    turns: tuple[Turn, ...] = ()
    seconds: tuple[float, ...] = ()

    def ask(self, text: str) -> "Conversation":
        """With one more message to the agent."""
        return replace(self, turns=(*self.turns, Turn("partner", text)))

    def answer(self, text: str, *, seconds: float) -> "Conversation":
        """With the agent's reply to the last message."""
        turns = (*self.turns, Turn("self", text))
        return replace(self, turns=turns, seconds=(*self.seconds, seconds))

    def undo(self) -> "Conversation":
        """Without the last message and its reply."""
        return replace(self, turns=self.turns[:-2], seconds=self.seconds[:-1])

    def as_json(self) -> dict[str, Any]:  # Any: JSON
        """The persona and the turns; a reply's turn holds its seconds."""
        seconds = iter(self.seconds)
        turns: list[dict[str, str | float]] = []
        for turn in self.turns:
            item: dict[str, str | float] = {"speaker": turn.speaker, "text": turn.text}
            if turn.speaker == "self":
                item["seconds"] = round(next(seconds), 3)
            turns.append(item)
        return {"persona": list(self.persona), "turns": turns}


class Personas:
    """The agent's personas, one for each conversation: the given one, or drawn from a file.

    Without either they are empty. The same `seed` draws the same ones in the same order.
    """

    def __init__(self, given: tuple[str, ...], file: Path | None, *, seed: int):
        self._given = given
        self._drawn = [one.persona for one in load(file)] if file and not given else []
        self._rng = random.Random(seed)  # noqa: S311  (not a secret)

    def next(self) -> tuple[str, ...]:
        """The persona of a conversation that begins."""
        return self._rng.choice(self._drawn) if self._drawn else self._given


class Talk:
    """One or more conversations of a person with `agent`, whose name is `entry`."""

    def __init__(self, agent: Responder, entry: str, personas: Personas, screen: Screen):
        self._agent = agent
        self._entry = entry
        self._personas = personas
        self._screen = screen
        self._asked = 0
        self._over = False
        self._before: list[Conversation] = []
        self._now = Conversation(personas.next())

    def run(self) -> None:
        """Talk until an empty line, the end of the input or /quit."""
        self._screen.greet()
        self._show_persona()
        while not self._over and (line := (self._screen.read() or "").strip()):
            if line.startswith("/"):
                self._command(*line.split(maxsplit=1))
            else:
                self._say(line)

    def document(self) -> dict[str, Any]:  # Any: JSON
        """The record: the entry, the harness that ran it, each conversation that was begun."""
        held = [one for one in (*self._before, self._now) if one.turns]
        return {
            "entry": self._entry,
            "harness": __version__,
            "conversations": [one.as_json() for one in held or [self._now]],
        }

    def save(self, file: Path, *, mode: str = "w") -> None:
        """Write the record; `UsageError` says why it cannot be written."""
        text = json.dumps(self.document(), indent=2, ensure_ascii=False) + "\n"
        try:
            with file.open(mode, encoding="utf-8") as out:
                out.write(text)
        except OSError as error:
            raise UsageError(f"cannot write {file}: {error.strerror}") from error

    def _command(self, name: str, text: str = "") -> None:
        for command in COMMANDS:
            if command.usage.split()[0] == name:
                command.run(self, text.strip())
                return
        self._screen.problem(f"{plain(name)} is no command; /help lists them")

    def _say(self, line: str) -> None:
        try:
            (text,) = check_replies([line], count=1)
        except SubmissionError:
            self._screen.problem(f"a message has at most {MAX_REPLY_BYTES:,} bytes")
            return
        self._now = self._now.ask(text)
        self._asked += 1
        # Agents may keep what they know of an example by its id, so no two questions share one.
        context = Context(f"chat-{self._asked}", self._now.persona, turns=self._now.turns)
        begin = time.monotonic()
        with self._screen.waiting("is thinking"):
            (reply,) = check_replies(self._agent.respond([context]), count=1)
        seconds = time.monotonic() - begin
        self._now = self._now.answer(reply, seconds=seconds)
        self._screen.reply(reply, seconds=seconds)

    def _begin(self, persona: tuple[str, ...]) -> None:
        self._before.append(self._now)
        self._now = Conversation(persona)

    def _show_persona(self) -> None:
        for sentence in self._now.persona:
            self._screen.note(f"persona: {plain(sentence)}")
        if not self._now.persona:
            self._screen.note(f"{self._entry} has no persona; /persona TEXT gives it one")

    def _persona(self, text: str) -> None:
        if text:
            self._begin(tuple(_SENTENCE_END.split(text)))
            self._screen.note("a new conversation, with the persona:")
        self._show_persona()

    def _new(self, _text: str) -> None:
        self._begin(self._personas.next())
        self._screen.note("a new conversation")
        self._show_persona()

    def _undo(self, _text: str) -> None:
        if not self._now.turns:
            self._screen.problem("nothing was said yet")
            return
        message = self._now.turns[-2].text
        self._now = self._now.undo()
        self._screen.note(f"taken back: {message}")

    def _save(self, text: str) -> None:
        if not text:
            self._screen.problem("/save needs the name of a file")
            return
        try:
            self.save(Path(text), mode="x")
        except UsageError as error:
            self._screen.problem(error.message)
        else:
            self._screen.note(f"saved to {text}")

    def _help(self, _text: str) -> None:
        for command in COMMANDS:
            self._screen.note(f"{command.usage:<16}{command.help}")

    def _quit(self, _text: str) -> None:
        self._over = True


class Command(NamedTuple):
    """What may be typed after a slash."""

    usage: str
    help: str
    run: Callable[[Talk, str], None]


COMMANDS = (
    Command("/persona", "show the agent's persona", Talk._persona),
    Command("/persona TEXT", "begin anew with this persona, a few sentences", Talk._persona),
    Command("/new", "begin anew; with --data, with the next drawn persona", Talk._new),
    Command("/undo", "take back your last message and its reply", Talk._undo),
    Command("/save FILE", "write what was said to a new file, as JSON", Talk._save),
    Command("/help", "this list", Talk._help),
    Command("/quit", "end; an empty line does as well", Talk._quit),
)


def options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of every command that holds a talk: persona, data, seed, out."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS = (
    click.option("--persona", multiple=True, help="A sentence of the agent's persona; repeat it."),
    click.option("--data", type=click.Path(path_type=Path), help="Draw the persona from here."),
    click.option("--seed", type=int, default=0, show_default=True, help="Which persona is drawn."),
    click.option(
        "--json", "out", type=click.Path(path_type=Path), help="Write what was said here."
    ),
)


def expect_folder(out: Path | None) -> None:
    """`UsageError` if there is no folder for the record: better before a talk than after it."""
    if out is not None and not out.absolute().parent.is_dir():
        raise UsageError(f"{out.parent} is not a folder; --json names a file in a folder")


def hold(agent: Responder, entry: str, *, personas: Personas, on: Screen, out: Path | None) -> None:
    """Talk here and now; what was said is written to `out` however the talk ends."""
    talk = Talk(agent, entry, personas, on)
    try:
        talk.run()
    finally:
        if out is not None:
            talk.save(out)
