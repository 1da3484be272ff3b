"""`rostrum chat` as a person uses it through a pipe: real children."""

import json
import re
import subprocess
import time
from pathlib import Path

import pytest
from parrots import COMMAND, alive, chat, conversations, personas, submission

from harness import __version__


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
