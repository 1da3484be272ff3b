"""Copies the objects of a repository on this machine to where an unprivileged git may read them.

Git refuses a repository of another owner, and reads the configuration of the one it clones from.
So a local repository is never handed to git: its objects, branches and tags are copied, by name
pattern, without links, within a limit, into a bare repository that has no configuration but
ours.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from harness.errors import SubmissionError

_OBJECT = re.compile(r"(?:[0-9a-f]{2}/[0-9a-f]{38}|pack/pack-[0-9a-f]{40}\.(?:pack|idx))\Z")
_REF = re.compile(r"(?:[A-Za-z0-9._+-]+/)*[A-Za-z0-9._+-]+\Z")
_CHUNK = 1 << 20
_ENTRIES = 200_000
_DEEPEST = 8


def stage(source: Path, target: Path, *, limit: int) -> None:
    """Make `target` a bare repository with the objects, branches and tags of `source`.

    `source` is a bare repository or a folder with `.git`. Raises `clone_refused` (`access`) if it
    is neither, and `repo_too_large` past `limit` bytes.
    """
    root = source if (source / "objects").is_dir() else source / ".git"
    if not (root / "objects").is_dir():
        raise SubmissionError(
            "clone_refused", detail="access", message="the folder is not a git repository"
        )
    for folder in ("objects/pack", "objects/info", "refs/heads", "refs/tags"):
        (target / folder).mkdir(parents=True)
    (target / "HEAD").write_text("ref: refs/heads/main\n", "ascii")
    (target / "config").write_text(
        "[core]\n\trepositoryformatversion = 0\n\tbare = true\n", "ascii"
    )
    left = limit
    for name in _wanted(root):
        left -= _copy(root / name, target / name, limit=left)


def _wanted(root: Path) -> Iterator[str]:
    """The files to copy, relative to `root`, names checked before anything is opened."""
    for folder, pattern in (("objects", _OBJECT), ("refs/heads", _REF), ("refs/tags", _REF)):
        for path in _walk(root / folder, depth=0) if (root / folder).is_dir() else ():
            inner = path.relative_to(root / folder).as_posix()
            if pattern.match(inner):
                yield f"{folder}/{inner}"
    if (root / "packed-refs").exists():
        yield "packed-refs"


def _walk(folder: Path, *, depth: int) -> Iterator[Path]:
    """Every regular file below `folder`, following no link."""
    with os.scandir(folder) as entries:
        for number, entry in enumerate(entries):
            if number > _ENTRIES or depth > _DEEPEST:
                raise too_large("the repository holds too many files")
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path), depth=depth + 1)
            elif entry.is_file(follow_symlinks=False):
                yield Path(entry.path)


def _copy(source: Path, target: Path, *, limit: int) -> int:
    """Copy one file without following a link; how many bytes it had."""
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    size = 0
    with os.fdopen(descriptor, "rb") as reader, target.open("xb") as writer:
        while chunk := reader.read(_CHUNK):
            size += len(chunk)
            if size > limit:
                raise too_large("the repository is larger than the limit")
            writer.write(chunk)
    return size


def too_large(message: str) -> SubmissionError:
    """The refusal of a repository that does not fit."""
    return SubmissionError("repo_too_large", detail="bytes", message=message)
