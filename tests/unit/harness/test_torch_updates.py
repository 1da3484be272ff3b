"""What moves the weights: the same as torch's own parts do, in the order a paper says."""

import math
from dataclasses import replace
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch_toys import fresh, toy, toy_options

from harness import evaluate
from harness.errors import UsageError
from harness.torch import precision
from harness.torch.learning import Plan, examples, learn
from harness.torch.options import OptimizerName, Precision, TrainingOptions
from harness.torch.schedules import Plateau, share_at
from harness.torch.updates import OPTIMIZERS, Updates

CPU = torch.device("cpu")
HAS_BF16 = precision.computes_bf16(CPU)


def shares(updates: int, **options: object) -> list[float]:
    made = TrainingOptions(**options)  # type: ignore[arg-type]  # by name, in tables
    return [round(share_at(update, options=made), 4) for update in range(updates)]


def test_schedules_are_what_their_names_say() -> None:
    assert shares(3) == [1, 1, 1]
    assert shares(4, warmup_updates=2) == [0.5, 1, 1, 1]
    assert shares(7, schedule="linear", total_updates=4) == [1, 0.75, 0.5, 0.25, 0, 0, 0]
    assert shares(6, schedule="linear", total_updates=4, warmup_updates=2) == [0.5, 1, 1, 0.5, 0, 0]
    assert shares(5, schedule="cosine", total_updates=4) == [1, 0.8536, 0.5, 0.1464, 0]
    falling = shares(17, schedule="invsqrt", warmup_updates=4)
    assert falling[:5] == [0.25, 0.5, 0.75, 1, 1]
    assert falling[16] == 0.5  # sqrt(4 / 16)


@given(
    st.lists(st.floats(0, 10), max_size=40),
    st.integers(0, 4),
    st.sampled_from([0.1, 0.5, 0.9]),
)
def test_the_plateau_is_that_of_torch(losses: list[float], patience: int, decay: float) -> None:
    options = TrainingOptions(plateau_patience=patience, plateau_decay=decay)
    theirs = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = ReduceLROnPlateau(theirs, factor=decay, patience=patience, threshold=0, eps=0)
    ours = Plateau()
    for loss in losses:
        schedule.step(loss)
        ours = ours.after(loss, options=options)
        assert ours.share == pytest.approx(theirs.param_groups[0]["lr"], abs=1e-12)


def test_only_the_plateau_minds_a_validation() -> None:
    rates = []
    for name in ("plateau", "constant"):
        training = TrainingOptions(schedule=name, plateau_patience=0, learning_rate=1.0)  # type: ignore[arg-type]  # literals in a loop
        agent = fresh(toy_options(training=training))
        for loss in (2.0, 2.0, 3.0):
            agent.receive_metrics({"loss": loss})
        rates.append(agent.updates.rate)
    assert rates == [0.25, 1.0]


def line() -> tuple[nn.Linear, Tensor]:
    torch.manual_seed(1)
    return nn.Linear(3, 2), torch.randn(5, 3)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimiser_is_torch_s_own(name: OptimizerName) -> None:
    (ours, data), (theirs, _) = line(), line()
    training = TrainingOptions(optimizer=name, learning_rate=0.1, gradient_clip=0.5)
    updates = Updates(ours, training)
    optimizer = OPTIMIZERS[name][0](theirs.parameters(), lr=0.1, weight_decay=0.0)  # type: ignore[call-arg]  # torch's optimisers share it
    for _ in range(4):
        updates.backward(ours(data).square().mean())
        optimizer.zero_grad()
        theirs(data).square().mean().backward()
        nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)
        optimizer.step()

    assert updates.done == 4
    for mine, its in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, its)
        assert mine.grad is None


def test_every_optimiser_that_may_be_said_is_known() -> None:
    assert set(get_args(OptimizerName)) == set(OPTIMIZERS)


def test_decay_spares_biases() -> None:
    model, _ = line()
    before = model.bias.detach().clone()
    training = TrainingOptions(optimizer="sgd", learning_rate=0.1, weight_decay=0.5)
    Updates(model, training).backward((model.weight.sum() + model.bias.sum()) * 0)
    assert torch.equal(model.bias, before)
    assert not torch.equal(model.weight, line()[0].weight)


def test_frozen_weights_stay() -> None:
    model, data = line()
    model.bias.requires_grad_(requires_grad=False)
    updates = Updates(model, TrainingOptions())
    updates.backward(model(data).sum())
    assert torch.equal(model.bias, line()[0].bias)
    assert not torch.equal(model.weight, line()[0].weight)


def test_what_a_device_cannot_compute_is_refused() -> None:
    with pytest.raises(UsageError, match=r"fp16 needs a CUDA device, this is cpu.*auto"):
        precision.chosen("fp16", device=CPU)
    with pytest.raises(UsageError, match="this meta computes no bf16"):
        precision.chosen("bf16", device=torch.device("meta"))
    assert precision.chosen("auto", device=torch.device("meta")) == "fp32"
    assert precision.chosen("auto", device=CPU) == ("bf16" if HAS_BF16 else "fp32")


@pytest.mark.parametrize(
    "name",
    [
        "fp32",
        "auto",
        pytest.param("bf16", marks=pytest.mark.bf16),
    ],
)
def test_an_agent_learns_in_every_precision(name: Precision) -> None:
    training = TrainingOptions(learning_rate=0.05, precision=name)
    agent = fresh(toy_options(training=training))
    learn(agent, examples(agent, toy()), plan=Plan(updates=60))

    assert evaluate(agent, toy(), "hits").score.value >= 0.95
    assert all(weight.dtype == torch.float32 for weight in agent.model.parameters())


@pytest.mark.bf16
def test_attention_on_a_cpu_is_kept_out_of_bf16() -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, 4, 5, 8).unbind()
    mask = torch.zeros(5, 5).masked_fill(torch.ones(5, 5).triu(1).bool(), -math.inf)
    exact = precision.attention(query, key, value, mask=mask)
    with precision.autocast("bf16", device=CPU):
        rough = nn.functional.linear(query, torch.eye(8))
        kept = precision.attention(query, key, value, mask=mask)
        mixed = precision.attention(rough, key, value)

    assert rough.dtype == torch.bfloat16
    assert kept.dtype == mixed.dtype == torch.float32
    assert torch.equal(kept, exact)


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["fp32", "bf16", "fp16", "auto"])
def test_a_gpu_learns_in_every_precision_and_resumes(
    name: Precision, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from torch_toys import ToyRanker, toy_words

    options = toy_options(training=TrainingOptions(learning_rate=0.05, precision=name))
    folder = tmp_path_factory.mktemp("gpu")
    agent = ToyRanker(toy_words(), options, device="cuda")
    data = examples(agent, toy())
    learn(agent, data, plan=Plan(updates=60), out=folder)
    resumed = ToyRanker.load(folder / "last", device="cuda", resume=True)
    learn(resumed, data, plan=replace(Plan(updates=61)))

    assert evaluate(resumed, toy(), "hits").score.value >= 0.95
    assert resumed.updates.done == 61
    assert resumed.updates.scaler.get_scale() == agent.updates.scaler.get_scale()
