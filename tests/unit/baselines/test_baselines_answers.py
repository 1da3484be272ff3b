"""What an agent answers depends on the context alone: not on neighbours, not on earlier calls."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toyset import SIGHTS, contexts, module_of, toy

from harness.text import SPECIALS, Vocabulary, split_words

Trained = Callable[[str], Path]
CANDIDATES = [reply for _, reply in SIGHTS[:7]] + ["i own a zyzzyva", "", "?!"]


def seq2seq(trained: Trained, **options: Any) -> Any:  # Any: a class of a submission folder
    return module_of("seq2seq", "agent").Seq2SeqAgent(trained("seq2seq"), **options)


@pytest.mark.parametrize(
    ("name", "agent"),
    [("ranker", "RankerAgent"), ("kvmemnn", "MemoryAgent"), ("seq2seq", "Seq2SeqAgent")],
)
def test_neighbours_in_a_batch_change_nothing(name: str, agent: str, trained: Trained) -> None:
    make = getattr(module_of(name, "agent"), agent)
    lists = [CANDIDATES[: 10 - i] for i in range(4)]

    together = make(trained(name)).score_candidates(contexts(), lists)
    replies = make(trained(name)).respond(contexts())

    for context, candidates, scores, reply in zip(
        contexts(), lists, together, replies, strict=True
    ):
        alone = make(trained(name))
        np.testing.assert_allclose(
            alone.score_candidates([context], [candidates])[0], scores, rtol=1e-5, atol=1e-5
        )
        assert alone.respond([context]) == [reply]


def test_an_empty_context_is_answered(trained: Trained) -> None:
    from harness import Context

    for name, agent in (("ranker", "RankerAgent"), ("kvmemnn", "MemoryAgent")):
        learned = getattr(module_of(name, "agent"), agent)(trained(name))
        assert np.isfinite(learned.score_candidates([Context("x")], [CANDIDATES])).all()
    assert np.isfinite(seq2seq(trained).score_candidates([Context("x")], [CANDIDATES])).all()
    assert seq2seq(trained).respond([Context("x")])[0]


def test_seq2seq_rows_are_distributions_without_the_specials(trained: Trained) -> None:
    vocabulary = Vocabulary.build(toy())

    rows = seq2seq(trained).next_word_probabilities(contexts(), [[]] * 4, vocabulary)

    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows.sum(1), 1, rtol=1e-5)
    assert (rows[:, : len(SPECIALS)] == 0).all()
    assert (rows[:, len(SPECIALS) :] > 0).all()


def test_seq2seq_gives_words_it_never_saw_a_little_and_copies_them(trained: Trained) -> None:
    vocabulary = Vocabulary.from_counts({"zyzzyva": 1, "quokka": 1, "tea": 1, "hats": 1})

    rows = seq2seq(trained).next_word_probabilities(contexts(), [["only"]] * 4, vocabulary)

    assert (rows[:, vocabulary.index["quokka"]] > 0).all()
    copied, unseen = (rows[:, vocabulary.index[word]] for word in ("zyzzyva", "quokka"))
    assert copied[2] > unseen[2]  # context c is that word
    assert copied[0] == unseen[0]  # a holds neither


def test_seq2seq_copies_the_word_it_looks_at(trained: Trained) -> None:
    module = module_of("seq2seq", "model")
    agent = seq2seq(trained)
    sources = [agent.model.source(context) for context in contexts()]
    memory = agent.model.encode(sources)
    lexicon = module.Lexicon(agent.model.words, [word for s in sources for word in s.words])
    batch, width, _ = memory.values.shape
    for place in range(width):
        look = torch.zeros(batch, 1, width)
        look[:, :, place] = 1
        step = module.Step(
            output=torch.zeros(batch, 1, agent.model.config.embedding),
            look=look,
            gate=torch.full((batch, 1), 30.0),
            state=module.State(memory.start, memory.start),
        )
        shares = agent.model.distribution(memory, step, lexicon)
        for row, source in enumerate(sources):
            if place < len(source.words):
                assert lexicon.words[int(shares[row].argmax())] == source.words[place]
            else:
                assert shares[row].sum() < 1e-6  # padding has no word


def test_seq2seq_caches_what_it_would_compute(trained: Trained) -> None:
    vocabulary = Vocabulary.build(toy())
    replies = [split_words(reply) for reply in (*CANDIDATES[:3], "never heard of a zyzzyva")]
    cached, uncached = seq2seq(trained), seq2seq(trained, cache=0)
    small = seq2seq(trained, cache=2)
    for length in (0, 1, 2, 3, 3, 1, 4):  # forth, again, back
        prefixes = [reply[:length] for reply in replies]
        rows = [
            agent.next_word_probabilities(contexts(), prefixes, vocabulary)
            for agent in (uncached, cached, small)
        ]
        np.testing.assert_allclose(rows[1], rows[0], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(rows[2], rows[0], rtol=1e-4, atol=1e-6)
    assert len(uncached.decodings.values) == 0
    assert len(small.decodings.values) == 2
    assert cached.decodings.get("a").read


def test_seq2seq_believes_the_context_and_not_its_id(trained: Trained) -> None:
    from dataclasses import replace

    vocabulary = Vocabulary.build(toy())
    agent = seq2seq(trained)
    first, other = contexts()[0], replace(contexts()[3], id="a")

    agent.next_word_probabilities([first], [[]], vocabulary)
    rows = agent.next_word_probabilities([other], [["a"]], vocabulary)

    fresh = seq2seq(trained).next_word_probabilities([other], [["a"]], vocabulary)
    np.testing.assert_allclose(rows, fresh, rtol=1e-5, atol=1e-7)


def test_seq2seq_scores_a_reply_by_the_same_words_either_way(trained: Trained) -> None:
    """The likelihood behind hits and the rows behind ppl are one model."""
    agent = seq2seq(trained)
    context = contexts()[0]
    words = split_words(SIGHTS[0][1])
    vocabulary = Vocabulary.build(toy())

    memory = agent.model.encode([agent.model.source(context)])
    known = agent.model.log_likelihood(memory, [words])[0, : len(words)].exp().numpy()
    rows = agent.next_word_probabilities(
        [context] * len(words), [words[:i] for i in range(len(words))], vocabulary
    )

    given = [rows[i, vocabulary.index[word]] for i, word in enumerate(words)]
    np.testing.assert_allclose(given, known, atol=0.02)
