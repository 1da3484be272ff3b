"""The language model's agent learns from whole talks, and answers alike with and without memory."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from toyset import contexts, module_of, toy

from harness.dialogue import Dialogue, Example
from harness.errors import UsageError
from harness.evaluation import evaluate
from harness.text import Vocabulary, split_words
from harness.torch.generator import TorchGeneratorAgent
from harness.torch.learning import Plan, examples, learn
from harness.torch.options import TrainingOptions
from harness.torch.typed import from_json, to_json
from harness.torch.vectors import PARTNER_TOKEN, SELF_TOKEN, learn_words
from harness.torch.words import END, START

TALK = Dialogue(
    id="talk",
    persona=("i like tea .",),
    examples=(
        Example(partner=("hi !", "how are you ?"), replies=("fine .",)),
        Example(partner=("what do you like ?",), replies=("tea",)),
    ),
)
VOCABULARY = Vocabulary.build(toy())


@pytest.fixture(scope="module")
def lm() -> ModuleType:
    return module_of("lm", "agent")


def small(lm: ModuleType, kind: str, *, size: int = 32, **options: Any) -> Any:  # Any: of any type
    layers = 1 if kind == "lstm" else 2
    shape = lm.Shape(kind=kind, size=size, states=2 * size, heads=2, layers=layers, dropout=0.0)
    made = lm.LanguageOptions(model=shape, **options)
    agent = lm.LanguageAgent(learn_words([*toy(), TALK], options=made.text), made)
    agent.set_background([talk.context(0, context_id=talk.id) for talk in toy()[:4]])
    return agent


def spelled(agent: Any, ids: torch.Tensor) -> list[str]:
    return [agent.words.words[number] for number in ids.tolist()]


def test_every_turn_is_learned_and_the_persona_is_not(lm: ModuleType) -> None:
    agent = small(lm, "lstm")
    inputs, targets, spoken, own = agent.turns(agent.batchify(lm.whole(agent, [TALK])))
    read = f"persona i like tea . {PARTNER_TOKEN} hi ! {PARTNER_TOKEN} how are you ? {SELF_TOKEN} "
    read += f"fine . {PARTNER_TOKEN} what do you like ? __start__ tea"
    assert spelled(agent, inputs[0]) == read.split()
    said = "hi ! __end__ how are you ? __end__ fine . __end__ what do you like ? __end__ tea"
    assert spelled(agent, targets[0][spoken[0]]) == [*said.split(), "__end__"]
    mine = ["fine", ".", "__end__", "tea", "__end__"]
    assert spelled(agent, targets[0][spoken[0] & own[0]]) == mine


def test_a_turn_whose_head_was_cut_off_is_not_learned(lm: ModuleType) -> None:
    agent = small(lm, "lstm", text=replace(lm.LanguageOptions().text, text_truncate=8))
    _, targets, spoken, _ = agent.turns(agent.batchify(lm.whole(agent, [TALK])))
    said = "what do you like ? __end__ tea __end__"
    assert spelled(agent, targets[0][spoken[0]]) == said.split()


def test_a_reply_that_was_cut_has_no_end_to_learn(lm: ModuleType) -> None:
    agent = small(lm, "lstm", text=replace(lm.LanguageOptions().text, label_truncate=1))
    _, targets, spoken, _ = agent.turns(agent.batchify(lm.whole(agent, [TALK])))
    assert spelled(agent, targets[0][spoken[0]])[-2:] == ["__end__", "tea"]


@pytest.mark.parametrize("kind", ["lstm", "transformer"])
@torch.inference_mode()
def test_the_loss_of_a_talk_is_that_of_its_replies_one_by_one(lm: ModuleType, kind: str) -> None:
    agent = small(lm, kind)
    talks = [TALK, *toy()[:5]]
    whole = agent.compute_loss(agent.batchify(lm.whole(agent, talks))).metrics
    singly = TorchGeneratorAgent.compute_loss(agent, agent.batchify(examples(agent, talks)))
    assert whole.totals["loss"] == pytest.approx(singly.metrics.totals["loss"], abs=1e-3)
    assert len(lm.whole(agent, talks)) == len(talks)


def test_a_dialogue_without_examples_teaches_nothing(lm: ModuleType) -> None:
    agent = small(lm, "lstm")
    assert lm.whole(agent, [Dialogue(id="x", persona=("i talk .",), examples=())]) == []


@torch.inference_mode()
def test_the_first_guess_is_how_often_words_are_said(lm: ModuleType) -> None:
    agent = small(lm, "lstm")
    whole = lm.whole(agent, toy())
    batch = agent.batchify(whole)
    plain = float(agent.compute_loss(batch).mean)
    agent.start_from_frequency(whole)
    assert float(agent.compute_loss(batch).mean) < plain - 1
    shares = agent.model.bias.exp()
    assert float(shares.sum()) == pytest.approx(1, abs=1e-5)
    assert shares[END] > shares[agent.words.index["about"]] > shares[agent.words.index["honey"]]
    for mark in (SELF_TOKEN, PARTNER_TOKEN):
        assert shares[agent.words.index[mark]] == shares[START]


@pytest.mark.parametrize("kind", ["lstm", "transformer"])
def test_an_answer_hangs_neither_on_neighbours_nor_on_what_is_kept(
    lm: ModuleType, kind: str
) -> None:
    keeps, forgets = small(lm, kind), small(lm, kind, kept_states=0)
    prefix = split_words("a cup of it in the morning")
    for length in (0, 1, 2, 4, 3, 1):
        prefixes = [prefix[: max(0, length - row)] for row in range(4)]
        kept = keeps.next_word_probabilities(contexts(), prefixes, VOCABULARY)
        for row, (context, words) in enumerate(zip(contexts(), prefixes, strict=True)):
            alone = forgets.next_word_probabilities([context], [words], VOCABULARY)[0]
            np.testing.assert_allclose(kept[row], alone, atol=1e-5)
    asked = [["honey pays our rent", "tea"], ["one hoots behind our barn"]]
    both = keeps.score_candidates(contexts()[1:3], asked)
    for context, texts, scores in zip(contexts()[1:3], asked, both, strict=True):
        alone = forgets.score_candidates([context], [texts])[0]
        np.testing.assert_allclose(scores, alone, atol=1e-4)
    assert keeps.respond(contexts()) == [forgets.respond([one])[0] for one in contexts()]


def test_options_and_weights_come_back(lm: ModuleType, tmp_path: Path) -> None:
    agent = small(lm, "transformer", kept_states=7)
    agent.save(tmp_path / "c")
    back = lm.make_agent(tmp_path / "c")
    assert back.options == agent.options
    assert from_json(lm.LanguageOptions, to_json(agent.options)) == agent.options
    assert back.background == agent.background
    assert back.respond(contexts()) == agent.respond(contexts())


def test_a_missing_checkpoint_says_the_command(lm: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="rostrum train lm --data DIR --out"):
        lm.make_agent(tmp_path / "none")


@pytest.mark.parametrize(
    ("name", "value"),
    [("size", 30), ("size", 0), ("layers", 0), ("states", 0), ("heads", 0), ("dropout", 1.5)],
)
def test_a_shape_that_cannot_be_is_one_sentence(lm: ModuleType, name: str, value: float) -> None:
    with pytest.raises(UsageError, match=rf"model\.{name} is"):
        from_json(lm.LanguageOptions, {"model": {"kind": "transformer", name: value}})


def test_an_lstm_has_no_heads_to_fit(lm: ModuleType) -> None:
    assert lm.Shape(kind="lstm", size=250).size == 250


@pytest.mark.parametrize("kind", ["lstm", "transformer"])
def test_it_learns_whole_talks_by_heart(lm: ModuleType, kind: str) -> None:
    rate = 0.01 if kind == "lstm" else 0.004
    training = TrainingOptions(learning_rate=rate, schedule="linear", warmup_updates=10)
    agent = small(lm, kind, size=64, training=training, batch_size=10)
    whole = lm.whole(agent, toy())
    agent.start_from_frequency(whole)
    learn(agent, whole, plan=Plan(updates=250))
    assert evaluate(agent, toy(), "ppl", vocabulary=VOCABULARY).score.value < 1.5
    assert evaluate(agent, toy(), "f1").score.value > 0.95
    assert evaluate(agent, toy(), "hits").score.value > 0.9
