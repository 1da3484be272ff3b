"""The errors, by the person at fault.

    RostrumError
    ├── UsageError        you asked wrongly (exit code 2)
    ├── SubmissionError   the submitted code is at fault: a verdict, no refund
    └── OperatorError     the platform is at fault: a retry, then a refund

`VERDICTS` is the closed list of codes that a failed attempt may carry; each has a title and a
hint that says what to do next. A hidden run returns a code and a detail from here and nothing
that the submission wrote.
"""

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """Who is to blame for a failed attempt; decides retry, refund and wording."""

    SUBMISSION = "submission"
    PLATFORM = "platform"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One way an attempt can fail: a stable code, a title for people, what to do next."""

    code: str
    fault: Fault
    title: str
    hint: str
    details: tuple[str, ...] = ()

    @property
    def anchor(self) -> str:
        """Where the documentation explains this code."""
        return f"docs/verdicts.md#{self.code.replace('_', '-')}"


def _theirs(code: str, title: str, hint: str, *details: str) -> Verdict:
    return Verdict(code, Fault.SUBMISSION, title, hint, details)


def _ours(code: str, title: str, hint: str) -> Verdict:
    return Verdict(code, Fault.PLATFORM, title, hint)


VERDICTS: dict[str, Verdict] = {
    verdict.code: verdict
    for verdict in (
        _theirs(
            "clone_refused",
            "The repository could not be cloned",
            "Check that the registered URL is right and readable with the deploy key, that the "
            "tree holds no submodules and no links that leave it, and that its LFS objects and "
            "weights are where they are said to be.",
            "address",
            "unreachable",
            "host_key",
            "certificate",
            "access",
            "submodule",
            "link",
            "lfs",
            "lfs_missing",
            "weights",
            "weights_missing",
            "large_host",
            "large_content",
            "timeout",
            "damaged",
        ),
        _theirs(
            "commit_not_found",
            "The commit does not exist in the repository",
            "Push the commit to the registered repository, then submit its full 40-digit id or "
            "the name of a branch or tag.",
        ),
        _theirs(
            "repo_too_large",
            "The repository is too large",
            "Remove large files from the commit; the competition page states the limits on bytes "
            "and files.",
            "bytes",
            "files",
            "large",
        ),
        _theirs(
            "no_track_file",
            "The repository enters no track",
            "Add at least one of eval_hits.py, eval_f1.py, eval_ppl.py at the top of the "
            "repository; each is three lines, see the README.",
        ),
        _theirs(
            "build_failed",
            "The requirements could not be installed",
            "Try `pip install --only-binary :all: -r requirements.txt` with Python 3.11; list "
            "only names and versions, none of them shipped with the runtime. Write `gpu = true` in "
            "rostrum.toml only where the competition offers a GPU.",
            "refused_line",
            "shipped_name",
            "not_found",
            "conflict",
            "source_failed",
            "timeout",
            "too_large",
            "gpu",
        ),
        _theirs(
            "load_timeout",
            "The agent took too long to load",
            "Load weights once, in the agent's constructor, and do no training there; the "
            "competition page states the limit.",
        ),
        _theirs(
            "batch_timeout",
            "A batch took too long to answer",
            "Answer the whole batch in one forward pass; measure with `python eval_f1.py "
            "--limit 50` on two cores.",
        ),
        _theirs(
            "total_timeout",
            "The whole run took too long",
            "Each batch was in time, but their sum was not: make the agent faster on the whole "
            "validation split.",
        ),
        _theirs(
            "out_of_memory",
            "The agent ran out of memory",
            "Use a smaller model or smaller batches; the competition page states the limit.",
        ),
        _theirs(
            "crashed",
            "The agent crashed",
            "Run the same file by hand on the public validation split; the preflight log shows "
            "the last lines that it printed.",
            "import",
            "construct",
            "verb",
            "signal",
            "exit",
        ),
        _theirs(
            "early_exit",
            "The program ended before all examples were answered",
            "Do not call exit(); let `eval_hits`, `eval_f1` or `eval_ppl` run to the end of the "
            "track file.",
        ),
        _theirs(
            "protocol",
            "The agent sent bytes that are not the protocol's",
            "Do not write to the descriptors of the harness; answer by returning values from the "
            "three verbs.",
        ),
        _theirs(
            "invalid_prediction",
            "A prediction is not valid",
            "Return what the verb's docstring asks for: one text per context, one finite score "
            "per candidate, or float32 rows of finite weights >= 0 with a positive sum.",
            "not_text",
            "wrong_count",
            "not_finite",
            "negative",
            "zero_row",
            "too_long",
        ),
        _theirs(
            "output_limit",
            "The program printed too much",
            "Remove progress bars and debug prints from the agent.",
        ),
        _theirs(
            "disk_limit",
            "The program filled its disk",
            "Only /tmp is writable and it is small; read weights from the repository instead of "
            "unpacking them.",
        ),
        _ours(
            "start_timeout",
            "The sandbox did not start",
            "Nothing to do: the attempt is retried and, if that fails, the quota is given back.",
        ),
        _ours(
            "worker_lost",
            "The worker was lost",
            "Nothing to do: the attempt is retried and, if that fails, the quota is given back.",
        ),
        _ours(
            "engine_down",
            "The container engine did not answer",
            "Nothing to do: the attempt is retried and, if that fails, the quota is given back.",
        ),
        _ours(
            "image_missing",
            "The runtime image is missing",
            "Nothing to do for the team; the organizer builds it with `rostrum worker --prepare`.",
        ),
        _ours(
            "index_down",
            "The package index did not answer",
            "Nothing to do: the attempt is retried and, if that fails, the quota is given back.",
        ),
        _ours(
            "disk_full",
            "The worker's disk is full",
            "Nothing to do for the team; the organizer frees space on the worker.",
        ),
        _ours(
            "gpu_lost",
            "The accelerator was lost",
            "Nothing to do: the attempt is retried and, if that fails, the quota is given back.",
        ),
        _ours(
            "evaluator_bug",
            "The evaluator failed",
            "Nothing to do for the team: the quota is given back; the organizer sees the "
            "traceback in the worker's log.",
        ),
    )
}


class RostrumError(Exception):
    """An error with one sentence for a person: what happened, to what, what to do next."""

    exit_code = 1

    def __init__(self, message: str, *, code: str, hint: str = "", detail: str | None = None):
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint
        self.detail = detail

    def as_json(self) -> dict[str, dict[str, str]]:
        """The one error body of the house: `{"error": {"code", "message", "hint"}}`."""
        return {"error": {"code": self.code, "message": self.message, "hint": self.hint}}


class UsageError(RostrumError):
    """Asked wrongly: a bad argument, file, configuration or form."""

    exit_code = 2

    def __init__(self, message: str, *, code: str = "usage", hint: str = ""):
        super().__init__(message, code=code, hint=hint)


class _VerdictError(RostrumError):
    """An error whose code is a row of `VERDICTS`."""

    fault: Fault

    def __init__(self, code: str, *, detail: str | None = None, message: str | None = None):
        verdict = VERDICTS[code]
        if verdict.fault is not self.fault:
            raise ValueError(f"verdict {code} is not the fault of the {self.fault}")
        if detail is not None and detail not in verdict.details:
            raise ValueError(f"verdict {code} knows no detail {detail!r}")
        super().__init__(message or verdict.title, code=code, hint=verdict.hint, detail=detail)

    @property
    def verdict(self) -> Verdict:
        """The row of `VERDICTS`."""
        return VERDICTS[self.code]


class SubmissionError(_VerdictError):
    """The submission's own fault. `message` may hold facts for a local run; only `code` and
    `detail` ever leave a hidden one."""

    fault = Fault.SUBMISSION


class OperatorError(_VerdictError):
    """The platform's fault, on evidence that a submission cannot produce."""

    fault = Fault.PLATFORM
