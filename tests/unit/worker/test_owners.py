"""Whose cell is this: a lock that dies with its process, and the cells that nobody will end."""

import os
import subprocess
import sys
import time
from pathlib import Path

from worker import owners
from worker.place import Place

STAY = """
import sys
from pathlib import Path
from worker.place import Place

place = Place.open(Path(sys.argv[1]))
print(place.new_cell("rostrum-7-f1-0", seconds=3600), place.owner, flush=True)
sys.stdin.read()
"""


def another(root: Path) -> "tuple[subprocess.Popen[str], Path, str]":
    """Another process with a cell of its own, the folder of that cell, and its owner's name."""
    process = subprocess.Popen(
        [sys.executable, "-c", STAY, str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    folder, owner = process.stdout.readline().split()
    return process, Path(folder), owner


def test_the_cell_of_a_killed_process_goes_long_before_its_deadline(tmp_path: Path) -> None:
    place = Place.open(tmp_path / "place")
    mine = place.new_cell("rostrum-8-f1-0", seconds=3600)
    process, folder, owner = another(place.root)
    with process:
        place.sweep()
        assert not place.is_abandoned(owner)
        assert folder.is_dir()
        process.kill()
    place.sweep()
    assert place.is_abandoned(owner)
    assert not folder.exists()
    assert mine.is_dir()


def test_a_name_that_is_not_known_here_is_nobody_s_death(tmp_path: Path) -> None:
    folder = tmp_path / "owners"
    folder.mkdir()
    for name in ("", "0123abcd", "../owners", "."):
        assert not owners.is_dead(folder, name)


def test_one_process_has_one_name(tmp_path: Path) -> None:
    assert owners.mine(tmp_path) == owners.mine(tmp_path)
    assert not owners.is_dead(tmp_path, owners.mine(tmp_path))
    assert len(list(tmp_path.iterdir())) == 1


def test_the_names_of_the_long_dead_are_forgotten(tmp_path: Path) -> None:
    place = Place.open(tmp_path / "place")
    process, _, owner = another(place.root)
    with process:
        process.kill()
    lock = place.root / "owners" / owner
    owners.forget(lock.parent)
    assert lock.exists()
    long_ago = time.time() - 2 * owners.FORGOTTEN_SECONDS
    for path in (lock, lock.with_name(place.owner)):
        os.utime(path, (long_ago, long_ago))
    owners.forget(lock.parent)
    assert [path.name for path in lock.parent.iterdir()] == [place.owner]
