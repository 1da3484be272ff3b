"""A check as one JSON document."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.report import Report, finite
from worker.check.data import PublicData
from worker.check.rules import Rules
from worker.check.run import Ground
from worker.check.steps import Step

Document = dict[str, Any]  # Any: a JSON object


def document(
    steps: Sequence[Step], *, directory: Path, ground: Ground, rules: Rules, data: PublicData
) -> Document:
    """What was checked, where, by which rules, and every step in its order."""
    return {
        "check": {
            "directory": str(directory),
            "ready": not any(step.failed for step in steps),
            "sandbox": ground.sandbox.name,
            "runtime": ground.runtime.digest,
            "gpu": ground.gpu,
            "rules": rules.source,
            "data": data.source,
            "dialogues": len(data.dialogues),
            "steps": [_step(step) for step in steps],
        }
    }


def _step(step: Step) -> Document:
    error = step.error
    return {
        "name": step.name,
        "outcome": step.outcome.value,
        "text": step.text,
        "notes": list(step.notes),
        "seconds": round(step.seconds, 3),
        "peak_bytes": step.peak,
        "can_chat": step.talks,
        "verdict": None
        if error is None
        else {
            "code": error.code,
            "detail": error.detail,
            "message": error.message,
            "hint": error.hint,
        },
        "score": None if step.report is None else _score(step.report),
        "log": step.log,
    }


def _score(report: Report) -> Document:
    score = report.score
    return {
        "track": report.track,
        "value": finite(score.value),
        "low": None if score.low is None else finite(score.low),
        "high": None if score.high is None else finite(score.high),
        "n": score.n,
        "signature": report.signature,
        "totals": [[total.value, total.weight] for total in report.totals],
    }
