"""Each baseline learns: what it was shown it must know afterwards."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toyset import LANGUAGE, LEARNED, RETRIEVAL, agent_type, load, toy

from harness.evaluation import evaluate
from harness.text import Vocabulary

Trained = Callable[[str], Path]


@pytest.fixture(scope="module", params=LEARNED)
def learned(request: pytest.FixtureRequest, trained: Trained) -> tuple[str, Any]:
    """A variant that was trained within its few updates, and its agent."""
    return request.param, load(request.param, trained(request.param))


def test_it_knows_fifty_talks_by_heart(learned: tuple[str, Any]) -> None:
    variant, agent = learned
    if variant in LANGUAGE:
        report = evaluate(agent, toy(), "ppl", vocabulary=Vocabulary.build(toy()))
        assert report.score.value <= 1.5
    else:
        assert evaluate(agent, toy(), "hits").score.value >= 0.95


def test_it_says_what_it_knows(learned: tuple[str, Any]) -> None:
    variant, agent = learned
    # the memory network of 2018 says what fits ten talks together, not the nearest one
    least = 0.01 if variant == "kvmemnn" else 0.95
    assert evaluate(agent, toy(), "f1").score.value >= least


def test_it_says_how_it_was_trained(learned: tuple[str, Any]) -> None:
    _, agent = learned
    assert agent.trained["updates"] > 0
    assert agent.trained["seconds"] < 60
    assert agent.trained["parameters"] == sum(w.numel() for w in agent.model.parameters())
    assert agent.trained["valid"].get("hits@1", 1) >= 0.95


@pytest.mark.parametrize("name", ["seq2seq", "lm"])
def test_a_language_model_that_ranks_knows_the_replies_too(name: str, trained: Trained) -> None:
    if not hasattr(agent_type(name), "score_candidates"):
        pytest.fail(f"{name} cannot rank")
    assert evaluate(load(name, trained(name)), toy(), "hits").score.value >= 0.9


@pytest.mark.parametrize("variant", [*RETRIEVAL, "tfidf-retrieval"])
def test_a_retriever_does_not_repeat_itself(variant: str, trained: Trained) -> None:
    from harness import Context, Turn

    agent = load(variant, trained(variant))
    asked = Turn("partner", "what about tea ?")
    (first,) = agent.respond([Context("x", turns=(asked,))])
    (second,) = agent.respond([Context("y", turns=(asked, Turn("self", first), asked))])

    assert first == "a cup of it in the morning" or variant == "kvmemnn"
    assert second != first
