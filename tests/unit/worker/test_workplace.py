"""The benches of a worker: today's runtime by name, yesterday's by digest."""

from pathlib import Path

import pytest

from harness.errors import OperatorError
from worker import workplace as module
from worker.images import Runtime
from worker.images.runtime import SandboxName
from worker.place import Place
from worker.settings import Settings
from worker.workplace import Benches


class Walls:
    """A sandbox whose runtimes are those in `here`."""

    here: set[str]

    def __init__(self, name: str, runtime: Runtime) -> None:
        self.name, self.runtime = name, runtime

    def check(self) -> None:
        if self.runtime.digest not in Walls.here:
            raise OperatorError("image_missing")


@pytest.fixture
def benches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Benches:
    """Benches of a machine that has the runtime `today-1`, and makes `today-2` when asked again."""
    Walls.here = {"today-1", "sha256:old"}
    made: list[str] = []

    def prepare(name: SandboxName, _told: object) -> Runtime:
        made.append(f"today-{len(made) + 1}")
        return Runtime(name, made[-1])

    monkeypatch.setattr(module, "prepare", prepare)
    monkeypatch.setattr(module, "open_sandbox", lambda name, *, runtime, **_: Walls(name, runtime))
    return Benches(Settings(sandbox_directory=tmp_path, cache_directory=tmp_path))


def test_a_stored_runtime_is_that_of_its_digest_whatever_is_made_today(benches: Benches) -> None:
    assert benches.stored("docker", "sha256:old").runtime.digest == "sha256:old"
    assert benches.get("docker").runtime.digest == "today-1"
    assert benches.stored("docker", "sha256:old").runtime.digest == "sha256:old"
    with pytest.raises(OperatorError) as raised:
        benches.stored("docker", "sha256:gone")
    assert raised.value.code == "image_missing"


def test_a_stored_runtime_of_bubblewrap_is_a_folder(benches: Benches) -> None:
    Walls.here.add("f" * 64)
    path = benches.stored("bubblewrap", "f" * 64).runtime.path
    assert path == Place.open(benches.settings.sandbox_directory).runtimes / ("f" * 16)


def test_a_runtime_that_was_removed_is_made_anew_at_the_next_need(benches: Benches) -> None:
    assert benches.get("docker").runtime.digest == "today-1"
    Walls.here = {"today-2"}
    with pytest.raises(OperatorError):
        benches.get("docker")
    assert benches.get("docker").runtime.digest == "today-2"
