"""ssh wants an account for its user: one is made where none is, or the organizer is told how."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import OperatorError
from worker.fetch import account

UNKNOWN = 59_935


def test_a_user_that_has_an_account_needs_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "_call", lambda *_: pytest.fail("nothing is to be mounted"))
    account.ensure(os.getuid(), home=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_may_be_mounted_the_page_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(account, "_call", refuse)
    with pytest.raises(OperatorError, match=r"docs/repositories\.md") as told:
        account.ensure(UNKNOWN, home=tmp_path)
    assert f"user id {UNKNOWN}" in told.value.message
    assert told.value.code == "evaluator_bug"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_the_account_is_seen_by_this_process_and_its_children_alone(tmp_path: Path) -> None:
    before = Path("/etc/passwd").read_bytes()
    steps = (
        "from pathlib import Path; from worker.fetch import account; import subprocess;"
        f"account.ensure({UNKNOWN}, home=Path({str(tmp_path)!r}));"
        f"print(subprocess.check_output(['id', '-un', '{UNKNOWN}'], text=True))"
    )
    done = subprocess.run(
        [sys.executable, "-c", steps], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == "rostrum-fetch", done.stderr
    assert Path("/etc/passwd").read_bytes() == before
