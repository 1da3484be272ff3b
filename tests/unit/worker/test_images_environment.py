"""Environments: built once for equal requirements, found again, made the same again."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.errors import OperatorError, SubmissionError, UsageError
from leaderboard.rules import Build
from worker.images import Environment, Runtime, prepare_environment, stored_environment
from worker.images import environment as environments
from worker.images.build import BuildError, Built, Errand
from worker.images.cache import locked
from worker.images.disk import ours_if_full
from worker.images.parcel import Package, Parcel
from worker.place import Place
from worker.stopped import Stopped

RUNTIME = Runtime("docker", "sha256:" + "0" * 64)
CHOSEN = (Package("nltk", "3.9", "a" * 64), Package("regex", "2026", "b" * 64))


@dataclass
class Builder:
    """Stands in for the build sandbox: remembers the errands, and fails where it is told to."""

    errands: list[Errand] = field(default_factory=list)
    fails: list[Exception | None] = field(default_factory=list)
    digest: str = "c" * 64

    def __call__(self, errand: Errand, *, destination: Path, **_: Any) -> Built:
        self.errands.append(errand)
        if self.fails and (error := self.fails.pop(0)):
            raise error
        time.sleep(0.05)
        (destination / "nltk.py").write_text("N = 1\n")
        return Built(Parcel(0, CHOSEN, self.digest, 6, 1), "what pip said\n", 0.1)


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch) -> Builder:
    made = Builder()
    monkeypatch.setattr(environments, "run_build", made)
    monkeypatch.setattr(environments, "read_index", lambda: SimpleNamespace(has_password=False))
    return made


@pytest.fixture
def prepared(tmp_path: Path) -> Callable[..., Environment | None]:
    place = Place.open(tmp_path / "place")

    def prepare(
        text: str = "nltk\n", *, sandbox: str = "docker", stop: threading.Event | None = None,
        source: bool = False, runtime: Runtime = RUNTIME,
    ) -> Environment | None:  # fmt: skip
        file = tmp_path / f"{abs(hash(text))}.txt"
        file.write_text(text)
        return prepare_environment(
            file,
            runtime=runtime,
            place=place,
            build=Build(source=source),
            sandbox=SimpleNamespace(name=sandbox),
            tell=lambda line: None,
            stop=stop,
        )

    return prepare


def test_no_requirements_build_nothing(
    builder: Builder, prepared: Callable[..., Environment | None]
) -> None:
    assert prepared("") is None
    assert prepared("# only a comment\n") is None
    assert builder.errands == []


def test_equal_requirements_are_built_once(
    builder: Builder, prepared: Callable[..., Environment | None]
) -> None:
    first = prepared("nltk>=3\nregex\n")
    again = prepared("regex  # words\n\nnltk>=3\n")
    assert first is not None
    assert first == again
    assert (first.path / "nltk.py").read_text() == "N = 1\n"
    assert first.name == first.path.name
    assert first.name.endswith("-" + "c" * 12)
    assert (first.log, first.packages) == ("what pip said\n", CHOSEN)
    assert len(builder.errands) == 1


def test_other_requirements_runtimes_and_rules_are_other_environments(
    builder: Builder, prepared: Callable[..., Environment | None]
) -> None:
    made = [
        prepared(),
        prepared("nltk==3\n"),
        prepared(runtime=Runtime("docker", "sha256:" + "1" * 64)),
        prepared(source=True),
    ]
    assert len({one.name for one in made if one}) == 4
    assert [errand.options for errand in builder.errands].count(()) == 1


def test_whoever_asks_at_the_same_time_waits_for_the_one_who_builds(
    builder: Builder, prepared: Callable[..., Environment | None]
) -> None:
    found: list[Environment | None] = []
    threads = [threading.Thread(target=lambda: found.append(prepared())) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(builder.errands) == 1
    assert len({one.name for one in found if one}) == 1


def test_what_was_collected_comes_back_as_it_was_chosen(
    builder: Builder, prepared: Callable[..., Environment | None]
) -> None:
    first = prepared()
    assert first is not None
    (first.path / "nltk.py").unlink()
    first.path.rmdir()
    assert prepared() == first
    again = builder.errands[1]
    pins = [f"nltk==3.9 --hash=sha256:{'a' * 64}", f"regex==2026 --hash=sha256:{'b' * 64}"]
    assert list(again.lines) == pins
    assert {"--no-deps", "--require-hashes"} <= set(again.options)


def test_what_cannot_be_had_any_more_is_chosen_anew_under_another_name(
    builder: Builder, prepared: Callable[..., Environment | None]
) -> None:
    first = prepared()
    assert first is not None
    (first.path / "nltk.py").unlink()
    first.path.rmdir()
    builder.fails, builder.digest = [BuildError("not_found", "yanked")], "d" * 64
    second = prepared()
    assert second is not None
    assert second.name != first.name
    assert [len(errand.lines) for errand in builder.errands] == [1, 2, 1]
    assert stored_environment(first.name, place=place_of(first)) is None
    assert stored_environment(second.name, place=place_of(first)) == second


def place_of(made: Environment) -> Place:
    return Place.open(made.path.parent.parent)


def test_an_environment_of_an_earlier_version_is_found_by_its_name(tmp_path: Path) -> None:
    place = Place.open(tmp_path)
    (place.environments / ("0" * 24)).mkdir()
    found = stored_environment("0" * 24, place=place)
    assert found is not None
    assert (found.path.name, found.packages) == ("0" * 24, ())


@pytest.mark.parametrize(
    "error", [BuildError("not_found", "x", log="said"), OperatorError("index_down")]
)
def test_a_build_that_fails_leaves_nothing_and_the_next_one_succeeds(
    builder: Builder, prepared: Callable[..., Environment | None], error: Exception, tmp_path: Path
) -> None:
    builder.fails = [error]
    with pytest.raises(type(error)):
        prepared()
    left = [path for path in (tmp_path / "place/environments").iterdir() if path.is_dir()]
    assert left == []
    assert prepared() is not None


def test_a_stop_ends_the_wait_for_another_builder(
    builder: Builder, prepared: Callable[..., Environment | None], tmp_path: Path
) -> None:
    first = prepared()
    assert first is not None
    first.path.rename(first.path.with_name("elsewhere"))
    stop = threading.Event()
    stop.set()
    with (
        locked(tmp_path / "place/environments" / first.name.partition("-")[0]),
        pytest.raises(Stopped),
    ):
        prepared(stop=stop)


def test_the_trusted_runner_installs_nothing(
    builder: Builder, prepared: Callable[..., Environment | None]
) -> None:
    assert prepared(sandbox="trusted") is None
    with pytest.raises(SubmissionError):
        prepared("torch\n", sandbox="trusted")
    assert builder.errands == []


def test_an_index_with_a_password_is_not_shown_to_packages_own_code(
    builder: Builder,
    prepared: Callable[..., Environment | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(environments, "read_index", lambda: SimpleNamespace(has_password=True))
    assert prepared() is not None
    with pytest.raises(UsageError, match="password"):
        prepared(source=True)


def test_our_own_full_disk_is_ours() -> None:
    with pytest.raises(OperatorError) as raised, ours_if_full():
        Path("/dev/full").write_text("x")
    assert raised.value.code == "disk_full"
    with pytest.raises(FileNotFoundError), ours_if_full():
        Path("/nowhere/at/all").read_text()
