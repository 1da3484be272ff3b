"""Two cells that run the same code at the same time cannot tell each other anything by its files.

A lock or a watch on a file that both see would carry what a hidden run was shown to a preflight of
the same commit, whose log its team reads.
"""

import dataclasses
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from galleryworld import SMALL

from harness.dialogue import Context, Turn
from worker.images import prepare
from worker.place import Place
from worker.sandbox import Cell, Job, Limits, Sandbox
from worker.sandbox.choose import open_sandbox
from worker.settings import from_environment

SPY = Path(__file__).resolve().parent.parent / "contracts" / "spy"
FILE = "/code/eval_f1.py"
PACKAGE = "/opt/env/shared.py"


@pytest.fixture(
    params=[
        pytest.param("docker", marks=pytest.mark.docker),
        pytest.param("bubblewrap", marks=pytest.mark.bubblewrap),
    ]
)
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    return open_sandbox(request.param, runtime=prepare(request.param, print))


@pytest.fixture
def job() -> Iterator[Job]:
    """A job whose code and packages stand where cells share them."""
    place = Place.open(from_environment().sandbox_directory)
    tree = place.new_cell("rostrum-whispers", seconds=120)
    shutil.copytree(SPY, tree / "code")
    (tree / "packages").mkdir()
    (tree / "packages" / "shared.py").write_text("WORD = 1\n")
    for path in (tree, *tree.rglob("*")):
        path.chmod(0o755)
    yield Job(
        name=f"rostrum-whispers-{os.getpid()}",
        fence=1,
        code=tree / "code",
        environment=tree / "packages",
        track_file="eval_f1.py",
        limits=Limits(**SMALL),
        keep_log=True,
        deadline_seconds=120,
        labels={"test": "whispers"},
    )
    shutil.rmtree(tree)


def look(cell: Cell, expression: str) -> str:
    """What an expression is worth inside."""
    return cell.agent.respond([Context("a", turns=(Turn("partner", expression),))])[0]


def started(sandbox: Sandbox, job: Job, opened: ExitStack, name: str) -> Cell:
    cell = opened.enter_context(sandbox.start(dataclasses.replace(job, name=f"{job.name}-{name}")))
    cell.agent.load("f1", load_seconds=30, batch_seconds=30, bank_seconds=1, total_seconds=60)
    return cell


@pytest.mark.parametrize("file", [FILE, PACKAGE, "/opt/rostrum/pyvenv.cfg"])
def test_a_lock_in_one_cell_is_not_felt_in_another(sandbox: Sandbox, job: Job, file: str) -> None:
    def lock(name: str) -> str:
        """Open the file, keep it open under this name, lock it without waiting."""
        kept = f"setattr(sys, {name!r}, open({file!r}))"
        return f"[{kept}, __import__('fcntl').flock(sys.{name}, 6), 'locked'][-1]"

    with ExitStack() as opened:
        one, other = (started(sandbox, job, opened, name) for name in ("one", "other"))
        assert look(one, lock("first")) == "locked"
        assert "BlockingIOError" in look(one, lock("second"))  # within a cell a lock is a lock
        assert look(other, lock("first")) == "locked"


@pytest.mark.parametrize("file", [FILE, PACKAGE, "/opt/rostrum/pyvenv.cfg"])
def test_a_watch_in_one_cell_sees_nothing_of_another(sandbox: Sandbox, job: Job, file: str) -> None:
    watch = (
        "[setattr(sys, 'libc', __import__('ctypes').CDLL(None)), "
        "setattr(sys, 'watch', sys.libc.inotify_init1(os.O_NONBLOCK)), "
        f"sys.libc.inotify_add_watch(sys.watch, {file.encode()!r}, 0xfff)][-1]"
    )
    seen, read = "len(os.read(sys.watch, 4096))", f"len(open({file!r}).read()) > 0"
    with ExitStack() as opened:
        one, other = (started(sandbox, job, opened, name) for name in ("one", "other"))
        assert int(look(one, watch)) > 0
        assert look(other, read) == "True"
        assert "BlockingIOError" in look(one, seen)
        assert look(one, read) == "True"
        assert int(look(one, seen)) > 0  # the watch works
