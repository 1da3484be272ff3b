"""Large files are handed on inside one repository, and nothing else ever is."""

import json
import os
from hashlib import sha256
from pathlib import Path

import pytest

from worker.fetch import kept

CONTENT = b"weights"
KEY = sha256(CONTENT).hexdigest()
COMMIT = "c" * 40


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A repository's folder with one tree that brought one large file."""
    tree = tmp_path / "home" / COMMIT
    (tree / "weights").mkdir(parents=True)
    (tree / "weights" / "model.bin").write_bytes(CONTENT)
    listed(tmp_path / "home", {"weights/model.bin": KEY})
    return tmp_path / "home"


def listed(home: Path, large: object) -> None:
    facts = {"bytes": 1, "files": 1, "large": large}
    (home / f"{COMMIT}.json").write_text(json.dumps(facts), "utf-8")


def offered(home: Path, name: str = "scratch") -> dict[str, Path]:
    scratch = home.parent / name
    scratch.mkdir()
    kept.offer(home, scratch, uid=None)
    return {path.name: path for path in (scratch / kept.FOLDER).iterdir()}


def test_what_an_earlier_commit_brought_is_linked_not_copied(home: Path) -> None:
    found = offered(home)
    assert list(found) == [KEY]
    assert found[KEY].stat().st_ino == (home / COMMIT / "weights" / "model.bin").stat().st_ino


def test_a_repository_that_nobody_fetched_offers_nothing(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    kept.offer(tmp_path / "missing", tmp_path / "scratch", uid=None)
    assert list((tmp_path / "scratch" / kept.FOLDER).iterdir()) == []


@pytest.mark.parametrize(
    "large",
    [
        {"../outside": KEY},
        {"/etc/passwd": KEY},
        {"weights/../../../outside": KEY},
        {"link": KEY},
        {"folder-link/outside": KEY},
        {"weights": KEY},
        {"missing": KEY},
        {"a\x00b": KEY},
        {"weights/model.bin": "../../escape"},
        {"weights/model.bin": 7},
        {"weights/model.bin": KEY.upper()},
        ["weights/model.bin", KEY],
        "weights/model.bin",
        None,
    ],
)
def test_a_list_that_lies_offers_nothing(home: Path, large: object) -> None:
    (home.parent / "outside").write_text("ours")
    (home / COMMIT / "link").symlink_to(home.parent / "outside")
    (home / COMMIT / "folder-link").symlink_to(home.parent)
    listed(home, large)
    assert offered(home) == {}


def test_facts_that_cannot_be_read_are_passed_by(home: Path) -> None:
    (home / f"{'b' * 40}.json").write_text("not json")
    (home / f"{'a' * 40}.json").write_text("[]")
    assert list(offered(home)) == [KEY]


def test_what_the_child_lists_is_read_with_care(tmp_path: Path) -> None:
    assert kept.listed(tmp_path) == {}
    file = tmp_path / kept.LIST
    file.write_text(json.dumps({"a/b.bin": KEY, "c": 3, "d": "x"}), "utf-8")
    assert kept.listed(tmp_path) == {"a/b.bin": KEY}
    file.write_text("[" * 100_000)
    assert kept.listed(tmp_path) == {}
    file.unlink()
    file.symlink_to("/etc/passwd")
    assert kept.listed(tmp_path) == {}
    file.unlink()
    os.mkfifo(file)
    assert kept.listed(tmp_path) == {}
