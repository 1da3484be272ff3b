"""`rostrum chat` as a person uses it: real children, through a pipe and in a terminal."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness import __version__
from harness.data import jsonl
from harness.dialogue import Dialogue, Example

COMMAND = [sys.executable, "-c", "from harness.cli.main import main; main()", "chat"]

PARROT = """
import os, sys, time
from harness import eval_{track}
print("loading the parrot")

class Parrot:
    def __init__(self):
        {build}
    def respond(self, contexts):
        (context,) = contexts
        said = context.turns[-1].text
        {respond}
        heard = sum(turn.speaker == "partner" for turn in context.turns)
        return [" ".join([said, str(heard), *context.persona])]

if __name__ == "__main__":
    eval_{track}(Parrot)
"""


def submission(
    tmp_path: Path, *, track: str = "f1", build: str = "pass", respond: str = "pass", name: str = ""
) -> Path:
    """A folder with one track file whose agent repeats what it hears; its own code inserted."""
    folder = tmp_path / "parrot-folder"
    folder.mkdir(exist_ok=True)
    code = PARROT.format(track=track, build=build, respond=respond)
    (folder / f"eval_{track}.py").write_text(code, encoding="utf-8")
    if name:
        (folder / "rostrum.toml").write_text(f'name = "{name}"\n', encoding="utf-8")
    return folder


def personas(tmp_path: Path, count: int) -> Path:
    talks = [
        Dialogue(str(number), (f"i am number {number} .",), (), (Example(("hi",), ("yes",)),))
        for number in range(count)
    ]
    jsonl.write(tmp_path / "talks.jsonl", talks)
    return tmp_path / "talks.jsonl"


def chat(folder: Path, said: str, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, str(folder), *options],
        input=said,
        cwd=folder.parent,
        env={key: value for key, value in os.environ.items() if key != "ROSTRUM_DATA"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def conversations(file: Path) -> list[dict[str, Any]]:
    held: list[dict[str, Any]] = json.loads(file.read_text("utf-8"))["conversations"]
    return held


def alive(folder: Path) -> list[str]:
    """Processes that work in this folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            ours = (place / "cwd").readlink() == folder
            status = (place / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if ours and status != "Z":
            found.append(place.name)
    return found


def test_through_a_pipe_each_line_in_is_one_line_out(tmp_path: Path) -> None:
    done = chat(submission(tmp_path), "hi\nhow are you\n", "--persona", "i fly .")

    assert done.returncode == 0, done.stderr
    assert done.stdout == "hi 1 i fly .\nhow are you 2 i fly .\n"
    assert done.stderr == "persona: i fly .\n"


def test_an_empty_line_ends_and_what_follows_is_not_said(tmp_path: Path) -> None:
    done = chat(submission(tmp_path), "hi\n\nmore\n")

    assert (done.returncode, done.stdout) == (0, "hi 1\n")


@pytest.mark.parametrize("track", ["hits", "ppl"])
def test_whoever_responds_can_talk_by_any_track_file(tmp_path: Path, track: str) -> None:
    assert chat(submission(tmp_path, track=track), "hi\n").stdout == "hi 1\n"


def test_f1s_file_is_the_one_that_runs_where_there_are_several(tmp_path: Path) -> None:
    submission(tmp_path, track="hits", build="raise ValueError('the wrong file')")
    submission(tmp_path, track="ppl", build="raise ValueError('the wrong file')")

    assert chat(submission(tmp_path, track="f1"), "hi\n").returncode == 0


def test_the_transcript_holds_entry_harness_persona_turns_and_seconds(tmp_path: Path) -> None:
    folder = submission(tmp_path, name="polly", respond="time.sleep(0.3)")

    chat(folder, "hi\n", "--persona", "i fly .", "--persona", "i sing .", "--json", "said.json")

    document = json.loads((tmp_path / "said.json").read_text("utf-8"))
    assert (document["entry"], document["harness"]) == ("polly", __version__)
    (held,) = document["conversations"]
    assert held["persona"] == ["i fly .", "i sing ."]
    asked, answered = held["turns"]
    assert asked == {"speaker": "partner", "text": "hi"}
    assert (answered["speaker"], answered["text"]) == ("self", "hi 1 i fly . i sing .")
    assert 0.3 <= answered["seconds"] < 30


def test_new_draws_the_next_persona_and_forgets_what_was_said(tmp_path: Path) -> None:
    options = ("--data", str(personas(tmp_path, 50)), "--json", "said.json")
    folder = submission(tmp_path)

    first = chat(folder, "a\nb\n/new\nc\n", *options, "--seed", "4")

    one, two = conversations(tmp_path / "said.json")
    assert one["persona"] != two["persona"]
    assert [turn["text"] for turn in two["turns"]] == ["c", f"c 1 {two['persona'][0]}"]
    assert chat(folder, "a\nb\n/new\nc\n", *options, "--seed", "4").stdout == first.stdout
    assert chat(folder, "a\nb\n/new\nc\n", *options, "--seed", "5").stdout != first.stdout


def test_a_persona_is_shown_and_replaced_by_sentences(tmp_path: Path) -> None:
    said = "a\n/persona\n/persona i swim . i dive!\nb\n"

    done = chat(submission(tmp_path), said, "--persona", "i fly .", "--json", "said.json")

    assert done.stdout.splitlines() == ["a 1 i fly .", "b 1 i swim . i dive!"]
    assert done.stderr.count("persona: i fly .") == 2
    assert [one["persona"] for one in conversations(tmp_path / "said.json")] == [
        ["i fly ."],
        ["i swim .", "i dive!"],
    ]


def test_undo_takes_back_the_last_message_and_its_reply(tmp_path: Path) -> None:
    done = chat(submission(tmp_path), "a\nb\n/undo\nc\n", "--json", "said.json")

    assert done.stdout.splitlines() == ["a 1", "b 2", "c 2"]
    assert "taken back: b" in done.stderr
    (held,) = conversations(tmp_path / "said.json")
    assert [turn["text"] for turn in held["turns"]] == ["a", "a 1", "c", "c 2"]


def test_save_writes_a_new_file_and_quit_ends(tmp_path: Path) -> None:
    done = chat(submission(tmp_path), "a\n/save my talk.json\n/quit\nb\n")

    assert (done.returncode, done.stdout) == (0, "a 1\n")
    (held,) = conversations(tmp_path / "my talk.json")
    assert held["turns"][0]["text"] == "a"


def test_help_names_every_command(tmp_path: Path) -> None:
    done = chat(submission(tmp_path), "/help\n")

    for name in ("/persona", "/persona TEXT", "/new", "/undo", "/save FILE", "/help", "/quit"):
        assert re.search(rf"^{name} +\S", done.stderr, flags=re.M), name


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("/nwe\n", "/nwe is no command; /help lists them"),
        ("/save\n", "/save needs the name of a file"),
        ("/undo\n", "nothing was said yet"),
        ("/save parrot-folder/eval_f1.py\n", "cannot write parrot-folder/eval_f1.py: File exists"),
        ("x" * 3000 + "\n", "a message has at most 2,048 bytes"),
    ],
)
def test_a_program_that_asks_wrongly_is_told_and_ended(
    tmp_path: Path, said: str, reason: str
) -> None:
    folder = submission(tmp_path)
    code = (folder / "eval_f1.py").read_text("utf-8")

    done = chat(folder, said + "hi\n")

    assert (done.returncode, done.stdout) == (2, "")
    assert f"rostrum: {reason}" in done.stderr
    assert (folder / "eval_f1.py").read_text("utf-8") == code


@pytest.mark.parametrize(
    ("parts", "sentence", "shown"),
    [
        ({"build": "raise ValueError('no')"}, "the agent of polly could not be built", "no"),
        ({"respond": "raise KeyError('egg')"}, "polly failed in respond", "KeyError: 'egg'"),
        ({"respond": "return ['x' * 3000]"}, "polly gave a reply of more than 2,048 bytes", ""),
        ({"respond": "return [7]"}, "polly gave a reply that is not text", "a reply is int"),
        ({"respond": "return 'hi'"}, "polly gave a reply that is not text", ""),
        ({"respond": "return []"}, "polly did not give a list of exactly one reply", ""),
        (
            {"respond": "os.write(2, b'dying'); os._exit(3)"},
            "polly ended by itself, with status 3",
            "dying",
        ),
        ({"respond": "raise ValueError('\\x1b[2J')"}, "polly failed in respond", "\\u{1b}[2J"),
    ],
)
def test_an_agent_that_fails_is_one_sentence_and_its_last_lines(
    tmp_path: Path, parts: dict[str, str], sentence: str, shown: str
) -> None:
    folder = submission(tmp_path, name="polly", **parts)

    done = chat(folder, "hi\n", "--json", "said.json")

    assert (done.returncode, done.stdout) == (1, "")
    first, *rest = done.stderr.partition("rostrum: ")[2].splitlines()
    assert sentence in first
    assert shown in "\n".join(rest)
    assert "\x1b" not in done.stderr
    assert not alive(folder)


def test_the_message_that_broke_the_agent_is_kept(tmp_path: Path) -> None:
    folder = submission(tmp_path, respond="assert said != 'egg'")

    done = chat(folder, "hi\negg\n", "--json", "said.json")

    assert done.returncode == 1
    (held,) = conversations(tmp_path / "said.json")
    assert [turn["text"] for turn in held["turns"]] == ["hi", "hi 1", "egg"]


def test_an_agent_that_does_not_talk_is_told_apart_from_one_that_fails(tmp_path: Path) -> None:
    folder = submission(tmp_path, track="ppl", name="counter")
    code = (folder / "eval_ppl.py").read_text("utf-8")
    mute = code.replace("def respond", "def next_word_probabilities")
    (folder / "eval_ppl.py").write_text(mute, encoding="utf-8")

    done = chat(folder, "hi\n")

    assert done.returncode == 1
    assert done.stderr == (
        "rostrum: counter does not talk: its agent has no respond, it answers "
        "next_word_probabilities (it enters ppl)\n"
    )
    inner = code.replace("(context,) = contexts", "return self.model.respond(contexts)")
    inner = inner.replace("        pass\n", "        self.model = None\n", 1)
    (folder / "eval_ppl.py").write_text(inner, encoding="utf-8")
    failed = chat(folder, "hi\n")
    assert "counter failed in respond" in failed.stderr
    assert "'NoneType' object has no attribute 'respond'" in failed.stderr


def test_a_reply_that_takes_too_long_ends_the_chat_and_the_process(tmp_path: Path) -> None:
    folder = submission(tmp_path, name="slow", respond="time.sleep(60)")
    begin = time.monotonic()

    done = chat(folder, "hi\n", "--seconds", "0.5")

    assert (done.returncode, done.stdout) == (1, "")
    assert "rostrum: slow gave no reply within 0.5 s; --seconds waits longer" in done.stderr
    assert time.monotonic() - begin < 20
    assert not alive(folder)


def test_a_folder_that_cannot_talk_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    empty = chat(tmp_path / "empty", "hi\n")
    none = chat(tmp_path / "none", "hi\n")
    lost = chat(submission(tmp_path), "hi\n", "--json", "no/said.json")

    assert (empty.returncode, none.returncode, lost.returncode) == (2, 2, 2)
    assert "it has no eval_f1.py, eval_hits.py or eval_ppl.py" in empty.stderr
    assert "there is no such folder" in none.stderr
    assert "no is not a folder" in lost.stderr


def test_bytes_that_are_not_text_are_said_as_far_as_they_are(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, str(submission(tmp_path))],
        input=b"caf\xff\x1b[2J\n",
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.decode("utf-8") == "caf\ufffd [2J 1\n"


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
