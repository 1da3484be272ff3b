"""How a worker is asked to start: which queues it listens to, on which device, under which name."""

import pytest
from click.testing import CliRunner

from harness.errors import OperatorError, UsageError
from leaderboard.states import Queue
from worker import gpu, serve


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """What the worker would run with."""
    runs: list[dict[str, object]] = []

    def run(queues: tuple[Queue, ...], concurrency: int, **rest: object) -> int:
        runs.append({"queues": queues, "concurrency": concurrency, **rest})
        return 0

    monkeypatch.setattr(serve, "_run", run)
    return runs


def test_without_a_device_it_listens_to_what_needs_none() -> None:
    assert serve._channels((Queue.PREFLIGHT, Queue.EVALUATE), gpu=False) == [
        "preflight.cpu",
        "evaluate.cpu",
    ]


def test_with_a_device_it_takes_both_kinds() -> None:
    assert serve._channels((Queue.EVALUATE,), gpu=True) == ["evaluate.cpu", "evaluate.gpu"]


def test_it_starts_on_a_device_that_answers(
    started: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "expect_answer", lambda number: f"device {number}")
    result = CliRunner().invoke(serve.worker, ["--gpu", "2", "--name", "lab-box"])
    assert result.exit_code == 0, result.output
    assert (started[0]["gpu"], started[0]["name"]) == ("2", "lab-box")


def test_it_does_not_start_on_one_that_does_not(
    started: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(_: str) -> str:
        raise OperatorError("gpu_lost", message="accelerator 2: GPU is lost")

    monkeypatch.setattr(gpu, "expect_answer", lost)
    result = CliRunner().invoke(serve.worker, ["--gpu", "2"])
    assert isinstance(result.exception, UsageError)
    assert "GPU is lost" in result.exception.message
    assert "rostrum doctor --gpu 2" in result.exception.hint
    assert not started


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--gpu", "all"], "give the number that nvidia-smi shows"),
        (["--gpu", "-1"], "give the number"),
        (["--name", "a b"], "letters, digits, dots and dashes"),
        (["--name", "x" * 61], "at most 60 characters"),
        (["--queues", ","], "names no queue"),
        (["--queues", "evaluation"], "known: preflight, evaluate, converse"),
    ],
)
def test_a_wrong_question_gets_one_sentence(
    started: list[dict[str, object]], arguments: list[str], sentence: str
) -> None:
    result = CliRunner().invoke(serve.worker, arguments)
    assert result.exit_code == 2
    assert sentence in " ".join(result.output.split())
    assert not started
