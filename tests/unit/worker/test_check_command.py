"""`rostrum check` at a terminal: every step told, the right verdict, the right exit status.

The trusted runner stands in for the sandboxes here; those are in tests/integration/test_check.py.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness.errors import OperatorError, UsageError
from worker.check import check, ground
from worker.settings import from_environment

GALLERY = Path(__file__).resolve().parents[2] / "gallery"
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a check of a folder without a sandbox, in folders of its own."""
    monkeypatch.setenv("ROSTRUM_SANDBOX_DIR", str(tmp_path / "sandbox"))
    monkeypatch.setenv("ROSTRUM_DATA", str(tmp_path / "nothing"))

    def check_it(folder: Path, *arguments: str, sandbox: str | None = "trusted") -> Result:
        chosen = () if sandbox is None else ("--sandbox", sandbox)
        words = [str(folder), *chosen, "--dialogues", "3", *arguments]
        result = CliRunner().invoke(check, words, catch_exceptions=True)
        left = from_environment().sandbox_directory / "cells"
        assert not left.is_dir() or not list(left.iterdir()), "a copy or a cell is left"
        return result

    return check_it


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A submission that enters hits and f1."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("agent.py", "eval_hits.py", "eval_f1.py"):
        shutil.copy(GALLERY / "good" / name, folder)
    return folder


def document(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)["check"]
    return found


def steps(result: Result) -> dict[str, dict[str, Any]]:
    return {step["name"]: step for step in document(result)["steps"]}


def test_a_good_one_is_ready(run: Run, mine: Path) -> None:
    result = run(mine)
    assert result.exit_code == 0, result.output
    text = " ".join(result.output.split())
    assert "NO WALLS" in text
    assert '"mine" enters hits and f1' in text
    assert "none (no requirements.txt)" in text
    assert "95 % interval" in text
    assert "can chat" in text
    assert "ppl not entered (no eval_ppl.py)" in text
    assert "Ready: the preflight on the server would pass." in text


def test_the_document_says_it_all(run: Run, mine: Path) -> None:
    result = run(mine, "--json")
    assert result.exit_code == 0
    found, by_name = document(result), steps(result)
    assert found["ready"] is True
    assert (found["sandbox"], found["dialogues"], found["rules"]) == ("trusted", 3, "the defaults")
    assert list(by_name) == ["tree", "entry", "requirements", "hits", "f1", "ppl"]
    assert by_name["hits"]["score"]["n"] > 10
    assert by_name["hits"]["score"]["signature"].startswith("track:hits|k:1|")
    assert by_name["f1"]["peak_bytes"] > 5 << 20
    assert by_name["f1"]["can_chat"] is True
    assert by_name["ppl"]["outcome"] == "not entered"


def test_a_crash_shows_verdict_hint_anchor_and_the_last_lines(run: Run) -> None:
    result = run(GALLERY / "crash-in-verb")
    assert result.exit_code == 1
    text = " ".join(result.output.split())
    assert "crashed (verb): The agent crashed" in text
    assert "docs/verdicts.md#crashed" in text
    assert "| RuntimeError: no reply today" in text
    assert "Not ready: on the server the preflight would fail (f1)." in text


def test_every_track_is_asked_though_one_fails(run: Run, mine: Path) -> None:
    (mine / "eval_hits.py").write_text("raise SystemExit(3)\n")
    result = run(mine, "--json")
    assert result.exit_code == 1
    found = steps(result)
    assert (found["hits"]["verdict"]["code"], found["hits"]["score"]) == ("crashed", None)
    assert found["f1"]["outcome"] == "passed"


@pytest.mark.parametrize(
    ("file", "content", "step", "code", "detail"),
    [
        ("eval_hits.py", None, "entry", "no_track_file", None),
        (
            "requirements.txt",
            "git+https://x.org/y\n",
            "requirements",
            "build_failed",
            "refused_line",
        ),
        ("requirements.txt", "torch\n", "requirements", "build_failed", "shipped_name"),
        ("link", "/etc/passwd", "tree", "clone_refused", "link"),
    ],
)
def test_what_ends_the_way_early(
    run: Run, mine: Path, file: str, content: str | None, step: str, code: str, detail: str | None
) -> None:
    if content is None:
        for track in ("hits", "f1"):
            (mine / f"eval_{track}.py").unlink()
    elif file == "link":
        (mine / file).symlink_to(content)
    else:
        (mine / file).write_text(content)
    result = run(mine, "--json")
    assert result.exit_code == 1
    last = document(result)["steps"][-1]
    assert (last["name"], last["verdict"]["code"], last["verdict"]["detail"]) == (
        step,
        code,
        detail,
    )
    assert last["verdict"]["hint"]


def test_only_the_named_track(run: Run, mine: Path) -> None:
    found = steps(run(mine, "--track", "f1", "--json"))
    assert found["hits"]["text"] == "not asked (--track)"
    assert found["f1"]["outcome"] == "passed"
    assert isinstance(run(mine, "--track", "ppl").exception, UsageError)


def test_what_the_program_printed_is_shown_on_demand_and_harmless(run: Run, mine: Path) -> None:
    noisy = 'import sys\nprint("\\x1b]0;title\\x07 hello from inside", file=sys.stderr)\n'
    (mine / "agent.py").write_text(noisy + (mine / "agent.py").read_text())
    assert "hello from inside" not in run(mine).output
    shown = run(mine, "--log").output
    assert "hello from inside" in shown
    assert "\x1b]0;" not in shown


def test_the_limits_of_a_file_hold(run: Run, mine: Path, tmp_path: Path) -> None:
    file = tmp_path / "competition.toml"
    file.write_text(
        'schema = 1\n[competition]\nid = "c"\ntitle = "Small"\n[[phase]]\nname = "p"\n'
        "opens = 2020-01-01T00:00:00Z\ncloses = 2100-01-01T00:00:00Z\n[limits]\nrepo_bytes = 10\n"
    )
    result = run(mine, "--limits", str(file), "--json")
    assert result.exit_code == 1
    assert steps(result)["tree"]["verdict"]["detail"] == "bytes"


def test_a_wish_for_a_device_is_refused_where_none_is_offered(
    run: Run, mine: Path, tmp_path: Path
) -> None:
    (mine / "rostrum.toml").write_text("gpu = true\nautor = 'me'\n")
    text = " ".join(run(mine).output.split())
    assert "asks for a GPU" in text
    assert "whether the competition offers a GPU is not known" in text
    assert "rostrum.toml says what nobody reads: autor" in text
    file = tmp_path / "competition.toml"
    file.write_text(
        'schema = 1\n[competition]\nid = "c"\ntitle = "Small"\n[[phase]]\nname = "p"\n'
        "opens = 2020-01-01T00:00:00Z\ncloses = 2100-01-01T00:00:00Z\n"
    )
    refused = run(mine, "--limits", str(file), "--json")
    assert refused.exit_code == 1
    assert steps(refused)["entry"]["verdict"]["detail"] == "gpu"


def test_a_slow_agent_is_warned_of_the_total(run: Run, mine: Path, tmp_path: Path) -> None:
    file = tmp_path / "competition.toml"
    file.write_text(
        'schema = 1\n[competition]\nid = "c"\ntitle = "Small"\n[[phase]]\nname = "p"\n'
        "opens = 2020-01-01T00:00:00Z\ncloses = 2100-01-01T00:00:00Z\n[limits]\ntotal = 4.0\n"
    )
    slow = (mine / "eval_f1.py").read_text().replace("Agent)", "Slow)")
    slow = slow.replace("if __name__", _SLOW + "\n\nif __name__")
    (mine / "eval_f1.py").write_text(slow)
    result = run(mine, "--track", "f1", "--limits", str(file), "--json")
    found = steps(result)["f1"]
    assert found["outcome"] == "warned", result.output
    assert "of this set would take" in found["notes"][0]


_SLOW = """
class Slow(Agent):
    def respond(self, contexts):
        import time

        time.sleep(0.1)
        return super().respond(contexts)
"""


def test_an_engine_that_is_away_is_this_machines_fault(
    run: Run, mine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    result = run(mine, sandbox="docker")
    error = result.exception
    assert getattr(error, "exit_code", None) == 1
    assert "no container engine answers" in str(error)
    assert "--sandbox bubblewrap" in getattr(error, "hint", "")


def test_it_says_which_sandbox_it_chose(
    run: Run, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ground, "pick", lambda: "trusted")
    assert "chosen because --sandbox names none" in " ".join(run(mine, sandbox=None).output.split())


def test_a_machine_without_any_says_what_there_is(
    run: Run, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> str:
        raise UsageError("no sandbox is available")

    monkeypatch.setattr(ground, "pick", none)
    error = run(mine, sandbox=None).exception
    assert isinstance(error, UsageError)
    assert "--sandbox trusted" in error.hint


def test_a_fault_of_ours_on_the_way_is_told_as_one(
    run: Run, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from worker.check import run as module

    def away(*_: object, **__: object) -> None:
        raise OperatorError("engine_down", message="the container engine failed: it is away")

    monkeypatch.setattr(module, "sit", away)
    text = " ".join(run(mine).output.split())
    assert "This machine is at fault, not the submission" in text
    assert "Not checked to the end: this machine failed." in text


@pytest.fixture
def without_a_server(tmp_path: Path) -> Path:
    """A folder to put first on the path, in which the server's packages cannot be imported."""
    for name in ("celery", "kombu", "flask", "alembic", "waitress", "httpx", "torch"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('not installed here')\n")
    return tmp_path


def test_it_needs_none_of_the_servers_packages(without_a_server: Path) -> None:
    code = "import worker.check.ground, worker.check.run, worker.check.data, worker.check.show"
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path.insert(0, {str(without_a_server)!r}); {code}",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
