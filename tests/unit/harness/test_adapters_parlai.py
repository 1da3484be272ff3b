"""Agents written for ParlAI run unchanged, and give what they gave there."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.adapters import ParlaiAgent
from harness.data import load
from harness.dialogue import SILENCE, Context, Dialogue, Example, Turn
from harness.errors import SubmissionError
from harness.evaluation import evaluate
from harness.text import Vocabulary, split_words

TALK = Context(
    "one",
    persona=("i like tea .", "i have a dog ."),
    turns=(
        Turn("partner", "hi !"),
        Turn("self", "hello ."),
        Turn("partner", "how are you ?"),
        Turn("partner", "still there ?"),
    ),
)
NEW = Context("two", turns=(Turn("partner", SILENCE),))
VOCABULARY = Vocabulary.from_counts({"tea": 2, "dog": 1, "!": 1})


class Watcher:
    """Has the two methods that every ParlAI agent has; keeps what it observes until reset."""

    def __init__(self, opt: dict[str, Any] | None = None, shared: Any = None) -> None:
        self.opt = opt or {}
        self.log: list[dict[str, Any]] = []

    def reset(self) -> None:
        self.log = []

    def observe(self, observation: dict[str, Any]) -> dict[str, Any]:
        self.log.append(observation)
        return observation

    def act(self) -> dict[str, Any]:
        return {"id": "watcher", "text": f"{len(self.log)} seen"}


class Sharer(Watcher):
    """Answers a batch by the observations alone, as ParlAI's batched agents do."""

    batches: list[int]

    def __init__(self, opt: dict[str, Any] | None = None, shared: Any = None) -> None:
        super().__init__(opt)
        self.batches = shared["batches"] if shared else []

    def share(self) -> dict[str, Any]:
        return {"class": type(self), "opt": self.opt, "batches": self.batches}

    def observe(self, observation: dict[str, Any]) -> dict[str, Any]:
        super().observe(observation)
        return {**observation, "history": [seen["text"] for seen in self.log], "own": self.opt}

    def batch_act(self, observations: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        self.batches.append(len(observations))
        return [
            {
                "text": f"{seen['own']['batchindex']}: {' / '.join(seen['history'])}",
                "text_candidates": sorted(seen.get("label_candidates", []), key=len),
            }
            for seen in observations
        ]

    def next_word_probability(self, partial_out: list[str]) -> dict[str, float]:
        return {"tea": len(self.log), "dog": len(partial_out), "unheard": 9.0}


def test_the_talk_is_shown_as_parlai_shows_it() -> None:
    agent = Watcher()

    assert ParlaiAgent(agent).respond([TALK]) == ["2 seen"]

    first, last = agent.log
    assert first["text"] == "your persona: i like tea .\nyour persona: i have a dog .\nhi !"
    assert first["eval_labels"] == ("hello .",)
    assert last["text"] == "how are you ?\nstill there ?"
    assert not {"labels", "eval_labels", "label_candidates"} & last.keys()


def test_one_question_leaves_nothing_for_the_next() -> None:
    agent = Watcher()
    adapted = ParlaiAgent(agent)

    assert adapted.respond([TALK, NEW, TALK]) == ["2 seen", "1 seen", "2 seen"]
    assert adapted.respond([NEW]) == ["1 seen"]
    assert agent.log[-1]["text"] == SILENCE


def test_a_batch_is_answered_at_once_by_copies_that_share() -> None:
    agent = Sharer({"seed": 1})

    replies = ParlaiAgent(agent).respond([NEW, TALK])

    assert agent.batches == [2]
    assert replies[0] == f"0: {SILENCE}"
    assert replies[1].startswith("1: your persona: i like tea .")
    assert replies[1].endswith("how are you ?\nstill there ?")
    assert agent.log == []


def test_a_ranking_becomes_scores_in_its_order() -> None:
    candidates = [["yes", "a longer one", "no way"], ["same", "same", "x"]]

    rows = ParlaiAgent(Sharer()).score_candidates([TALK, NEW], candidates)

    assert np.argsort(-np.array(rows[0]), kind="stable").tolist() == [0, 2, 1]
    assert rows[1][0] == rows[1][1] < rows[1][2]


class Abstains(Watcher):
    def act(self) -> dict[str, Any]:
        return {"id": "abstains", "text_candidates": ["b", "not offered"]}


def test_what_is_not_ranked_stands_below_and_a_missing_text_is_empty() -> None:
    adapted = ParlaiAgent(Abstains())

    (row,) = adapted.score_candidates([TALK], [["a", "b", "c"]])

    assert row[1] > row[0] == row[2]
    assert adapted.respond([TALK]) == [""]


def test_an_agent_that_ranks_nothing_scores_chance() -> None:
    rows = ParlaiAgent(Watcher()).score_candidates([TALK], [["a", "b"]])

    assert rows == [[0.0, 0.0]]


def test_dictionaries_become_rows_and_each_context_keeps_its_talk() -> None:
    adapted = ParlaiAgent(Sharer(), keep=1)

    for words in ((), ("tea",)):
        rows = adapted.next_word_probabilities([TALK, NEW], [words, words], VOCABULARY)
        assert rows.dtype == np.float32
        tea, dog = rows[:, VOCABULARY.index["tea"]], rows[:, VOCABULARY.index["dog"]]
        assert tea.tolist() == [2.0, 1.0]
        assert dog.tolist() == [len(words)] * 2
        assert rows.sum() == tea.sum() + dog.sum()


class Earlier(Watcher):
    """The earlier form of the method; answers with something that is only like a dictionary."""

    def next_word_probability(self, observation: dict[str, Any], partial_out: list[str]) -> Any:
        class Lazy:
            def get(self, word: str, default: float = 0.0) -> float:
                return 2.0 if word in observation["text"] else default

        return Lazy()


def test_the_earlier_form_of_the_method_and_lazy_answers_are_understood() -> None:
    adapted = ParlaiAgent(Earlier())

    rows = adapted.next_word_probabilities([NEW, TALK], [(), ()], VOCABULARY)

    assert rows[0].sum() == 0
    assert rows[1].tolist() == [0.0] * 7
    single = Context("three", turns=(Turn("partner", "dog !"),))
    row = adapted.next_word_probabilities([single], [()], VOCABULARY)[0]
    assert row[VOCABULARY.index["dog"]] == row[VOCABULARY.index["!"]] == 2.0


class Broken(Watcher):
    def act(self) -> Any:
        return "just text"

    def next_word_probability(self, partial_out: list[str]) -> Any:
        return [0.5]


class Short(Sharer):
    def batch_act(self, observations: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        return []


def test_answers_of_another_form_are_invalid_predictions() -> None:
    with pytest.raises(SubmissionError, match="act returned str"):
        ParlaiAgent(Broken()).respond([TALK])
    with pytest.raises(SubmissionError, match="next_word_probability returned list"):
        ParlaiAgent(Broken()).next_word_probabilities([TALK], [()], VOCABULARY)
    with pytest.raises(SubmissionError, match="0 acts for 1"):
        ParlaiAgent(Short()).respond([TALK])


def test_an_own_turn_that_comes_first_or_twice_is_shown_too() -> None:
    agent = Watcher()
    turns = (Turn("self", "hi"), Turn("self", "me again"), Turn("partner", "yes ?"))

    ParlaiAgent(agent).respond([Context("x", turns=turns)])

    assert [seen["text"] for seen in agent.log] == [SILENCE, "yes ?"]
    assert agent.log[0]["eval_labels"] == ("hi\nme again",)


class RepeatQuery(Watcher):
    """ParlAI's agent of that name: says the last line that it was told."""

    def act(self) -> dict[str, Any]:
        return {"text": self.log[-1]["text"].split("\n")[-1]}


class WordFrequency(Watcher):
    """ConvAI2's example for perplexity: counts, and 10,000 more for each word just observed."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__()
        counted = zip(vocabulary.words, vocabulary.counts, strict=True)
        self.counts = {word: float(count) for word, count in counted if count}

    def next_word_probability(self, partial_out: list[str]) -> dict[str, float]:
        weights = dict(self.counts)
        for word in split_words(self.log[-1]["text"]):
            if word in weights:
                weights[word] += 10_000
        return weights


@pytest.mark.shared
def test_repeat_query_says_and_scores_what_it_did_in_parlai(shared: Path) -> None:
    known = json.loads((shared / "oracle/parlai/repeat_query_f1.json").read_text("utf-8"))
    dialogues = load(shared / "oracle/parlai" / known["input"])
    said: list[str] = []

    class Kept(ParlaiAgent):
        def respond(self, contexts: Sequence[Context]) -> list[str]:
            said.extend(super().respond(contexts))
            return said[-len(contexts) :]

    report = evaluate(Kept(RepeatQuery()), dialogues, "f1")

    assert sorted(said) == sorted(known["predictions"])
    assert report.score.value == pytest.approx(known["scores"]["f1"], abs=1e-9)


@pytest.mark.shared
def test_word_frequency_has_the_perplexity_that_it_had_in_parlai(shared: Path) -> None:
    known = json.loads((shared / "oracle/parlai/ppl_wordfreq.json").read_text("utf-8"))
    vocabulary = Vocabulary.load(shared / "oracle/parlai/dict_self.tsv")
    dialogues = load(shared / "oracle/parlai" / known["input"])[:10]
    first = known["examples"][: sum(len(dialogue.examples) for dialogue in dialogues)]

    report = evaluate(
        ParlaiAgent(WordFrequency(vocabulary)), dialogues, "ppl", vocabulary=vocabulary
    )

    loss = math.fsum(row["loss"] for row in first) / sum(row["num_tokens"] for row in first)
    assert report.score.value == pytest.approx(math.exp(loss), rel=1e-6)


def test_it_runs_under_evaluate_on_every_track() -> None:
    example = Example(("hi",), ("tea dog",), ("tea dog", "x"))
    dialogues = [Dialogue(str(n), ("i like tea .",), (), (example,)) for n in range(3)]
    for track in ("hits", "f1", "ppl"):
        report = evaluate(ParlaiAgent(Sharer()), dialogues, track, vocabulary=VOCABULARY)  # type: ignore[arg-type]  # a str of TRACKS
        assert report.score.n == 3
