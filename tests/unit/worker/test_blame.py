"""Whose fault an end is: the whole table, and what may never be called ours."""

import itertools
import signal

import pytest

from harness.errors import VERDICTS, Fault, OperatorError, SubmissionError
from worker.blame import SYMPTOMS, deserves_retry, judge
from worker.sandbox import Exit

LEFT = Exit(code=0)
REMOVED = Exit(removed=True)


@pytest.mark.parametrize(
    ("code", "detail", "end", "verdict"),
    [
        ("early_exit", None, Exit(code=0), ("early_exit", None)),
        ("early_exit", None, Exit(removed=True), ("early_exit", None)),
        ("early_exit", None, Exit(code=3), ("crashed", "exit")),
        ("early_exit", None, Exit(signal=signal.SIGSEGV), ("crashed", "signal")),
        ("early_exit", None, Exit(signal=signal.SIGKILL), ("crashed", "signal")),
        ("early_exit", None, Exit(signal=64), ("crashed", "signal")),
        ("early_exit", None, Exit(signal=9, out_of_memory=True), ("out_of_memory", None)),
        ("early_exit", None, Exit(signal=9, output_limit=True), ("output_limit", None)),
        ("early_exit", None, Exit(signal=25, disk_full=True), ("disk_limit", None)),
        ("early_exit", None, Exit(), ("engine_down", None)),
        ("early_exit", None, Exit(signal=9, killed=True), ("engine_down", None)),
        (
            "early_exit",
            None,
            Exit(signal=9, killed=True, output_limit=True),
            ("output_limit", None),
        ),
        ("crashed", "verb", Exit(signal=9, killed=True), ("crashed", "verb")),
        ("crashed", "import", Exit(code=1), ("crashed", "import")),
        ("crashed", "verb", Exit(signal=9, out_of_memory=True), ("out_of_memory", None)),
        ("protocol", None, Exit(signal=9, out_of_memory=True), ("out_of_memory", None)),
        ("protocol", None, Exit(signal=11), ("protocol", None)),
        ("load_timeout", None, REMOVED, ("load_timeout", None)),
        ("batch_timeout", None, REMOVED, ("batch_timeout", None)),
        ("batch_timeout", None, Exit(removed=True, output_limit=True), ("output_limit", None)),
        ("total_timeout", None, Exit(), ("total_timeout", None)),
        ("invalid_prediction", "negative", Exit(code=1), ("invalid_prediction", "negative")),
        (
            "invalid_prediction",
            "not_text",
            Exit(signal=9, out_of_memory=True),
            ("invalid_prediction", "not_text"),
        ),
    ],
)
def test_an_error_and_an_end_give_one_verdict(
    code: str, detail: str | None, end: Exit, verdict: tuple[str, str | None]
) -> None:
    judged = judge(SubmissionError(code, detail=detail), end)
    assert judged is not None
    assert (judged.code, judged.detail) == verdict


@pytest.mark.parametrize("code", [c for c, v in VERDICTS.items() if v.fault is Fault.PLATFORM])
@pytest.mark.parametrize("end", [LEFT, REMOVED, Exit(signal=9, out_of_memory=True)])
def test_what_the_platform_admits_stays_ours(code: str, end: Exit) -> None:
    error = OperatorError(code)
    assert judge(error, end) is error


@pytest.mark.parametrize("error", [RuntimeError("labels"), KeyError(3), MemoryError()])
def test_an_evaluator_that_raises_is_ours_and_its_text_stays_in(error: Exception) -> None:
    judged = judge(error, LEFT)
    assert judged is not None
    assert (judged.code, judged.message) == (
        "evaluator_bug",
        f"the evaluator raised {type(error).__name__}",
    )


def test_a_finished_run_counts_unless_the_runner_saw_otherwise() -> None:
    assert judge(None, LEFT) is None
    assert judge(None, REMOVED) is None
    seen = judge(None, Exit(signal=9, out_of_memory=True))
    assert seen is not None
    assert seen.code == "out_of_memory"


def test_no_end_that_a_submission_can_cause_is_called_ours() -> None:
    ends = [
        Exit(code=code, signal=number, removed=removed, out_of_memory=oom, output_limit=flood)
        for code, number, removed in [(0, None, False), (1, None, False), (255, None, False)]
        + [(None, n, False) for n in range(1, 65)]
        + [(None, None, True)]
        for oom, flood in itertools.product([False, True], repeat=2)
    ]
    for code, end in itertools.product(sorted(SYMPTOMS), ends):
        detail = "verb" if code == "crashed" else None
        assert isinstance(judge(SubmissionError(code, detail=detail), end), SubmissionError)


def test_only_an_unexplained_kill_deserves_a_retry() -> None:
    assert deserves_retry(Exit(signal=9))
    assert not deserves_retry(Exit(signal=9, out_of_memory=True))
    assert not deserves_retry(Exit(signal=11))
    assert not deserves_retry(REMOVED)
    assert not deserves_retry(LEFT)
