"""Both kinds of language model read the same at once, word by word, alone and in company."""

from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
import torch
from toyset import contexts, module_of, toy

from harness.torch.generation.decoder import join, select
from harness.torch.vectors import learn_words
from harness.torch.words import END, START, UNKNOWN

KINDS = ("lstm", "transformer", "deep", "untied")
CLOSE = {"rtol": 0, "atol": 1e-5}


def shape_of(module: ModuleType, kind: str) -> Any:
    """Small models of each kind; `deep` is an LSTM of two layers, `untied` one of two tables."""
    small = module.Shape(kind="lstm", size=16, states=24, heads=2, layers=1, dropout=0.0)
    return {
        "lstm": small,
        "transformer": replace(small, kind="transformer", layers=2),
        "deep": replace(small, layers=2),
        "untied": replace(small, tied=False, states=16),
    }[kind]


@pytest.fixture(params=KINDS)
def agent(request: pytest.FixtureRequest) -> Any:
    """An untrained agent whose weights are large enough to show what depends on what."""
    module = module_of("lm", "agent")
    options = module.LanguageOptions(model=shape_of(module, request.param))
    made = module.LanguageAgent(learn_words(toy(), options=options.text), options)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        for weight in made.model.parameters():
            if weight.dim() > 1:
                torch.nn.init.normal_(weight, std=weight.shape[-1] ** -0.5)
    return made


def observed(agent: Any) -> list[Any]:
    return [agent.vectorize(context, labels=["paper beats any phone"]) for context in contexts()]


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
def test_a_reply_is_read_as_the_next_turn_of_the_text(agent: Any) -> None:
    for one in observed(agent):
        batch = agent.batchify([one])
        tokens = torch.tensor([[START, *one.label[:-1]]])
        decoded, _ = agent.model.decode(tokens, agent.model.encode(batch), None)
        turn = [agent.model.own, *one.label[:-1]]
        read = agent.model.read(torch.tensor([[*one.text, *turn]]))
        torch.testing.assert_close(decoded, read[:, len(one.text) :], **CLOSE)


@torch.inference_mode()
def test_neighbours_and_padding_change_nothing(agent: Any) -> None:
    together = observed(agent)
    batch = agent.batchify(together)
    assert len(set(batch.text_lengths.tolist())) == len(batch)  # so there is padding
    tokens = torch.tensor([[START, 9, 10]])
    hidden, _ = agent.model.decode(tokens.expand(len(batch), -1), agent.model.encode(batch), None)
    for row, place in enumerate(batch.valid_indices):
        alone = agent.batchify([together[place]])
        expected, _ = agent.model.decode(tokens, agent.model.encode(alone), None)
        torch.testing.assert_close(hidden[row], expected[0], **CLOSE)


@torch.inference_mode()
def test_states_of_unlike_lengths_are_joined_and_parted(agent: Any) -> None:
    batches = [agent.batchify([one]) for one in observed(agent)]
    first = [agent.model.encode(batch) for batch in batches]
    reads = [torch.tensor([[START, 9, 10][: 1 + row % 3]]) for row in range(len(batches))]
    caches = [
        agent.model.decode(tokens, encoded, None)[1]
        for tokens, encoded in zip(reads, first, strict=True)
    ]
    rows = torch.tensor([2, 0])
    encoded, cache = (select(join(parts), rows) for parts in (first, caches))
    hidden, _ = agent.model.decode(torch.tensor([[12], [12]]), encoded, cache)
    for row, place in enumerate(rows.tolist()):
        alone, _ = agent.model.decode(torch.tensor([[12]]), first[place], caches[place])
        torch.testing.assert_close(hidden[row], alone[0], **CLOSE)


@torch.inference_mode()
def test_what_was_said_long_ago_still_matters(agent: Any) -> None:
    batch = agent.batchify(observed(agent)[1:2])
    longest = int(batch.text_lengths[0])
    changed = batch.text_vec.clone()
    changed[0, longest - 12] = UNKNOWN
    start = torch.tensor([[START]])
    before, _ = agent.model.decode(start, agent.model.encode(batch), None)
    after, _ = agent.model.decode(start, agent.model.encode(replace(batch, text_vec=changed)), None)
    assert not torch.allclose(before, after)


@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_dropout_is_chance_in_training_alone(kind: str) -> None:
    module = module_of("lm", "agent")
    options = module.LanguageOptions(model=replace(shape_of(module, kind), dropout=0.5))
    agent = module.LanguageAgent(learn_words(toy(), options=options.text), options)
    batch = agent.batchify(observed(agent))
    asked = [float(agent.compute_loss(batch).mean) for _ in range(2)]
    agent.model.train()
    learned = [float(agent.compute_loss(batch).mean) for _ in range(2)]
    assert asked[0] == asked[1]
    assert len({asked[0], *learned}) == 3


def test_products_of_turned_vectors_hang_on_their_distance() -> None:
    model = module_of("lm", "model")
    one, two = torch.randn(2, 1, 1, 1, 8)

    def product(first: int, second: int) -> torch.Tensor:
        turned = [
            model.rotated(vector, model.rotations(torch.tensor([[place]]), 8))
            for vector, place in ((one, first), (two, second))
        ]
        return (turned[0] * turned[1]).sum()

    torch.testing.assert_close(product(3, 1), product(40, 38), **CLOSE)
    assert not torch.allclose(product(3, 1), product(3, 2))


def test_a_word_sees_itself_and_what_is_real_before_it() -> None:
    real = torch.tensor([[True, False, True, True]])
    seen = module_of("lm", "model").barred(real, 2)[0, 0] == 0
    assert seen.tolist() == [[True, False, True, False], [True, False, True, True]]


def test_the_end_is_never_read() -> None:
    """What ends a turn is a target; the mark of the next speaker stands for it in the input."""
    module = module_of("lm", "agent")
    options = module.LanguageOptions(model=shape_of(module, "lstm"))
    agent = module.LanguageAgent(learn_words(toy(), options=options.text), options)
    inputs, targets, _, _ = agent.turns(agent.batchify(observed(agent)))
    assert not (inputs == END).any()
    assert (targets == END).any()
