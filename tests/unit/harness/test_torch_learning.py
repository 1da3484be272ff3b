"""An agent learns its toy, stops, goes on, and ends where it would have ended."""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch_toys import FAST, Shape, ToyRanker, fresh, toy, toy_options

from harness import evaluate
from harness.errors import UsageError
from harness.torch.batch import Batch, Metrics
from harness.torch.learning import BEST, LAST, Plan, examples, learn, validate
from harness.torch.options import TrainingOptions
from harness.torch.ranker import RankingOptions
from harness.torch.sources import Source


def same_weights(one: ToyRanker, other: ToyRanker) -> bool:
    mine, theirs = one.model.state_dict(), other.model.state_dict()
    return all(torch.equal(mine[name], theirs[name]) for name in mine)


def remarks(agent: ToyRanker) -> dict[str, float]:
    """What a training has noted, but for its time."""
    return {name: value for name, value in agent.updates.remarks.items() if name != "seconds"}


@pytest.mark.parametrize("source", ["inline", "batch", "batch-all", "fixed"])
def test_a_ranker_learns_its_toy_from_every_source(source: Source) -> None:
    agent = fresh(toy_options(ranking=RankingOptions(candidates=source, eval_candidates="inline")))
    agent.set_fixed([example.replies[0] for talk in toy() for example in talk.examples])

    learned = learn(agent, examples(agent, toy()), plan=Plan(updates=60))

    report = evaluate(agent, toy(), "hits")
    assert report.score.value >= 0.95
    assert learned.trained["loss"] < 1.0
    assert evaluate(agent, toy(), "f1").score.value >= 0.95  # by its list of replies


def test_negative_samples_suffice_to_learn() -> None:
    agent = fresh(toy_options(ranking=RankingOptions(negatives=2)))

    learn(agent, examples(agent, toy()), plan=Plan(updates=80))

    assert evaluate(agent, toy(), "hits").score.value >= 0.95


@pytest.mark.parametrize(
    "training",
    [
        TrainingOptions(optimizer="adamax", learning_rate=0.05),
        TrainingOptions(optimizer="sgd", learning_rate=1.0, momentum=0.9, nesterov=True),
        TrainingOptions(schedule="cosine", warmup_updates=3, total_updates=20, accumulate=2),
        TrainingOptions(schedule="plateau", plateau_patience=0, learning_rate=0.05),
        TrainingOptions(optimizer="radam", weight_decay=0.1, gradient_clip=0),
    ],
    ids=lambda training: f"{training.optimizer}-{training.schedule}",
)
def test_a_resumed_training_ends_in_the_weights_of_an_uninterrupted_one(
    training: TrainingOptions, tmp_path: Path
) -> None:
    options = toy_options(training=training, model=Shape(dropout=0.3))
    plan = Plan(updates=20, valid_every=4)
    whole, part = fresh(options), fresh(options)
    data = examples(whole, toy())
    learn(whole, data, plan=plan, valid=data[:4], out=tmp_path / "whole")

    learn(part, data, plan=replace(plan, updates=12), valid=data[:4], out=tmp_path / "part")
    torch.rand(7)  # chance moves on between two runs
    resumed = ToyRanker.load(tmp_path / "part" / LAST, resume=True)
    learn(resumed, data, plan=plan, valid=data[:4], out=tmp_path / "part")

    assert resumed.updates.done == whole.updates.done == 20
    assert same_weights(resumed, whole)
    assert not same_weights(part, whole)
    assert remarks(resumed) == remarks(whole)
    assert resumed.updates.rate == whole.updates.rate


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    options = toy_options(model=Shape(dropout=0.3))
    agents = [fresh(options), fresh(options), fresh(replace(options, seed=1))]
    for agent in agents:
        learn(agent, examples(agent, toy()), plan=Plan(updates=5))

    assert same_weights(agents[0], agents[1])
    assert not same_weights(agents[0], agents[2])


def test_gradients_of_several_batches_make_the_update_of_one_large_batch() -> None:
    sgd = TrainingOptions(optimizer="sgd", learning_rate=1.0, gradient_clip=0)
    one, four = (fresh(toy_options(training=replace(sgd, accumulate=n))) for n in (1, 4))
    data = examples(one, toy())
    one.train_step(one.batchify(data))
    for start in range(0, 20, 5):
        assert four.updates.done == 0
        four.train_step(four.batchify(data[start : start + 5]))

    for name, weight in one.model.state_dict().items():
        torch.testing.assert_close(weight, four.model.state_dict()[name])


def test_half_an_update_cannot_be_stored(tmp_path: Path) -> None:
    agent = fresh(toy_options(training=replace(FAST, accumulate=2)))
    agent.train_step(agent.batchify(examples(agent, toy())))
    with pytest.raises(UsageError, match="1 of 2 batches"):
        agent.save(tmp_path / "c", resume=True)


def test_patience_ends_a_training_that_no_longer_improves_and_the_best_is_kept(
    tmp_path: Path,
) -> None:
    wild = TrainingOptions(optimizer="sgd", learning_rate=300.0, gradient_clip=0)
    agent = fresh(toy_options(training=wild))
    data = examples(agent, toy())
    plan = Plan(updates=400, valid_every=1, patience=5)

    learned = learn(agent, data, plan=plan, valid=data, out=tmp_path)

    assert learned.ended == "patience"
    assert learned.updates < 400
    best = ToyRanker.load(tmp_path / BEST)
    assert validate(best, data).mean("loss") == pytest.approx(learned.validated["loss"], rel=1e-5)
    assert validate(agent, data).mean("loss") >= learned.validated["loss"]


def test_divergence_is_said_and_not_trained_on() -> None:
    agent = fresh()
    with torch.no_grad():
        next(agent.model.parameters()).fill_(float("nan"))
    with pytest.raises(UsageError, match=r"the loss is nan at update 0.*learning_rate"):
        learn(agent, examples(agent, toy()), plan=Plan(updates=5))


class Interrupted(ToyRanker):
    """Ctrl-C comes in the middle of its third step."""

    steps = 0

    def train_step(self, batch: Batch) -> Metrics:
        self.steps += 1
        if self.steps == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return super().train_step(batch)


def test_ctrl_c_ends_after_the_update_and_says_where_it_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = fresh()
    agent = Interrupted(whole.words, whole.options)
    data = examples(agent, toy())
    with pytest.raises(KeyboardInterrupt):
        learn(agent, data, plan=Plan(updates=9), out=tmp_path)

    assert f"stopped after update 3; {tmp_path / LAST} holds" in capsys.readouterr().err
    resumed = ToyRanker.load(tmp_path / LAST, resume=True)
    learn(resumed, data, plan=Plan(updates=9))
    learn(whole, data, plan=Plan(updates=9))
    assert same_weights(resumed, whole)


def test_nothing_to_learn_from_is_said() -> None:
    agent = fresh()
    with pytest.raises(UsageError, match="no labelled example"):
        learn(agent, agent.observe([toy()[0].context(0, context_id="x")]), plan=Plan(updates=1))


def test_a_finished_training_has_nothing_to_resume(tmp_path: Path) -> None:
    agent = fresh()
    agent.save(tmp_path / "c")
    with pytest.raises(UsageError, match="holds no training to resume"):
        ToyRanker.load(tmp_path / "c", resume=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"optimizer": "sgd"}, "was trained by sgd, not adamw"),
        ({"updates": "many"}, "training state does not fit"),
        ({"plateau": {"depth": 3}}, "plateau.depth is unknown"),
        ({"values": {"0": {}}}, "training state does not fit"),
    ],
    ids=["optimizer", "updates", "plateau", "values"],
)
def test_a_damaged_training_state_is_named(
    change: dict[str, object], said: str, tmp_path: Path
) -> None:
    agent = fresh()
    learn(agent, examples(agent, toy()), plan=Plan(updates=1), out=tmp_path)
    path = tmp_path / LAST / "training.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(UsageError, match=said):
        ToyRanker.load(tmp_path / LAST, resume=True)
