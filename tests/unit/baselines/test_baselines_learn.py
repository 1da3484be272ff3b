"""Each baseline learns: what it was shown it must know afterwards."""

from collections.abc import Callable
from pathlib import Path

import pytest
from toyset import contexts, module_of, toy

from harness.evaluation import evaluate
from harness.text import Vocabulary

Trained = Callable[[str], Path]


@pytest.mark.parametrize(
    ("name", "agent"),
    [("ranker", "RankerAgent"), ("kvmemnn", "MemoryAgent"), ("seq2seq", "Seq2SeqAgent")],
)
def test_learns_to_rank_and_to_answer(name: str, agent: str, trained: Trained) -> None:
    learned = getattr(module_of(name, "agent"), agent)(trained(name))

    assert evaluate(learned, toy(), "hits").score.value >= 0.95
    assert evaluate(learned, toy(), "f1").score.value >= 0.95


def test_seq2seq_learns_the_words(trained: Trained) -> None:
    agent = module_of("seq2seq", "agent").Seq2SeqAgent(trained("seq2seq"))

    report = evaluate(agent, toy(), "ppl", vocabulary=Vocabulary.build(toy()))

    assert report.score.value <= 1.5


def test_word_frequency_beats_knowing_nothing(trained: Trained) -> None:
    agent = module_of("word-frequency", "agent").FrequencyAgent(trained("word-frequency"))
    vocabulary = Vocabulary.build(toy())

    report = evaluate(agent, toy(), "ppl", vocabulary=vocabulary)

    assert 1 < report.score.value < 0.9 * len(vocabulary)


def test_constant_words_says_common_words_that_score(trained: Trained) -> None:
    agent = module_of("constant-words", "agent").ConstantAgent(trained("constant-words"))

    assert len(set(agent.respond(contexts()))) == 1
    assert evaluate(agent, toy(), "f1").score.value > 0.02


@pytest.mark.parametrize(("name", "agent"), [("ranker", "RankerAgent"), ("kvmemnn", "MemoryAgent")])
def test_a_retriever_does_not_repeat_itself(name: str, agent: str, trained: Trained) -> None:
    learned = getattr(module_of(name, "agent"), agent)(trained(name))
    from harness import Context, Turn

    asked = Turn("partner", "what about tea ?")
    (first,) = learned.respond([Context("x", turns=(asked,))])
    (second,) = learned.respond([Context("y", turns=(asked, Turn("self", first), asked))])

    assert first == "a cup of it in the morning"
    assert second != first
