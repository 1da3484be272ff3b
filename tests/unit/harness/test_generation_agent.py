"""A generator learns its toy, answers all three verbs, and keeps states that change no answer."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from generation_toys import TinyCopier, TinyLSTM, TinyTransformer
from torch_toys import LAST_TURN, toy, toy_words

from harness import Context, Turn, Vocabulary, evaluate
from harness.errors import UsageError
from harness.text import SPECIALS, split_words
from harness.torch.generation.options import SearchOptions
from harness.torch.generator import (
    BACKGROUND,
    GeneratorOptions,
    ScoringOptions,
    TorchGeneratorAgent,
)
from harness.torch.learning import Plan, examples, learn
from harness.torch.options import TrainingOptions
from harness.torch.words import UNKNOWN

OPTIONS = GeneratorOptions(
    text=LAST_TURN, training=TrainingOptions(learning_rate=0.03), batch_size=8
)
ALL = pytest.mark.parametrize("kind", ["LSTM", "Transformer", "Copier"])


class LSTMAgent(TorchGeneratorAgent):
    def build_model(self) -> TinyLSTM:
        return TinyLSTM(len(self.words), size=32)


class TransformerAgent(TorchGeneratorAgent):
    def build_model(self) -> TinyTransformer:
        return TinyTransformer(len(self.words), size=32)


class CopierAgent(TorchGeneratorAgent):
    def build_model(self) -> TinyCopier:
        return TinyCopier(len(self.words), size=32)


KINDS: dict[str, type[TorchGeneratorAgent]] = {
    "LSTM": LSTMAgent,
    "Transformer": TransformerAgent,
    "Copier": CopierAgent,
}


def fresh(kind: str = "LSTM", options: GeneratorOptions = OPTIONS) -> TorchGeneratorAgent:
    return KINDS[kind](toy_words(), options)


@cache
def learned(kind: str) -> TorchGeneratorAgent:
    """An agent that knows its toy; tests do not change it."""
    agent = fresh(kind)
    learn(agent, examples(agent, toy()), plan=Plan(updates=150))
    return agent


def asking(kind: str, options: GeneratorOptions) -> TorchGeneratorAgent:
    """The same weights with other options."""
    agent = fresh(kind, options)
    agent.model.load_state_dict(learned(kind).model.state_dict())
    return agent


def contexts() -> list[Context]:
    return [talk.context(0, context_id=talk.id) for talk in toy()]


@ALL
def test_a_generator_learns_its_toy_for_all_three_tracks(kind: str) -> None:
    agent = learned(kind)
    assert evaluate(agent, toy(), "f1").score.value >= 0.95
    assert evaluate(agent, toy(), "hits").score.value >= 0.95
    vocabulary = Vocabulary.build(toy())
    assert evaluate(agent, toy(), "ppl", vocabulary=vocabulary).score.value < 2


@ALL
@pytest.mark.parametrize("size", [0, 3, 512])
def test_kept_states_change_no_distribution(kind: str, size: int) -> None:
    agent = asking(kind, replace(OPTIONS, kept_states=size))
    none = asking(kind, replace(OPTIONS, kept_states=0))
    vocabulary = Vocabulary.build(toy())
    replies = [split_words(talk.examples[0].replies[0]) for talk in toy()]
    asked = contexts()
    # together; ragged; again; back to a shorter prefix; another beginning
    lengths = [[0] * 10, [1] * 10, [n % 4 for n in range(10)], [4] * 10, [2] * 10, [5] * 10]
    for places in ([*range(10)], [3, 1, 7], [9, 8, 0, 2]):
        for row in lengths:
            prefixes = [replies[place][: row[place]] for place in places]
            here = [asked[place] for place in places]
            found = agent.next_word_probabilities(here, prefixes, vocabulary)
            wanted = none.next_word_probabilities(here, prefixes, vocabulary)
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-7)
            np.testing.assert_allclose(found.sum(1), 1, rtol=1e-5)
    assert len(none._kept) == 0
    assert agent._kept.rows <= size


def test_a_prefix_is_read_on_from_where_it_was() -> None:
    agent = asking("Transformer", OPTIONS)
    read: list[int] = []
    decode = agent.model.decode
    agent.model.decode = lambda t, e, c: (read.append(t.shape[1]), decode(t, e, c))[1]  # type: ignore[method-assign]
    vocabulary = Vocabulary.build(toy())
    words = split_words(toy()[0].examples[0].replies[0])
    for length in range(5):
        agent.next_word_probabilities(contexts()[:1], [words[:length]], vocabulary)
    assert read == [1] * 5
    agent.next_word_probabilities(contexts()[:1], [[*words[:2], "rain"]], vocabulary)
    assert read[-1] == 4  # another beginning is read anew


def test_an_id_that_returns_with_another_talk_is_another_context() -> None:
    agent = asking("LSTM", OPTIONS)
    vocabulary = Vocabulary.build(toy())
    one, other = (
        Context("x", turns=(Turn("partner", f"what about {w} ?"),)) for w in ("tea", "jazz")
    )
    agent.next_word_probabilities([one], [[]], vocabulary)
    found = agent.next_word_probabilities([other], [["old"]], vocabulary)
    wanted = asking("LSTM", OPTIONS).next_word_probabilities([other], [["old"]], vocabulary)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_training_forgets_what_was_kept() -> None:
    agent = asking("LSTM", OPTIONS)
    vocabulary = Vocabulary.build(toy())
    agent.next_word_probabilities(contexts(), [[]] * 10, vocabulary)
    learn(agent, examples(agent, toy()), plan=Plan(updates=1))
    assert len(agent._kept) == 0


@pytest.mark.parametrize("kind", ["LSTM", "Copier"])
def test_official_words_get_what_the_model_gives_them(kind: str) -> None:
    agent = learned(kind)
    counts = dict.fromkeys(agent.words.words[len(SPECIALS) :: 2], 9) | {"zyx": 1, "wvu": 1}
    vocabulary = Vocabulary.from_counts(counts)
    (row,) = agent.next_word_probabilities(contexts()[:1], [["a"]], vocabulary)
    with torch.no_grad():
        batch = agent.batchify(agent.observe(contexts()[:1]))
        inputs = torch.tensor([[1, agent.words.index["a"]]])
        encoded = agent.model.encode(batch)
        hidden, _ = agent.model.decode(inputs, encoded, None)
        own = agent.model.next_words(hidden[:, -1], encoded)[0].exp()
    wanted = np.zeros(len(vocabulary))
    for place, word in enumerate(vocabulary.words[len(SPECIALS) :], len(SPECIALS)):
        known = agent.words.index.get(word)
        wanted[place] = max(1e-9, float(own[UNKNOWN]) / 2 if known is None else float(own[known]))
    np.testing.assert_allclose(row, wanted / wanted.sum(), rtol=1e-4)
    assert row[: len(SPECIALS)].tolist() == [0, 0, 0, 0]
    assert (row[len(SPECIALS) :] > 0).all()


@ALL
@pytest.mark.parametrize("inference", ["greedy", "beam", "nucleus"])
def test_answers_are_the_same_alone_and_together(kind: str, inference: str) -> None:
    search = SearchOptions(inference=inference, temperature=2.0, n_best=2)  # type: ignore[arg-type]
    agent = asking(kind, replace(OPTIONS, search=search))
    together = agent.respond(contexts())
    assert [agent.respond([context])[0] for context in contexts()] == together
    rows = [list(talk.examples[0].candidates) for talk in toy()]
    scores = agent.score_candidates(contexts(), rows)
    for context, row, wanted in zip(contexts(), rows, scores, strict=True):
        np.testing.assert_allclose(agent.score_candidates([context], [row])[0], wanted, rtol=1e-4)


def test_another_seed_draws_other_replies() -> None:
    def replies(seed: int) -> list[str]:
        search = SearchOptions(inference="sample", temperature=3.0, seed=seed)
        return asking("LSTM", replace(OPTIONS, search=search)).respond(contexts())

    assert replies(1) == replies(1)
    assert replies(1) != replies(2)


def test_marks_and_unknown_words_are_never_said() -> None:
    search = SearchOptions(inference="sample", temperature=50.0)
    agent = fresh("LSTM", replace(OPTIONS, search=search))
    said = {word for reply in agent.respond(contexts() * 1) for word in reply.split()}
    assert said
    assert not any(word.startswith("__") for word in said)


def test_a_beam_gives_alternatives_and_is_drawn() -> None:
    search = SearchOptions(inference="beam", beam_size=4, n_best=3)
    agent = asking("LSTM", replace(OPTIONS, search=search))
    (answer,) = agent.answer(agent.observe(contexts()[:1]))
    assert len(set(answer.text_candidates)) == 3
    assert answer.text == answer.text_candidates[0]
    beam = agent.beam(contexts()[0])
    assert agent.text(beam.hypotheses[0]) == answer.text
    assert answer.text.split()[0] in beam.graph(agent.words.words).svg
    with pytest.raises(UsageError, match="only a beam can be drawn"):
        learned("LSTM").beam(contexts()[0])


# Ranking.


def scored(
    by: str, *, with_end: bool = False, background: bool = True, part: float = 1.0
) -> list[list[float]]:
    scoring = ScoringOptions(by=by, with_end=with_end, background=part)  # type: ignore[arg-type]
    agent = asking("LSTM", replace(OPTIONS, scoring=scoring))
    agent.set_background(contexts()[5:] if background else ())
    return agent.score_candidates(contexts()[:2], [["a cup of it", "chess"], ["it makes"]])


def test_the_mean_is_the_sum_over_the_words() -> None:
    mean, total = scored("mean"), scored("sum")
    np.testing.assert_allclose(mean[0], [total[0][0] / 4, total[0][1]], rtol=1e-5)
    ended = scored("sum", with_end=True)
    assert ended[0][0] < total[0][0]
    np.testing.assert_allclose(scored("mean", with_end=True)[1][0], ended[1][0] / 3, rtol=1e-5)


def test_pmi_is_the_gain_over_the_background() -> None:
    total, pmi = scored("sum"), scored("pmi")
    agent = asking("LSTM", replace(OPTIONS, scoring=ScoringOptions(by="sum")))
    usual = agent.score_candidates(contexts()[5:], [["a cup of it", "chess", "it makes"]] * 5)
    means = np.mean(usual, axis=0)
    np.testing.assert_allclose(pmi[0], np.array(total[0]) - means[:2], rtol=1e-4)
    np.testing.assert_allclose(pmi[1], np.array(total[1]) - means[2:], rtol=1e-4)


def test_a_part_of_the_background_lies_between_the_sum_and_pmi() -> None:
    total, half, pmi = scored("sum"), scored("pmi", part=0.5), scored("pmi")
    between = [(a + b) / 2 for a, b in zip(total[0], pmi[0], strict=True)]
    np.testing.assert_allclose(half[0], between, rtol=1e-5)
    np.testing.assert_allclose(scored("pmi", part=0.0)[0], total[0], rtol=1e-5)
    with pytest.raises(UsageError, match=r"scoring\.background is -1"):
        ScoringOptions(background=-1)


def test_pmi_without_a_background_is_refused() -> None:
    with pytest.raises(UsageError, match="set_background"):
        scored("pmi", background=False)


def test_an_agent_without_candidates_to_rank_gives_empty_rows() -> None:
    assert learned("LSTM").score_candidates(contexts()[:2], [[], []]) == [[], []]


def test_a_checkpoint_holds_the_background(tmp_path: Path) -> None:
    agent = asking("LSTM", replace(OPTIONS, scoring=ScoringOptions(by="pmi")))
    agent.set_background(contexts()[5:])
    agent.save(tmp_path / "kept")
    again = LSTMAgent.load(tmp_path / "kept")
    assert again.background == agent.background
    assert again.options == agent.options
    rows = [["chess", "rain"]]
    assert again.score_candidates(contexts()[:1], rows) == agent.score_candidates(
        contexts()[:1], rows
    )
    (tmp_path / "kept" / BACKGROUND).write_text("{")
    with pytest.raises(UsageError, match=r"background\.json is damaged: it is not JSON"):
        LSTMAgent.load(tmp_path / "kept")
    (tmp_path / "kept" / BACKGROUND).write_text('{"contexts": [{"id": 3}]}')
    with pytest.raises(UsageError, match=r"background\.json"):
        LSTMAgent.load(tmp_path / "kept")


def test_a_loss_needs_labels() -> None:
    agent = fresh()
    with pytest.raises(UsageError, match="a loss needs labels"):
        agent.compute_loss(agent.batchify(agent.observe(contexts())))
