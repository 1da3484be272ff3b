"""A lost cell is ours only if a cell of our own fails, too; a machine is proved after a loss."""

from pathlib import Path
from threading import Event
from typing import Any, Self

import pytest

from harness.errors import OperatorError, RostrumError, SubmissionError
from harness.text import Vocabulary
from worker import canary, exam
from worker.exam import Questions, Seat, sit
from worker.place import Place
from worker.sandbox import Exit, Job, Limits
from worker.sandbox.choose import open_sandbox

VANISHED = Exit(code=None, removed=False)
KILLED = Exit(killed=True)
WELL = Exit(code=0)


class Agent:
    """Answers, or ends its stream as a cell does that is taken away."""

    hello: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, error: RostrumError | None) -> None:
        self.error = error

    def load(self, *_: object, **__: object) -> None:
        if self.error is not None:
            raise self.error

    def respond(self, contexts: list[Any]) -> list[str]:
        return [f"yes : {one.turns[-1].text}" for one in contexts]

    def interrupt(self) -> None:
        return


class Cell:
    """A cell with a made-up end."""

    def __init__(self, exit_: Exit) -> None:
        lost = exit_.killed or (exit_.code is None and not exit_.removed)
        self.agent = Agent(SubmissionError("early_exit") if lost else None)
        self._exit = exit_

    def first_process(self) -> int | None:
        return None

    def finish(self) -> Exit:
        return self._exit

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return


class Sandbox:
    """Ends its cells as told, one after the other; canaries apart."""

    name = "docker"

    def __init__(self, *ends: Exit, canaries: Exit | OperatorError = WELL) -> None:
        self.ends = list(ends)
        self.canaries = canaries
        self.sung = 0

    def start(self, job: Job) -> Cell:
        if not job.name.startswith("rostrum-canary-"):
            return Cell(self.ends.pop(0))
        self.sung += 1
        if isinstance(self.canaries, OperatorError):
            raise self.canaries
        return Cell(self.canaries)


class Watch:
    """Nobody ends this exam."""

    def __init__(self) -> None:
        self.stop = Event()
        self.unverified = 0

    def talking(self, _talk: object) -> Any:
        from contextlib import nullcontext

        return nullcontext()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    return canary.tree(Place.open(tmp_path / "place"))


def ended(sandbox: Sandbox, tree: Path | None, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """The code of an exam's end in this sandbox, None if its report counts."""
    monkeypatch.setattr(exam, "_asked", lambda agent, *_: agent.load())
    seat = Seat(
        sandbox=sandbox,  # type: ignore[arg-type]  # a fake
        code=Path("/code"),
        environment=None,
        limits=Limits(),
        house="0" * 8,
        worker="w1",
        canary=tree,
    )
    questions = Questions((), Vocabulary.build((), ()), "infinite", b"k", "n" * 64)
    job = seat.cell("rostrum-1-f1-0-00000000", "f1", fence=1, keep_log=False)
    result = sit(Watch(), seat, job, "f1", questions)  # type: ignore[arg-type]  # a fake
    assert not sandbox.ends
    return None if result.error is None else result.error.code


@pytest.mark.parametrize(
    ("ends", "canaries", "code", "sung"),
    [
        ((WELL,), WELL, None, 0),
        ((VANISHED, WELL), WELL, None, 1),
        ((VANISHED, VANISHED), WELL, "crashed", 2),
        ((VANISHED,), OperatorError("engine_down"), "engine_down", 1),
        ((VANISHED,), VANISHED, "engine_down", 1),
        ((VANISHED,), Exit(code=0, disk_full=True), "engine_down", 1),
        ((KILLED, KILLED), WELL, "engine_down", 1),
    ],
    ids=[
        "well",
        "lost once, by the way",
        "lost twice on a sound machine",
        "the engine is away",
        "the canary is lost, too",
        "the disk is full for the canary",
        "killed from outside twice: that is never the submission",
    ],
)
def test_a_lost_cell_is_ours_only_if_a_canary_fails_too(
    tree: Path,
    monkeypatch: pytest.MonkeyPatch,
    ends: tuple[Exit, ...],
    canaries: Exit | OperatorError,
    code: str | None,
    sung: int,
) -> None:
    sandbox = Sandbox(*ends, canaries=canaries)
    assert ended(sandbox, tree, monkeypatch) == code
    assert sandbox.sung == sung


def test_where_nobody_keeps_a_canary_the_first_word_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert ended(Sandbox(VANISHED), None, monkeypatch) == "engine_down"


def test_its_tree_is_made_again_if_somebody_changed_it(tree: Path) -> None:
    (tree / "agent.py").write_text("raise SystemExit\n")
    canary.tree(Place(tree.parent))
    assert (tree / "agent.py").read_text() == canary.AGENT
    assert sorted(path.name for path in tree.iterdir()) == ["agent.py", "eval_f1.py"]


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    from worker.images import prepare
    from worker.settings import from_environment

    monkeypatch.setenv("ROSTRUM_SANDBOX_DIR", str(tmp_path / "place"))
    return open_sandbox("trusted", runtime=prepare("trusted", print), settings=from_environment())


def test_the_canary_itself_does_well(trusted: Any, tree: Path) -> None:
    assert canary.trouble(trusted, tree) is None
    (tree / "agent.py").write_text("import nowhere\n")
    assert canary.trouble(trusted, tree) == "crashed"
