"""What an agent answers depends on the context alone: not on neighbours, not on earlier calls."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from toyset import LANGUAGE, LEARNED, SIGHTS, VARIANTS, contexts, extremes, load, toy

from harness.agent import check_probabilities, check_replies, check_scores
from harness.dialogue import Context
from harness.text import SPECIALS, Vocabulary

Trained = Callable[[str], Path]

CANDIDATES = [reply for _, reply in SIGHTS[:7]] + ["i own a zyzzyva", "", "?!", "words " * 300]
KNOWN = Vocabulary.build(toy())
VOCABULARY = Vocabulary.from_counts(
    {"quokka": 1, "zyzzyva": 1} | dict(zip(KNOWN.words, KNOWN.counts, strict=True))
)


@dataclass(frozen=True)
class Answer:
    """What an agent says, thinks of candidates, and expects next; nothing where it has no verb."""

    reply: str
    scores: NDArray[np.float64]
    row: NDArray[np.float32]


def ask(agent: Any, asked: Sequence[Context]) -> list[Answer]:  # Any: of a submission folder
    """All of an agent's verbs on these contexts, checked as an evaluator checks them."""
    count = len(asked)
    replies, scores = [""] * count, [np.zeros(0)] * count
    rows = np.ones((count, len(VOCABULARY)), np.float32)
    if hasattr(agent, "respond"):
        replies = check_replies(agent.respond(asked), count=count)
    if hasattr(agent, "score_candidates"):
        lists = [CANDIDATES[len(context.turns) % 5 :] for context in asked]
        given = agent.score_candidates(asked, lists)
        scores = check_scores(given, sizes=[len(row) for row in lists])
    if hasattr(agent, "next_word_probabilities"):
        prefixes = [["a", "zyzzyva", "of"][: len(context.turns) % 4] for context in asked]
        rows = agent.next_word_probabilities(asked, prefixes, VOCABULARY)
        check_probabilities(rows, count=count, vocabulary_size=len(VOCABULARY))
    return [Answer(*parts) for parts in zip(replies, scores, rows, strict=True)]


def assert_alike(answers: Sequence[Answer], others: Sequence[Answer]) -> None:
    for one, other in zip(answers, others, strict=True):
        assert one.reply == other.reply
        np.testing.assert_allclose(one.scores, other.scores, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(one.row, other.row, rtol=1e-5, atol=1e-5)


@pytest.fixture(params=VARIANTS)
def make(request: pytest.FixtureRequest, trained: Trained) -> Callable[[], Any]:
    """Makes the agent of a variant, as fresh as in a process of its own."""
    return lambda: load(request.param, trained(request.param))


def test_neighbours_in_a_batch_change_nothing(make: Callable[[], Any]) -> None:
    asked = [*contexts(), *extremes()]
    together, agent = ask(make(), asked), make()
    assert_alike(together, [answer for one in asked for answer in ask(agent, [one])])


def test_asked_again_in_another_order_it_says_the_same(make: Callable[[], Any]) -> None:
    agent = make()
    first = ask(agent, contexts())
    assert_alike(first, ask(agent, contexts()))
    assert_alike(first[::-1], ask(agent, contexts()[::-1]))


def test_it_believes_the_context_and_not_its_id(make: Callable[[], Any]) -> None:
    agent, (first, *_, last) = make(), contexts()
    ask(agent, [first])
    disguised = [replace(last, id=first.id)]
    assert_alike(ask(agent, disguised), ask(make(), disguised))


def test_whatever_is_asked_it_answers(make: Callable[[], Any]) -> None:
    agent = make()
    for answer in ask(agent, extremes()):
        assert not hasattr(agent, "respond") or answer.reply
    assert ask(agent, []) == []


@pytest.mark.parametrize("variant", [*LANGUAGE, "word-frequency"])
def test_next_words_are_real_words_and_no_word_is_impossible(
    variant: str, trained: Trained
) -> None:
    agent = load(variant, trained(variant))
    rows = agent.next_word_probabilities(contexts(), [["a"]] * 4, VOCABULARY)
    assert (rows[:, : len(SPECIALS)] == 0).all()
    assert (rows[:, len(SPECIALS) :] > 0).all()


@pytest.mark.parametrize("variant", LEARNED)
def test_what_is_said_holds_no_mark_of_the_model(variant: str, trained: Trained) -> None:
    answers = ask(load(variant, trained(variant)), [*contexts(), *extremes()])
    said = {word for answer in answers for word in answer.reply.split()}
    assert not said & {*SPECIALS, "__p1__", "__p2__", "__SILENCE__"}
