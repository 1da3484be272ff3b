"""Checks the tree of a commit by its listing, then writes it out as plain read-only files.

Contents come from `git cat-file`, never from a checkout, so no attribute, filter, line-ending
rule or link of the repository has any effect. A link to a file inside the tree is written as a
copy of that file; every other link is refused.
"""

import os
import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import SubmissionError
from worker.fetch.repository import Blobs, damaged

DEEPEST = 32
LONGEST = 1024
_LFS = b"version https://git-lfs.github.com/spec/"
_LFS_LARGEST = 1024
_LINK_LARGEST = 1024
_ENTRY = re.compile(rb"([0-7]{6}) (blob|commit) ([0-9a-f]{40}) +(\d{1,18}|-)\t(.+)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class File:
    """One blob of the tree: a `path` with slashes, its object id, its size in bytes."""

    path: str
    identity: str
    size: int
    link: bool = False


def check(listing: Iterable[bytes], *, max_bytes: int, max_files: int) -> list[File]:
    """The files of a `git ls-tree -r -z -l` listing, refused before anything is written.

    `repo_too_large` (`bytes`, `files`), `clone_refused` (`submodule`, `damaged`).
    """
    files: list[File] = []
    total = 0
    for entry in listing:
        files.append(_parsed(entry))
        total += files[-1].size
        if len(files) > max_files:
            raise SubmissionError(
                "repo_too_large", detail="files", message=f"more than {max_files} files"
            )
        if total > max_bytes:
            raise SubmissionError(
                "repo_too_large", detail="bytes", message=f"more than {max_bytes} bytes"
            )
    return files


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: bytes in all, and which files only stand for LFS objects."""

    bytes: int
    pointers: tuple[str, ...]


def export(files: list[File], blobs: Blobs, target: Path, *, max_bytes: int) -> Exported:
    """Write the files below `target` (made here), mode 0444; folders stay ours to write in.

    `clone_refused` (`link`). Links are replaced by the files they name, which count again.
    """
    plain = {file.path: file for file in files if not file.link}
    final = [_followed(file, plain, blobs) if file.link else file for file in files]
    total = sum(file.size for file in final)
    if total > max_bytes:
        raise SubmissionError(
            "repo_too_large", detail="bytes", message=f"more than {max_bytes} bytes"
        )
    target.mkdir()
    pointers = tuple(file.path for file in final if _write(file, blobs, target))
    return Exported(total, pointers)


def close(target: Path) -> None:
    """Make the folders below `target` read-only, now that all is in them."""
    for folder, _, _ in os.walk(target):
        if folder != str(target):
            Path(folder).chmod(0o555)


def _parsed(entry: bytes) -> File:
    found = _ENTRY.match(entry)
    if found is None:
        raise damaged("the tree cannot be read")
    mode, kind, identity, size, name = found.groups()
    if mode == b"160000" or kind == b"commit":
        raise SubmissionError("clone_refused", detail="submodule")
    if mode not in (b"100644", b"100755", b"100664", b"120000"):
        raise damaged("the tree holds something that is not a file")
    try:
        path = name.decode("utf-8")
    except UnicodeDecodeError:
        raise damaged("the tree holds a name that is not UTF-8") from None
    parts = path.split("/")
    if len(name) > LONGEST or len(parts) > DEEPEST or not all(map(_harmless, parts)):
        raise damaged("the tree holds a name that cannot be written")
    return File(path, identity.decode("ascii"), int(size), link=mode == b"120000")


def _harmless(part: str) -> bool:
    return part.isprintable() and 0 < len(part.encode()) <= 255 and part not in (".", "..")


def _followed(link: File, plain: dict[str, File], blobs: Blobs) -> File:
    """The file inside the tree that a link names, under the link's own path."""
    refused = SubmissionError(
        "clone_refused", detail="link", message="a link leaves the tree or names no file in it"
    )
    if link.size > _LINK_LARGEST:
        raise refused
    content = b"".join(blobs.read(link.identity, size=link.size))
    name = content.decode("utf-8", errors="replace")
    inside = posixpath.normpath(posixpath.join(posixpath.dirname(link.path), name))
    if name.startswith("/") or inside not in plain:
        raise refused
    return File(link.path, plain[inside].identity, plain[inside].size)


def _write(file: File, blobs: Blobs, target: Path) -> bool:
    """Write one file; whether it stands for an LFS object."""
    path = target / file.path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o444)
    except (FileExistsError, NotADirectoryError):
        raise damaged("the tree holds one name twice") from None
    with os.fdopen(descriptor, "wb") as writer:
        start = b""
        for chunk in blobs.read(file.identity, size=file.size):
            start = start or chunk
            writer.write(chunk)
    return file.size <= _LFS_LARGEST and start.startswith(_LFS)
