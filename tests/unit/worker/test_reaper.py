"""The reaper: what nobody needs goes, what a lock keeps stays, one failure stops nothing else."""

import os
from collections.abc import Iterable
from pathlib import Path

import humanworld
import pytest
from humanworld import HumanWorld
from partners import workplace

from harness.errors import OperatorError
from leaderboard import conversations
from worker import reaper
from worker.reaper import reap
from worker.workplace import Benches, Workplace


@pytest.fixture
def world(tmp_path: Path) -> HumanWorld:
    return humanworld.opened(tmp_path, finalists=2)


@pytest.fixture
def place(world: HumanWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    """A workplace whose reaper makes one round; it has no engine of its own."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    made = workplace(world.db, tmp_path)
    made.shutdown.set()
    return made


def old_tree(place: Workplace, commit: str) -> Path:
    """A tree that nobody has asked for since 1970."""
    home = place.settings.code_directory / "0123456789abcdef"
    (home / commit).mkdir(parents=True)
    facts = home / f"{commit}.json"
    facts.write_text("{}")
    os.utime(facts, (0, 0))
    return home / commit


def test_trees_and_images_of_finalists_stay(
    world: HumanWorld, place: Workplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = conversations.kept(world.db)
    named: list[str] = []

    def keep(digests: Iterable[str]) -> int:
        named.extend(digests)
        return len(named)

    monkeypatch.setattr(reaper, "keep_images", keep)
    trees = [old_tree(place, commit) for commit in kept.commits]
    other = old_tree(place, "f" * 40)
    reap(place)
    assert len(trees) == 2
    assert all(tree.is_dir() for tree in trees)
    assert not other.exists()
    assert named == ["sha256:1"]


def test_without_an_engine_there_are_no_images_and_that_is_no_failure(
    world: HumanWorld, place: Workplace, caplog: pytest.LogCaptureFixture
) -> None:
    reap(place)
    assert "failed" not in caplog.text


def test_a_step_that_fails_is_told_and_the_next_one_is_done(
    place: Workplace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: object, **__: object) -> int:
        raise OperatorError("engine_down", message="the engine has gone for lunch")

    monkeypatch.setattr(Benches, "reap", away)
    other = old_tree(place, "f" * 40)
    reap(place)
    assert "gone for lunch" in caplog.text
    assert not other.exists()
