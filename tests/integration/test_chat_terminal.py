"""`rostrum chat` as a person uses it in a terminal: real children."""

import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from parrots import COMMAND, alive, conversations, submission


class Person:
    """At a terminal of their own: types, and reads what is on the screen."""

    def __init__(self, process: "subprocess.Popen[bytes]", terminal: int):
        self.process = process
        self.terminal = terminal
        self.screen = ""
        self.read_to = 0

    def type(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def sees(self, text: str) -> None:
        """Wait until `text` stands on the screen after what was seen before."""
        deadline = time.monotonic() + 30
        while (found := self.screen.find(text, self.read_to)) < 0:
            assert time.monotonic() < deadline, self.screen
            self._more()
        self.read_to = found + len(text)

    def leaves(self) -> int:
        while self._more():
            pass
        return self.process.wait(timeout=30)

    def _more(self) -> str:
        if not select.select([self.terminal], [], [], 30)[0]:
            pytest.fail(f"nothing more came after: {self.screen}")
        try:
            data = os.read(self.terminal, 4096)
        except OSError:  # the other end is closed
            return ""
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", data.decode("utf-8", "replace"))
        self.screen += text
        return text


@contextmanager
def terminal(folder: Path, *options: str) -> Iterator[Person]:
    ours, theirs = pty.openpty()
    # a terminal's programs hear Ctrl-C, whatever the shell that started these tests made of it
    process = subprocess.Popen(
        ["env", "--default-signal=INT", *COMMAND, str(folder), *options],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder.parent,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "80"},
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Person(process, ours)
    finally:
        process.kill()
        process.wait(timeout=30)
        os.close(ours)


def test_in_a_terminal_there_are_prompts_names_and_seconds(tmp_path: Path) -> None:
    folder = submission(tmp_path, name="polly")
    with terminal(folder, "--persona", "i fly .") as person:
        person.sees("polly is loading")
        person.sees("Talking to polly; an empty line ends, /help lists commands")
        person.sees("persona: i fly .")
        person.sees("you: ")
        person.type("hi\r")
        person.sees("polly: hi 1 i fly .  0.0")
        person.sees("you: ")
        person.type("/nwe\r")
        person.sees("/nwe is no command; /help lists them")
        person.type("\r")
        assert person.leaves() == 0
    assert "Traceback" not in person.screen


def test_control_d_ends_a_chat_in_a_terminal(tmp_path: Path) -> None:
    with terminal(submission(tmp_path)) as person:
        person.sees("you: ")
        person.type("\x04")
        assert person.leaves() == 0


def test_control_c_ends_the_chat_the_child_and_keeps_what_was_said(tmp_path: Path) -> None:
    folder = submission(tmp_path, name="polly", respond="time.sleep(60 * (said == 'wait'))")
    with terminal(folder, "--json", "said.json") as person:
        person.sees("you: ")
        person.type("hi\r")
        person.sees("polly: hi 1")
        person.sees("you: ")
        person.type("wait\r")
        person.sees("polly is thinking")
        os.killpg(person.process.pid, signal.SIGINT)
        assert person.leaves() == 130
    assert "Traceback" not in person.screen
    (held,) = conversations(tmp_path / "said.json")
    assert [turn["text"] for turn in held["turns"]] == ["hi", "hi 1", "wait"]
    assert not alive(folder)
