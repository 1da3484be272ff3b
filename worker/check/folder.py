"""A participant's folder as the commit that the server would fetch, written out by the same door.

The listing has the form of git's own, so that `worker.fetch.tree` judges it as it judges a
commit: names, links, sizes, counts. LFS objects and the weights of rostrum.toml are taken from the
folder; nothing is asked of any host.
"""

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.agent import Track
from harness.errors import SubmissionError, UsageError
from harness.submission import entered
from worker.check.git import Listed, listed
from worker.fetch import tree, weights
from worker.fetch.download import Promise

POINTER = 1024
"""The most bytes of an LFS pointer: a file up to this size is read, to see whether it is one."""

_CHUNK = 1 << 20
_LEFT_OUT = (".git", "__pycache__")
"""What a plain folder's commit would not hold either."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that a commit may hold: bytes and files, and bytes of its large files."""

    max_bytes: int
    max_files: int
    large_bytes: int


@dataclass(frozen=True, slots=True)
class Folder:
    """What stands in the folder; `listed` is None where it is not the top of a git repository."""

    root: Path
    files: tuple[str, ...]
    listed: Listed | None = None
    _identities: dict[str, Path] = field(default_factory=dict)

    @classmethod
    def open(cls, root: Path) -> "Folder":
        """The folder; `UsageError` if it is none."""
        if not root.is_dir():
            what = "a file" if root.exists() else "not there"
            raise UsageError(f"{root} is {what}; name the folder that holds the eval_*.py files")
        if (seen := listed(root)) is not None:
            return cls(root, seen.files, seen)
        apart = _weights_of(root)
        return cls(root, tuple(path for path in _walked(root) if path not in apart))

    def tracks(self) -> tuple[Track, ...]:
        """The tracks that it has a file for."""
        return entered(self.root)

    @property
    def large(self) -> frozenset[str]:
        """The files that git keeps as LFS objects, and that are more than a pointer here."""
        kept = self.listed.large if self.listed else frozenset()
        return frozenset(path for path in kept if (self.root / path).stat().st_size > POINTER)

    def entries(self) -> Iterator[bytes]:
        """The plain files as `git ls-tree -r -z -l` lists them, with made-up ids."""
        submodules = self.listed.submodules if self.listed else ()
        for path in submodules:
            yield b"160000 commit %040x       -\t%s" % (0, os.fsencode(path))
        for number, path in enumerate(self.files, start=1):
            if path in self.large:
                continue
            identity = f"{number:040x}"
            self._identities[identity] = self.root / path
            found = (self.root / path).lstat()
            entry = f"{_mode(found)} blob {identity} {found.st_size}\t".encode("ascii")
            yield entry + os.fsencode(path)

    def read(self, identity: str, *, size: int) -> Iterator[bytes]:
        """The content of one listed file in chunks, as `worker.fetch.repository.Blobs` reads it."""
        path = self._identities[identity]
        if path.is_symlink():
            yield os.fsencode(path.readlink())
            return
        left = size
        with path.open("rb") as file:
            while left and (chunk := file.read(min(left, _CHUNK))):
                left -= len(chunk)
                yield chunk
        if left:
            raise UsageError(f"{path} became shorter while it was read: run the check again")


@dataclass(frozen=True, slots=True)
class Copied:
    """What the server would have: plain files and their bytes, large files and theirs."""

    files: int
    bytes: int
    large: int
    large_bytes: int


def copy(folder: Folder, target: Path, *, bounds: Bounds) -> Copied:
    """Write the tree that the server would run to `target` (made here).

    `SubmissionError` as of the fetch: `clone_refused`, `repo_too_large`.
    """
    most = bounds.max_files - len(folder.large)
    try:
        files = tree.check(folder.entries(), max_bytes=bounds.max_bytes, max_files=most)
        written = tree.export(files, folder, target, max_bytes=bounds.max_bytes)  # type: ignore[arg-type]  # it reads as Blobs do
    except SubmissionError as error:
        raise _named(error, folder) from error
    if written.pointers:
        raise _pointer(written.pointers[0])
    brought = {path: folder.root / path for path in sorted(folder.large)}
    for one in weights.named(target):
        if os.path.lexists(target / one.path):
            raise weights.refused(f"{one.path} is a file of the commit already")
        brought[one.path] = _weight(folder.root / one.path, one)
    large = sum(path.stat().st_size for path in brought.values())
    if large > bounds.large_bytes:
        raise SubmissionError(
            "repo_too_large",
            detail="large",
            message=f"the LFS objects and weights have {large:,} bytes together, "
            f"more than {bounds.large_bytes:,}",
        )
    _place(target, brought)
    return Copied(len(files) + len(folder.large), written.bytes, len(brought), large)


def _named(error: SubmissionError, folder: Folder) -> SubmissionError:
    """The same refusal with the file that it is about, where it is plain which that is."""
    what = None
    if error.detail == "submodule" and folder.listed:
        what = ", ".join(folder.listed.submodules)
    if error.detail == "link":
        what = next((path for path in folder.files if _leads_out(folder, path)), None)
    if error.code == "repo_too_large":
        sizes = ((folder.root / path).lstat().st_size for path in folder.files)
        size, path = max(zip(sizes, folder.files, strict=True))
        what = f"the largest file is {path}, {size:,} bytes"
    if not what:
        return error
    return SubmissionError(error.code, detail=error.detail, message=f"{error.message}: {what}")


def _leads_out(folder: Folder, path: str) -> bool:
    link = folder.root / path
    inside = link.resolve().is_relative_to(folder.root.resolve())
    return link.is_symlink() and not (inside and link.is_file())


def _weights_of(root: Path) -> frozenset[str]:
    """The files that rostrum.toml promises: a commit would not hold them."""
    try:
        return frozenset(one.path for one in weights.named(root))
    except SubmissionError:  # it is told where the tree is copied
        return frozenset()


def _walked(root: Path) -> Iterator[str]:
    """Every file and link below a plain folder, in the order of its name."""
    for parent, folders, files in os.walk(root):
        here = Path(parent)
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT)
        links = [name for name in folders if (here / name).is_symlink()]
        for name in sorted([*files, *links]):
            if stat.S_IFMT((here / name).lstat().st_mode) in (stat.S_IFREG, stat.S_IFLNK):
                yield (here / name).relative_to(root).as_posix()


def _mode(found: os.stat_result) -> str:
    if stat.S_ISLNK(found.st_mode):
        return "120000"
    return "100755" if found.st_mode & stat.S_IXUSR else "100644"


def _pointer(path: str) -> SubmissionError:
    return SubmissionError(
        "clone_refused",
        detail="lfs",
        message=f"{path} is a Git LFS pointer here: `git lfs pull` brings the file, which the "
        "server fetches by itself",
    )


def _weight(path: Path, named: weights.Weights) -> Path:
    """The file that rostrum.toml promises, which must be in the folder and keep the promise."""
    if not path.is_file():
        raise SubmissionError(
            "clone_refused",
            detail="weights_missing",
            message=f"rostrum.toml names {named.path}: the server downloads it, a check takes it "
            f"from the folder; put it there first",
        )
    if _promise(path) != named.promise:
        raise SubmissionError(
            "clone_refused",
            detail="large_content",
            message=f"{named.path} has another size or sha256 than rostrum.toml says",
        )
    return path


def _promise(path: Path) -> Promise:
    with path.open("rb") as file:
        return Promise(hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size)


def _place(target: Path, brought: Mapping[str, Path]) -> None:
    for name, source in brought.items():
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)
        place.chmod(0o444)
    tree.close(target)
