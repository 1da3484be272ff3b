"""The sandbox folder: ours alone, and what is staged in it can be read by anyone."""

import os
import stat
from pathlib import Path

import pytest

from harness.errors import UsageError
from worker.place import Place


def test_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(UsageError, match="only this user can write"):
        Place.open(shared)


def test_a_link_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    place = tmp_path / "place"
    place.mkdir(mode=0o755)
    (place / "cells").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="cells"):
        Place.open(place)


def test_a_staged_tree_is_readable_by_all_and_holds_plain_things_only(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "deep").mkdir(parents=True, mode=0o700)
    (tree / "deep" / "weights").write_bytes(b"w")
    (tree / "deep" / "weights").chmod(0o600)
    (tree / "run.sh").write_text("#!/bin/sh\n")
    (tree / "run.sh").chmod(0o700)
    (tree / "link").symlink_to("/etc/passwd")
    os.mkfifo(tree / "pipe")
    place = Place.open(tmp_path / "place")
    staged = place.stage(tree, place.new_cell("cell", seconds=60) / "code")
    modes = {
        path.relative_to(staged).as_posix(): stat.S_IMODE(path.lstat().st_mode)
        for path in staged.rglob("*")
        if not path.is_symlink()
    }
    assert modes == {"deep": 0o755, "deep/weights": 0o644, "run.sh": 0o755}
    assert (staged / "link").readlink() == Path("/etc/passwd")


def test_what_lies_in_the_place_already_is_not_copied(tmp_path: Path) -> None:
    place = Place.open(tmp_path / "place")
    exported = place.root / "code" / "abc"
    exported.mkdir(parents=True)
    assert place.stage(exported, tmp_path / "unused") == exported


def test_the_sweep_takes_the_folders_of_dead_cells_alone(tmp_path: Path) -> None:
    place = Place.open(tmp_path / "place")
    dead = place.new_cell("rostrum-7-f1-0", seconds=-2)
    alive = place.new_cell("rostrum-8-f1-0", seconds=60)
    place.sweep()
    assert not dead.exists()
    assert alive.exists()
