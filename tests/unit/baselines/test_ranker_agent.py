"""The ranker as people meet it: what it says, what a checkpoint keeps, what it refuses."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from toyset import contexts, flat, module_of, toy

from baselines.commands import folder
from harness.data import fbdialog
from harness.dialogue import SILENCE, Dialogue, Example
from harness.evaluation import evaluate

Trained = Callable[[str], Path]

BLANKS = (
    "hi , i'm [user 2's name] .",
    "i live in [user2_location] .",
    "hi user 1 !",
    "hi , i'm ( user 2's name ) .",
    "here it is : <link>",
    "my name is ( name ) .",
    "nice to meet you , {name}",
    "bye , username",
    "...",
)
WHOLE = (
    "i <3 my dog ( a poodle ) !",
    "what is your name ?",
    "i have 2 users",
    "my user name is long",
    "run-dmc is iconic",
)


def test_replies_with_a_blank_are_not_said() -> None:
    replies = module_of("ranker", "replies")
    talk = Dialogue("1", examples=tuple(Example(("hi",), (r,)) for r in (*BLANKS, *WHOLE)))

    assert replies.sayable([talk, talk]) == list(WHOLE)


def test_what_partners_say_is_learned_from_too_but_not_twice() -> None:
    mirror = module_of("ranker", "mirror")
    alone = Dialogue(
        "1",
        ("i own a cat .",),
        examples=(Example(("hi",), ("what is new ?",)), Example(("not much",), ("bye",))),
    )
    silent = Dialogue("2", examples=(Example((SILENCE,), ("hello ?",)),))

    dialogues = mirror.both([alone, silent])

    assert dialogues[:2] == [alone, silent]
    assert [e.replies for e in dialogues[2].examples] == [("hi",), ("not much",)]
    assert [e.partner for e in dialogues[2].examples] == [(SILENCE,), ("what is new ?",)]
    assert not dialogues[2].persona
    assert not dialogues[2].partner_persona
    assert len(dialogues) == 3
    both_sides = [alone, replace(dialogues[2], id="3")]
    assert mirror.both(both_sides) == both_sides


def test_it_says_no_blank_even_where_it_has_learned_one(trained: Trained) -> None:
    agent = module_of("ranker", "agent").RankerAgent.load(trained("ranker"))
    talk = Dialogue("1", examples=(Example(("what about tea ?",), ("[name] , a cup of it",)),))
    agent.answer_from([talk, *toy()])
    assert agent.respond(contexts()[:1]) == ["a cup of it in the morning"]


def test_a_checkpoint_holds_the_encodings_of_what_it_says(trained: Trained) -> None:
    names = {path.name for path in trained("ranker").iterdir()}
    assert {"candidates.json", "candidates.safetensors"} <= names


def train(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "train.py", "--threads", "1", *options],
        cwd=folder("ranker"),
        capture_output=True,
        text=True,
        check=False,
    )


def test_codes_and_a_second_look_learn_too(toy_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "c"
    small = ("model.size=48", "model.layers=1", "batch_size=32", "training.learning_rate=0.01")
    settings = [f"--set={one}" for one in ("model.poly=4", "model.rerank=3", *small)]
    done = train("--data", str(toy_data), "--out", str(out), "--updates", "120", *settings)
    assert done.returncode == 0, done.stderr
    agent = module_of("ranker", "agent").RankerAgent.load(out)

    assert agent.model.codes is not None
    assert agent.model.second is not None
    assert evaluate(agent, toy(), "hits").score.value >= 0.95


def test_vectors_of_a_file_are_where_training_starts(toy_data: Path, tmp_path: Path) -> None:
    vectors = tmp_path / "words.vec"
    vectors.write_text("tea 1 0 0\nrain 0 2 0\n", encoding="utf-8")
    common = ["--data", str(toy_data), "--out", str(tmp_path / "c"), "--vectors", str(vectors)]

    done = train(*common, "--updates", "1")
    refused = train(*common, "--encoder", "tfidf", "--out", str(tmp_path / "d"))

    assert "words.vec has vectors for 2 of " in done.stdout
    assert refused.returncode == 2
    assert "tfidf has no vectors of words" in refused.stderr
    assert not (tmp_path / "d").exists()


def test_tfidf_is_made_without_training_and_answers(toy_data: Path, tmp_path: Path) -> None:
    done = train("--data", str(toy_data), "--out", str(tmp_path / "c"), "--encoder", "tfidf")
    assert done.returncode == 0, done.stderr
    agent = module_of("ranker", "agent").RankerAgent.load(tmp_path / "c")

    replies = agent.respond(contexts())

    assert len(replies) == 4
    assert all(replies)
    assert agent.trained["parameters"] == 0


def test_without_a_checkpoint_it_says_the_command(tmp_path: Path) -> None:
    from harness.errors import UsageError

    with flat("ranker"):
        agents = module_of("ranker", "agent")
    with pytest.raises(UsageError, match="rostrum train ranker"):
        agents.RankerAgent.load(tmp_path)


def test_a_set_without_a_sayable_reply_still_makes_a_ranker(tmp_path: Path) -> None:
    talks = [
        Dialogue(str(n), examples=(Example((f"hi {n}",), (BLANKS[n % 2],)),)) for n in range(4)
    ]
    fbdialog.write(tmp_path / "train_self_original.txt", talks)
    done = train("--data", str(tmp_path), "--out", str(tmp_path / "c"), "--updates", "2")
    assert done.returncode == 0, done.stderr
