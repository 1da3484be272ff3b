"""The two networks: what they compute, what learns, and that neighbours change nothing."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  as everybody writes it
from kvworld import KINDS, PET, contexts, fresh, talks
from toyset import module_of

from harness.torch.learning import examples

CANDIDATES = ["he barks .", "cows need sleep .", "zyzzyva", "", "what do you do ?"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_gets_a_gradient(kind: str) -> None:
    agent = fresh(kind)
    agent.model.train()
    batch = agent.batchify(examples(agent, talks()[:9]))

    agent.compute_loss(batch).mean.backward()

    for name, weight in agent.model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name
        assert weight.grad.abs().sum() > 0, name


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_nothing(kind: str) -> None:
    agent = fresh(kind)
    batch = agent.batchify([agent.vectorize(context) for context in contexts()])
    assert batch.memory_vecs is not None
    wider = replace(
        batch,
        text_vec=F.pad(batch.text_vec, (0, 5)),
        memory_vecs=F.pad(batch.memory_vecs, (0, 3, 0, 4)),
        heard=F.pad(batch.heard, (0, 7)),
    )
    with torch.inference_mode():
        texts = agent.model.encode_candidates(batch.heard)
        padded = agent.model.encode_candidates(wider.heard)
        scores = [agent.model.score_candidates(one, one.heard, texts) for one in (batch, wider)]

    torch.testing.assert_close(texts, padded, atol=1e-6, rtol=0)
    torch.testing.assert_close(scores[0], scores[1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pairs", [True, False])
def test_neighbours_change_nothing(kind: str, pairs: bool) -> None:
    agent = fresh(kind, pairs=pairs)
    lists = [CANDIDATES[: 5 - row] for row in range(len(contexts()))]

    together = agent.score_candidates(contexts(), lists)
    replies = agent.respond(contexts()) if pairs else []

    for row, context in enumerate(contexts()):
        alone = fresh(kind, pairs=pairs)
        assert alone.score_candidates([context], [lists[row]])[0] == pytest.approx(
            together[row], abs=1e-5
        )
        if pairs:
            assert alone.respond([context]) == [replies[row]]


def test_historical_is_the_network_of_the_paper() -> None:
    """Row by row, without padding: means, a softmax of cosines over persona and query, a cosine."""
    agent = fresh("historical", pairs=False)
    table: torch.Tensor = agent.model.table.weight.detach()

    def bag(ids: tuple[int, ...]) -> torch.Tensor:
        return table[list(ids)].mean(0)

    batch = agent.batchify([agent.vectorize(context) for context in contexts()])
    with torch.inference_mode():
        read = agent.model.read(batch)

    for row, observation in zip(read, batch.observations, strict=True):
        query = bag(observation.text)
        memories = torch.stack([*map(bag, observation.memories), query])
        weights = F.cosine_similarity(memories, query[None], dim=-1).softmax(0)
        torch.testing.assert_close(row, F.normalize(weights @ memories, dim=-1), atol=1e-5, rtol=0)


def test_historical_adds_a_tenth_of_what_was_replied_to_the_like() -> None:
    """cos(o, c) + share * cos(o2, c), o2 of all words of the nearest with the persona."""
    agent, bare = fresh("historical"), fresh("historical", pairs=False)
    context = contexts()[0]
    near = [reply for said, reply in agent.model.pairs.texts if said == PET]
    words = [id_ for reply in near for id_ in agent.vectoriser.reply(reply)]
    assert len(near) == agent.options.model.read
    with torch.inference_mode():
        batch = agent.batchify([agent.vectorize(context)])
        second = agent.model.look(agent.model.bags(torch.tensor([words])), batch.memory_vecs)
        vectors = [agent.vectoriser.reply(text) for text in CANDIDATES[:3]]
        cosines = [
            float(second[0] @ agent.model.encode_candidates(torch.tensor([vector]))[0])
            for vector in vectors
        ]

    plain = bare.score_candidates([context], [CANDIDATES[:3]])[0]
    scores = agent.score_candidates([context], [CANDIDATES[:3]])[0]

    expected = [one + 0.5 * two for one, two in zip(plain, cosines, strict=True)]
    assert scores == pytest.approx(expected, abs=1e-5)


def test_no_word_grows_beyond_the_norm() -> None:
    model = fresh("historical", size=300).model
    assert model.table.weight.norm(dim=-1).max() <= 10.0001
    with torch.no_grad():
        model.table.weight.mul_(3.0)
    model.hold_norms()
    norms = model.table.weight.norm(dim=-1)
    assert norms.max() <= 10.0001
    assert norms[0] == 0  # padding


def test_modern_without_memories_is_its_query() -> None:
    agent = fresh("modern", pairs=False)
    (alone,) = agent.observe([contexts()[3]])
    with torch.inference_mode():
        batch = agent.batchify([alone])
        bag = agent.model.bags(batch.text_vec)
        torch.testing.assert_close(
            agent.model.read(batch), F.normalize(agent.model.query(bag), dim=-1)
        )
    assert batch.memory_vecs is None


def test_what_is_kept_is_dropped_when_the_weights_move() -> None:
    agent = fresh("modern")
    before = agent.score_candidates([contexts()[0]], [CANDIDATES])[0]
    agent.train_step(agent.batchify(examples(agent, talks()[:9])))
    after = agent.score_candidates([contexts()[0]], [CANDIDATES])[0]

    again = fresh("modern")
    again.model.load_state_dict(agent.model.state_dict())
    assert after != pytest.approx(before, abs=1e-4)
    assert again.score_candidates([contexts()[0]], [CANDIDATES])[0] == pytest.approx(
        after, abs=1e-6
    )


def test_a_text_without_words_is_zero_and_no_number_breaks() -> None:
    means = module_of("kvmemnn", "model").means
    table = torch.randn(7, 4, requires_grad=True)
    found = means(table, torch.tensor([[[0, 0], [2, 0]], [[2, 3], [0, 0]]]))
    torch.testing.assert_close(found[0, 1], table[2])
    torch.testing.assert_close(found[1, 0], (table[2] + table[3]) / 2)
    assert (found[0, 0] == 0).all()
