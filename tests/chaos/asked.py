"""A fault as a test: it is struck, and then everything must hold and nothing be left."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from chaos.clock import library
from chaos.faults import BY_NAME, Fault
from chaos.ground import Ground, Park


def parameters(names: Iterable[str]) -> list[object]:
    """The faults of these names, each marked by what it needs."""
    return [pytest.param(BY_NAME[name], id=name, marks=_marks(BY_NAME[name])) for name in names]


def outlive(fault: Fault, base: Path, servers: Park) -> None:
    """Strike; then every invariant holds, no cell is left, and the machine is as it was."""
    before = _networks()
    outcome = fault.strike(Ground(base / "scene", servers))
    assert outcome.broken == ()
    assert outcome.left == ()
    assert before <= _networks(), "an engine of the test's own has no business with these"


def _networks() -> set[str]:
    """The machine's network interfaces, but for those of single containers."""
    return {path.name for path in Path("/sys/class/net").iterdir() if path.name[:4] != "veth"}


def _marks(fault: Fault) -> list[pytest.MarkDecorator]:
    marks: list[pytest.MarkDecorator] = [getattr(pytest.mark, name) for name in fault.needs]
    if fault.name == "database-clock-stepped":
        marks.append(pytest.mark.skipif(library() is None, reason="libfaketime is absent"))
    return marks
