"""Hands large files on from one commit of a repository to the next, so that none is fetched twice.

A fetch that brought large files leaves a list, path to sha256, which the parent keeps with the
facts of the tree. The next fetch of the same repository finds them in its own folder, as further
links to the same read-only content: no bytes are copied, and a tree that is removed takes nothing
from another. Never across repositories: to know a hash is no right to read.
"""

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

FOLDER = "kept"
LIST = "large.json"

_LONGEST = 1 << 20
_COMMITS = 50
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


def offer(home: Path, scratch: Path, *, uid: int | None) -> None:
    """Link what earlier commits in `home` brought into the folder of a fetch, for `uid` to move."""
    folder = scratch / FOLDER
    folder.mkdir(mode=0o700)
    for source, sha256 in _earlier(home):
        with contextlib.suppress(OSError):  # there already, or its tree was removed just now
            os.link(source, folder / sha256, follow_symlinks=False)
    if uid is not None:
        os.chown(folder, uid, uid)


def listed(scratch: Path) -> dict[str, str]:
    """What the child says that it brought, path to sha256; empty where it makes no sense."""
    try:
        descriptor = os.open(scratch / LIST, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            return _checked(json.loads(file.read(_LONGEST)))
    except (OSError, ValueError, RecursionError):
        return {}


def _earlier(home: Path) -> Iterator[tuple[Path, str]]:
    """The large files of the trees in `home`, the newest commits first."""
    newest = sorted(home.glob("*.json"), key=_age, reverse=True)
    for file in newest[:_COMMITS]:
        tree = file.with_suffix("")
        try:
            facts = json.loads(file.read_text("utf-8"))
            brought = _checked(facts.get("large") if isinstance(facts, dict) else None)
            yield from _inside(tree.resolve(strict=True), brought)
        except (OSError, ValueError):
            continue


def _inside(tree: Path, brought: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """The files that are really in the tree: the list was written by who read foreign bytes."""
    for path, sha256 in brought.items():
        file = tree / path
        if file.resolve() == file and file.is_relative_to(tree) and file.is_file():
            yield file, sha256


def _checked(value: object) -> dict[str, str]:
    pairs = value.items() if isinstance(value, dict) else ()
    return {
        path: sha256
        for path, sha256 in pairs
        if isinstance(path, str) and isinstance(sha256, str) and _SHA256.match(sha256)
    }


def _age(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
