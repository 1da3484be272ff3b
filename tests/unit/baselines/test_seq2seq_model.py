"""Both models read the same at once, word by word, alone and in company, and a copy is a copy."""

from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
import torch
from toyset import contexts, module_of, toy

from harness.dialogue import Context, Turn
from harness.torch.generation.decoder import join, select
from harness.torch.options import TextOptions
from harness.torch.vectors import learn_words
from harness.torch.words import END, START

KINDS = ("modern", "deep", "plain", "historical")
CLOSE = {"rtol": 0, "atol": 1e-5}


def options_of(module: ModuleType, kind: str) -> Any:  # Any: of a submission folder
    """Small models: of two layers (`deep`), without copies (`plain`), as in 2018."""
    small = module.Shape(embedding=12, size=16, dropout=0.0)
    shape = {
        "modern": small,
        "deep": replace(small, layers=2),
        "plain": replace(small, copy=False),
        "historical": replace(small, kind="historical", layers=2),
    }[kind]
    made = module.Seq2SeqOptions(model=shape)
    return replace(made, text=TextOptions(text_truncate=None)) if kind == "historical" else made


def made(kind: str) -> Any:  # Any: as above
    """An untrained agent whose weights are large enough to show what depends on what."""
    module = module_of("seq2seq", "agent")
    options = options_of(module, kind)
    agent = module.Seq2SeqAgent(learn_words(toy(), options=options.text), options)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        for weight in agent.model.parameters():
            torch.nn.init.normal_(weight, std=weight.shape[-1] ** -0.5)
    return agent


@pytest.fixture(params=KINDS)
def agent(request: pytest.FixtureRequest) -> Any:
    return made(request.param)


REPLIES = ["paper beats any phone", "zyzzyva", "i talk a lot .", "a cup of it in the morning"]


def observed(agent: Any) -> list[Any]:
    """Contexts of unlike lengths, some with memories, some without, with unlike replies."""
    pairs = zip(contexts(), REPLIES, strict=True)
    return [agent.vectorize(context, labels=[reply]) for context, reply in pairs]


def likely(agent: Any, batch: Any) -> Any:
    """ln p of each row's label, word by word, zero where padded."""
    hidden, _ = agent.model.decode(inputs(batch.label_vec), agent.model.encode(batch), None)
    places = torch.arange(batch.label_vec.shape[1])
    real = places[None] < batch.label_lengths[:, None]
    given = agent.model.given_words(hidden, agent.model.encode(batch), batch.label_vec, real)
    return torch.zeros(real.shape).masked_scatter(real, given)


def inputs(labels: Any) -> Any:
    return torch.cat([torch.full_like(labels[:, :1], START), labels[:, :-1]], dim=1)


def test_a_loss_moves_every_weight(agent: Any) -> None:
    agent.model.train()
    agent.compute_loss(agent.batchify(observed(agent))).mean.backward()
    for name, weight in agent.model.named_parameters():
        assert weight.grad is not None, name
        assert torch.isfinite(weight.grad).all(), name
        assert weight.grad.abs().sum() > 0, name


@torch.inference_mode()
def test_many_words_at_once_are_read_as_one_by_one(agent: Any) -> None:
    batch = agent.batchify(observed(agent))
    tokens = torch.tensor([[START, 9, 10, 11, 12]] * len(batch))
    encoded = agent.model.encode(batch)
    at_once, _ = agent.model.decode(tokens, encoded, None)
    cache, singly = None, []
    for token in tokens.split(1, dim=1):
        hidden, cache = agent.model.decode(token, encoded, cache)
        singly.append(hidden)
    torch.testing.assert_close(torch.cat(singly, dim=1), at_once, **CLOSE)


@torch.inference_mode()
def test_neighbours_and_padding_change_nothing(agent: Any) -> None:
    together = observed(agent)
    batch = agent.batchify(together)
    assert len(set(batch.text_lengths.tolist())) > 2  # so there is padding
    found = likely(agent, batch)
    for row, place in enumerate(batch.valid_indices):
        alone = likely(agent, agent.batchify([together[place]]))[0]
        torch.testing.assert_close(found[row, : len(alone)], alone, **CLOSE)


@torch.inference_mode()
def test_states_that_are_joined_go_on_as_before(agent: Any) -> None:
    """Contexts that were encoded apart decode together, in any order."""
    apart = [agent.model.encode(agent.batchify([one])) for one in observed(agent)]
    order = torch.tensor([2, 0, 3, 1])
    both = select(join(apart), order)
    tokens = torch.tensor([[START, 9, 10]])
    hidden, _ = agent.model.decode(tokens.expand(4, -1), both, None)
    words = agent.model.next_words(hidden[:, -1], both)
    for row, place in enumerate(order.tolist()):
        alone, _ = agent.model.decode(tokens, apart[place], None)
        expected = agent.model.next_words(alone[:, -1], apart[place])
        torch.testing.assert_close(words[row], expected[0], **CLOSE)


@torch.inference_mode()
def test_what_follows_is_a_distribution_and_what_is_given_is_read_from_it(agent: Any) -> None:
    batch = agent.batchify(observed(agent))
    encoded = agent.model.encode(batch)
    hidden, _ = agent.model.decode(inputs(batch.label_vec), encoded, None)
    found = likely(agent, batch)
    for place in range(batch.label_vec.shape[1]):
        words = agent.model.next_words(hidden[:, place], encoded)
        torch.testing.assert_close(words.exp().sum(1), torch.ones(len(batch)), **CLOSE)
        expected = words.gather(1, batch.label_vec[:, place : place + 1])[:, 0]
        real = place < batch.label_lengths
        torch.testing.assert_close(found[real, place], expected[real], **CLOSE)


@torch.inference_mode()
def test_with_the_gate_open_only_words_that_were_heard_are_said() -> None:
    agent = made("modern")
    agent.model.gate.bias.fill_(60.0)
    agent.model.gate.weight.zero_()
    said = Turn("partner", "what about tea and maps ?")
    batch = agent.batchify([agent.vectorize(Context("x", ("cats sing .",), turns=(said,)))])
    encoded = agent.model.encode(batch)
    hidden, _ = agent.model.decode(torch.tensor([[START]]), encoded, None)
    words = agent.model.next_words(hidden[:, -1], encoded)[0]
    heard = set(batch.text_vec.flatten().tolist() + batch.memory_vecs.flatten().tolist()) - {0}
    assert set((words > -30).nonzero()[:, 0].tolist()) == heard
    assert words[END] < -30


@torch.inference_mode()
def test_each_direction_reads_its_own_row_whatever_stands_behind_it() -> None:
    flipped = module_of("seq2seq", "model").flipped
    rows = torch.arange(10.0).view(2, 5, 1)
    found = flipped(rows, torch.tensor([5, 3]))[:, :, 0]
    assert found.tolist() == [[4, 3, 2, 1, 0], [7, 6, 5, 8, 9]]
