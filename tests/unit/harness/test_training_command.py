"""What a train.py does with its command line: options, stops, damage, and what it says of each."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch_toys import ToyOptions, ToyRanker, toy, toy_options

from harness import evaluate
from harness.cli.training import Run, main
from harness.data import fbdialog
from harness.torch.batch import Batch, Loss
from harness.torch.learning import LAST, Plan
from harness.torch.vectors import learn_words
from harness.torch.workplace import beside

Train = Callable[..., int]
PLAN = Plan(updates=40, valid_every=10, select="hits@1", name="toy")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The toy set as both splits."""
    folder = tmp_path / "data"
    folder.mkdir()
    for split in ("train", "valid"):
        fbdialog.write(folder / f"{split}_self_original.txt", toy())
    return folder


def recipe(run: Run) -> None:
    """The smallest train.py."""
    options = run.options(toy_options())
    run.learn(ToyRanker(learn_words(run.train), options, device=run.device), PLAN)


@pytest.fixture
def train(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    """`python train.py --data data --out out ...`: its exit status."""

    def call(*arguments: str, of: Callable[[Run], None] = recipe) -> int:
        command = ["train.py", "--data", str(data), "--out", str(tmp_path / "out"), *arguments]
        monkeypatch.setattr(sys, "argv", command)
        try:
            main(of)
        except SystemExit as ended:
            return int(ended.code or 0)
        return 0

    return call


def test_a_training_ends_in_a_checkpoint_and_leaves_its_curves(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train() == 0

    agent = ToyRanker.load(tmp_path / "out")
    assert evaluate(agent, toy(), "hits").score.value >= 0.95
    assert agent.trained["updates"] == 40
    assert agent.trained["parameters"] == sum(w.numel() for w in agent.model.parameters())
    assert agent.trained["valid"]["hits@1"] >= 0.95
    assert {path.name for path in beside(tmp_path / "out").iterdir()} == {"log"}
    said = capsys.readouterr().out
    assert "40 updates in" in said
    assert "kept is update" in said


def test_the_curves_are_what_tensorboard_reads(train: Train, tmp_path: Path) -> None:
    from tensorboardX.proto import event_pb2

    train("--updates", "20")

    (path,) = (beside(tmp_path / "out") / "log").iterdir()
    raw, events = path.read_bytes(), []
    while raw:  # length, its checksum, the event, its checksum
        size = int.from_bytes(raw[:8], "little")
        events.append(event_pb2.Event.FromString(raw[12 : 12 + size]))
        raw = raw[16 + size :]
    points = {(v.tag, e.step) for e in events for v in e.summary.value}
    assert {("train/loss", 10), ("train/rate", 20), ("valid/hits_1", 20)} <= points


def test_options_are_said_by_name(train: Train, tmp_path: Path) -> None:
    train("--updates", "2", "--seed", "7", "--set", "model.size=5", "--set", "text.persona=none")

    options = ToyRanker.load(tmp_path / "out").options
    assert isinstance(options, ToyOptions)
    assert (options.seed, options.model.size, options.text.persona) == (7, 5, "none")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--set", "model.width=3"), "there is no option 'model.width'; known there: size"),
        (("--set", "modle.size=3"), "no such group"),
        (("--set", "model.size"), "--set model.size: there is no option"),
        (("--set", "model.size=wide"), '--set.model.size is "wide"; it must be a whole number'),
        (("--set", "seed=-0.5"), "it must be a whole number"),
    ],
)
def test_what_is_no_option_is_named(
    train: Train, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert train(*arguments) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.startswith("train: ")


def test_a_gpu_that_is_not_there_is_said(
    train: Train, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # hides one that is
    assert train("--device", "cuda") == 2
    assert "torch sees no CUDA device here; say --device cpu" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "train_self_original.txt does not exist"),
        ("", "train_self_original.txt:1: the file is empty"),
        ("1 your persona: i am alone .\n", "train_self_original.txt:1: the episode that begins"),
    ],
)
def test_data_that_nothing_can_be_learned_from(
    train: Train, data: Path, content: str | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = data / "train_self_original.txt"
    path.unlink()
    if content is not None:
        path.write_text(content)
    assert train() == 2
    assert said in capsys.readouterr().err


def test_without_a_validation_split_the_last_weights_are_kept(
    train: Train, data: Path, tmp_path: Path
) -> None:
    (data / "valid_self_original.txt").unlink()

    assert train("--updates", "12") == 0

    assert ToyRanker.load(tmp_path / "out").trained["valid"] == {}


def test_minutes_end_a_training_that_has_no_other_end(train: Train, tmp_path: Path) -> None:
    began = time.monotonic()

    assert train("--minutes", "0.02", "--set", "training.schedule=linear") == 0

    assert 1.2 <= time.monotonic() - began < 20
    trained = ToyRanker.load(tmp_path / "out").trained
    assert trained["ended"] == "minutes"
    assert trained["updates"] > 0


def test_a_validation_without_the_selected_metric_is_named(
    train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    def other(run: Run) -> None:
        agent = ToyRanker(learn_words(run.train), run.options(toy_options()))
        run.learn(agent, Plan(updates=2, select="bleu"))

    assert train(of=other) == 2
    assert "has no 'bleu' to select by; known: loss, mean_rank, hits@1" in capsys.readouterr().err


def test_the_best_by_hits_is_kept_though_another_has_less_loss(
    train: Train, tmp_path: Path
) -> None:
    class Worse(ToyRanker):
        """From update 15 on it has less loss and finds less."""

        def compute_loss(self, batch: Batch) -> Loss:
            found = super().compute_loss(batch)
            if self.model.training or self.updates.done < 15:
                return found
            loss, count = found.metrics.totals["loss"]
            totals = {**found.metrics.totals, "loss": (loss / 1e6, count), "hits@1": (0.0, count)}
            return Loss(found.mean, type(found.metrics)(totals))

    def recipe_of_worse(run: Run) -> None:
        agent = Worse(learn_words(run.train), run.options(toy_options()))
        run.learn(agent, Plan(updates=30, valid_every=10, select="hits@1"))

    train(of=recipe_of_worse)

    assert ToyRanker.load(tmp_path / "out").trained["best"] == 10


class Hungry(ToyRanker):
    """Finds no room for its third batch."""

    error: Exception = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried ...")

    def compute_loss(self, batch: Batch) -> Loss:
        if self.updates.done == 25:
            raise self.error
        return super().compute_loss(batch)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to ..."),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        MemoryError(),
    ],
    ids=["cpu", "cuda", "python"],
)
def test_out_of_memory_suggests_a_batch_and_keeps_the_good_checkpoint(
    error: Exception, train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def hungry(run: Run) -> None:
        agent = Hungry(learn_words(run.train), run.options(toy_options()))
        agent.error = error
        run.learn(agent, PLAN)

    assert train("--updates", "5") == 0
    before = (tmp_path / "out" / "model.safetensors").read_bytes()

    assert train(of=hungry) == 2

    said = capsys.readouterr().err
    assert "out of memory in update 26 with batches of 8 examples on cpu" in said
    assert "batch_size=4 with training.accumulate=2" in said
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == before


SCRIPT = """
import sys, time
from torch_toys import ToyRanker, toy_options
from harness.cli.training import main
from harness.torch.learning import Plan
from harness.torch.vectors import learn_words

class Slow(ToyRanker):
    def train_step(self, batch):
        time.sleep(0.02)
        return super().train_step(batch)

def train(run):
    agent = Slow(learn_words(run.train), run.options(toy_options()))
    run.learn(agent, Plan(updates=150, valid_every=10, select="hits@1", name="toy"))

main(train)
"""


@pytest.fixture
def started(data: Path, tmp_path: Path) -> "subprocess.Popen[str]":
    """A slow training in a process of its own."""
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[3])]

    command = [sys.executable, str(script), "--data", str(data), "--out", str(tmp_path / "out")]
    return subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": ":".join(paths)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_training_goes_on_by_the_same_command(
    number: signal.Signals,
    started: "subprocess.Popen[str]",
    train: Train,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    last = beside(tmp_path / "out") / LAST
    with started as process:
        deadline = time.monotonic() + 60
        while not last.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    if number != signal.SIGKILL:
        assert process.returncode == 130
        assert "stopped after update" in said
        assert "train: stopped; the same command goes on from here" in said
        assert "Traceback" not in said
    assert not (tmp_path / "out").exists()

    done = ToyRanker.load(last, resume=True).updates.done

    assert train("--seed", "1") == 2  # not the training that was begun
    said = capsys.readouterr().err
    assert "was begun with seed=0, not 1" in said
    assert "--fresh" in said
    assert train("--updates", str(done + 2)) == 0
    assert ToyRanker.load(tmp_path / "out").trained["updates"] == done + 2
    assert not last.exists()


def test_other_data_is_another_training(
    train: Train, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(run: Run) -> None:
        agent = Hungry(learn_words(run.train), run.options(toy_options()))
        run.learn(agent, PLAN)

    assert train(of=stopped) == 2
    fbdialog.write(data / "valid_self_original.txt", toy()[:5])

    assert train() == 2
    assert "was begun with other data" in capsys.readouterr().err
    assert train("--fresh") == 0


def test_an_out_that_is_something_else_is_not_written_over(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")

    assert train("--updates", "3") == 2

    assert "choose another --out" in capsys.readouterr().err
    assert (tmp_path / "out" / "thesis.txt").read_text() == "years of work"


def test_sanity_entries_write_json_whole(train: Train, tmp_path: Path) -> None:
    assert train(of=lambda run: run.write({"config.json": {"reply": "naïve"}})) == 0
    assert train(of=lambda run: run.write({"config.json": {"reply": "ö"}})) == 0

    assert (tmp_path / "out" / "config.json").read_text("utf-8") == '{"reply": "ö"}\n'
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "out"]
