"""ppl through the loop: which words count, what a zero costs, which rows are refused."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from evalworld import DIALOGUES, VOCABULARY, Hashing, remote

from harness.dialogue import Context, Dialogue, Example
from harness.errors import SubmissionError
from harness.evaluation import evaluate
from harness.report import Report
from harness.text import Vocabulary, split_words


class Oracle(Hashing):
    """Gives the true word its `share`, the rest to all words, the whole times `scale`."""

    def __init__(self, share: float = 0.5, *, scale: float = 1.0, specials: float = 0.0):
        self.share, self.scale, self.specials = share, scale, specials
        self.replies = {
            (dialogue.persona, dialogue.turns_before(turn)): split_words(example.replies[0])
            for dialogue in DIALOGUES
            for turn, example in enumerate(dialogue.examples)
        }

    def next_word_probabilities(
        self, contexts: Sequence[Context], prefixes: Sequence[Sequence[str]], vocabulary: Vocabulary
    ) -> np.ndarray:
        rows = np.full((len(contexts), len(vocabulary)), 0.0, np.float32)
        rows[:, :4] = self.specials / 4
        for row, context, prefix in zip(rows, contexts, prefixes, strict=True):
            words = self.replies[context.persona, context.turns]
            assert list(prefix) == words[: len(prefix)]
            word = words[len(prefix)]
            if word in vocabulary:
                row[vocabulary.index[word]] = self.share
                row[4 if vocabulary.index[word] != 4 else 5] = 1 - self.share
            else:
                row[4] = 1.0
        return rows * np.float32(self.scale)


def ppl(agent: Hashing, **options: object) -> Report:
    return evaluate(agent, DIALOGUES, "ppl", vocabulary=VOCABULARY, **options)  # type: ignore[arg-type]


def test_perplexity_counts_known_words_only() -> None:
    words = [
        word
        for dialogue in DIALOGUES
        for example in dialogue.examples
        for word in split_words(example.replies[0])
    ]
    known = [word for word in words if word in VOCABULARY]
    report = ppl(Oracle(0.5))
    assert report.score.value == pytest.approx(2.0)
    assert (report.tokens, report.unknown) == (len(known), len(words) - len(known))
    assert report.unknown
    assert report.vocabulary == 54


@pytest.mark.parametrize("scale", [1.5, 0.1, 2.0**-100, 2.0**100])
def test_scaling_a_row_earns_nothing(scale: float) -> None:
    assert ppl(Oracle(0.25, scale=scale)).score.value == pytest.approx(4.0, rel=1e-6)


def test_mass_on_the_specials_is_lost() -> None:
    assert ppl(Oracle(0.5, specials=1.0)).score.value == pytest.approx(4.0)


def test_a_zero_costs_what_the_competition_says() -> None:
    report = ppl(Oracle(0.0))
    assert report.score.value == math.inf
    assert '"note": "infinite"' in report.dumps()
    floored = ppl(Oracle(0.0), zero="floor-1e-10")
    assert floored.score.value == pytest.approx(1e10)
    assert "zero:floor-1e-10" in floored.signature


class Spoiling(Hashing):
    """Answers well but for one row, which holds `value` once."""

    def __init__(self, value: float):
        self.value = value

    def next_word_probabilities(
        self, contexts: Sequence[Context], prefixes: Sequence[Sequence[str]], vocabulary: Vocabulary
    ) -> np.ndarray:
        rows = np.ones((len(contexts), len(vocabulary)), np.float32)
        rows[-1, -1] = self.value
        return rows


@pytest.mark.parametrize(
    ("value", "detail"),
    [(math.nan, "not_finite"), (math.inf, "not_finite"), (-0.5, "negative"), (-1e9, "negative")],
)
@pytest.mark.parametrize("place", ["here", "remote"])
def test_one_bad_weight_among_many_is_found(value: float, detail: str, place: str) -> None:
    with remote(Spoiling(value), "ppl") as agent, pytest.raises(SubmissionError) as caught:
        ppl(Spoiling(value) if place == "here" else agent)  # type: ignore[arg-type]
    assert (caught.value.code, caught.value.detail) == ("invalid_prediction", detail)


def test_an_empty_reply_of_the_set_is_no_word() -> None:
    dialogues = [Dialogue("1", examples=(Example(("hi",), ("",)), Example(("x",), ("word1",))))]
    report = evaluate(Hashing(), dialogues, "ppl", vocabulary=VOCABULARY)
    assert (report.tokens, report.score.n) == (1, 2)
