"""Every part of the ranker learns, and no row of it hangs on its neighbours or on padding."""

from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest
import torch
from toyset import contexts, flat, module_of, toy

from harness.torch.batch import Batch
from harness.torch.learning import examples
from harness.torch.vectors import learn_words

KINDS = {
    "tfidf": {"encoder": "tfidf"},
    "bow": {"encoder": "bow"},
    "lstm": {"encoder": "lstm"},
    "transformer": {"encoder": "transformer"},
    "poly": {"encoder": "bow", "poly": 3},
    "rerank": {"encoder": "bow", "rerank": 2},
    "all": {"encoder": "transformer", "poly": 3, "rerank": 2},
}
TRAINED = [kind for kind in KINDS if kind != "tfidf"]

Agent = Any
"""A ranker; its class is loaded with the baseline's folder."""


def ranker(kind: str) -> Agent:
    """A small ranker whose weights have all left their first values."""
    with flat("ranker"):  # the same Options in both
        agents, recipes = import_module("agent"), import_module("recipes")
    options = recipes.RECIPES["tfidf" if kind == "tfidf" else "bow"].options
    shape = replace(options.model, size=16, heads=2, dropout=0.0, inner_dropout=0.0, **KINDS[kind])
    agent = agents.RankerAgent(
        learn_words(toy(), options=options.text), replace(options, model=shape)
    )
    if kind == "tfidf":
        agent.count(toy())
    chance = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in agent.model.parameters():
            weight.add_(torch.randn(weight.shape, generator=chance) * 0.1)
    agent.forget()
    return agent


def candidates() -> list[list[str]]:
    """Lists of unlike lengths, with texts of unlike lengths, one of them twice."""
    said = [example.replies[0] for talk in toy()[:6] for example in talk.examples]
    return [said, said[:3], [said[0] * 9, "zyzzyva", said[0], said[0]], said[::-1]]


@pytest.mark.parametrize("kind", TRAINED)
def test_every_weight_is_moved_by_the_loss(kind: str) -> None:
    agent = ranker(kind)
    agent.model.train()
    batch = agent.batchify(examples(agent, toy()[:20]))

    agent.compute_loss(batch).mean.backward()

    for name, weight in agent.model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
        assert weight.grad.abs().sum() > 0, name


@pytest.mark.parametrize("kind", KINDS)
def test_scores_do_not_hang_on_the_batch(kind: str) -> None:
    agent = ranker(kind)
    together = agent.score_candidates(contexts(), candidates())

    for context, row, scores in zip(contexts(), candidates(), together, strict=True):
        alone = ranker(kind).score_candidates([context], [row])[0]
        assert scores == pytest.approx(alone, abs=1e-5)
    assert kind == "tfidf" or len(set(together[0])) > 3


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_nothing(kind: str) -> None:
    agent = ranker(kind)
    batch = agent.batchify(agent.observe(contexts()))
    vectors = agent.batchify(examples(agent, toy()[:3])).label_vec

    with torch.inference_mode():
        plain = scored(agent, batch, vectors)
        wide = scored(agent, padded(batch), torch.nn.functional.pad(vectors, (0, 7)))

    assert torch.allclose(plain, wide, atol=1e-5)


def scored(agent: Agent, batch: Batch, vectors: torch.Tensor) -> torch.Tensor:
    encodings = agent.model.encode_candidates(vectors)
    scores: torch.Tensor = agent.model.score_candidates(batch, vectors, encodings)
    return scores


def padded(batch: Batch) -> Batch:
    assert batch.memory_vecs is not None
    return replace(
        batch,
        text_vec=torch.nn.functional.pad(batch.text_vec, (0, 5)),
        memory_vecs=torch.nn.functional.pad(batch.memory_vecs, (0, 4, 0, 3)),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_list_for_all_is_scored_as_lists_of_each(kind: str) -> None:
    agent = ranker(kind)
    batch = agent.batchify(agent.observe(contexts()))
    vectors = agent.batchify(examples(agent, toy()[:8])).label_vec

    with torch.inference_mode():
        shared = scored(agent, batch, vectors)
        encodings = agent.model.encode_candidates(vectors)
        each = vectors.expand(len(batch), *vectors.shape)
        own = encodings if encodings is None else encodings.expand(len(batch), *encodings.shape)
        apart = agent.model.score_candidates(batch, each, own)

    assert torch.allclose(shared, apart, atol=1e-5)


def test_a_second_look_leaves_the_others_behind_the_best() -> None:
    agent = ranker("rerank")
    once = ranker("rerank")
    once.model.second = None
    row = candidates()[0]

    (first,) = once.score_candidates(contexts()[:1], [row])
    (second,) = agent.score_candidates(contexts()[:1], [row])

    best = sorted(range(len(row)), key=first.__getitem__, reverse=True)
    assert min(second[place] for place in best[:2]) >= max(second[place] for place in best[2:])
    assert [second[place] for place in best[2:]] == sorted(
        (second[place] for place in best[2:]), reverse=True
    )


def test_the_backward_lstm_reads_each_text_from_its_own_end() -> None:
    turned = module_of("ranker", "encoders")._turned
    real = torch.tensor([[True, True, True, False], [True, False, False, False]])
    assert turned(real).tolist() == [[2, 1, 0, 3], [0, 1, 2, 3]]


def test_tfidf_finds_the_rare_word_that_both_say() -> None:
    agent = ranker("tfidf")
    asked = contexts()[0]
    scores = agent.score_candidates(
        [asked], [["a cup of tea", "a cup of it", "person 1", "zyzzyva"]]
    )[0]
    assert scores[0] == max(scores)
    assert scores[3] == 0
    assert 0 <= min(scores) <= max(scores) <= 2 + 1e-5
