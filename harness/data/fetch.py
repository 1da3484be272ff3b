"""Data sets from the net into the cache: checked by their sha256, there whole or not at all."""

import fcntl
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from harness.data import cache, convai2
from harness.data.archive import unpack
from harness.data.download import Limits, Progress, download
from harness.errors import RostrumError, UsageError

MARKER = "fetched.json"
"""The file in a set's folder that says what it was made of."""


@dataclass(frozen=True, slots=True)
class Fetchable:
    """A row of the sets that can be fetched.

    `members` are the files that are unpacked, `needed` those of them that must be there; the
    two bounds are in bytes, for the archive and for all its files.
    """

    name: str
    url: str
    sha256: str
    members: frozenset[str]
    needed: tuple[str, ...]
    max_archive_bytes: int
    max_unpacked_bytes: int


FETCHABLE: Mapping[str, Fetchable] = MappingProxyType(
    {
        row.name: row
        for row in (
            Fetchable(
                name="convai2",
                url="http://parl.ai/downloads/convai2/convai2_fix_723.tgz",
                sha256="d0ae89defe2fd0b0a4221eaa642a457d7d40cef475f54798119c7f3b8dd9361d",
                members=frozenset(one.file_name for one in convai2.VARIANTS.values()),
                needed=("train_self_original.txt", "valid_self_original.txt"),
                max_archive_bytes=1 << 30,
                max_unpacked_bytes=8 << 30,
            ),
        )
    }
)
"""The sets by name. ConvAI2's address and checksum are those of its own loader in ParlAI."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A set in the cache; `files` are bytes by name, `new` is False if it was there before."""

    name: str
    folder: Path
    files: Mapping[str, int]
    new: bool


def fetch(
    row: Fetchable,
    *,
    url: str | None = None,
    archive: Path | None = None,
    force: bool = False,
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> Fetched:
    """Bring a set into the cache, from its address, from another or from an archive at hand.

    The sha256 is checked whatever it comes from. A set that is there is left alone without
    `force`, and if something fails. `RostrumError` with the next step: no network, wrong bytes, a
    full disk, another fetch at work. `UsageError`: an archive that is none.
    """
    folder = cache.folder(row.name)
    try:
        with _alone(folder):
            if not force and (files := _there(folder, row)) is not None:
                return Fetched(row.name, folder, files, new=False)
            if archive is None:
                part = folder.with_name(f"{row.name}.part")
                _download(row, part, url=url or row.url, limits=limits, progress=progress)
                files = _install(row, part, folder)
                part.unlink()
            else:
                _expect_sum(row, archive)
                files = _install(row, archive, folder)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise RostrumError(
            f"cannot fetch {row.name}: {error.filename or folder}: {reason}", code="fetch_failed"
        ) from error
    return Fetched(row.name, folder, files, new=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Only one process at a time fetches a set; the lock ends with the process."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RostrumError(
                f"another process is fetching {folder.name}; wait for it", code="fetch_failed"
            ) from error
        yield


def _there(folder: Path, row: Fetchable) -> dict[str, int] | None:
    """The files of the set if it is there, made of the same archive, and none is missing."""
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        files = {str(name): int(size) for name, size in marker["files"].items()}
        whole = all((folder / name).stat().st_size == size for name, size in files.items())
        return files if whole and marker["sha256"] == row.sha256 else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _download(
    row: Fetchable, part: Path, *, url: str, limits: Limits | None, progress: Progress | None
) -> None:
    """Bring the archive; where bytes of two files met, the sum shows it: begun anew, once."""
    for _ in range(2):
        try:
            resumed = download(
                url, part, max_bytes=row.max_archive_bytes, limits=limits, progress=progress
            )
        except RostrumError as error:
            error.hint = error.hint or _elsewhere(row)
            raise
        found = _sha256(part)
        if found == row.sha256:
            return
        part.unlink()
        if not resumed:
            break
    raise RostrumError(
        f"{url} is not the expected file: its sha256 is {found}, not {row.sha256}",
        code="fetch_failed",
        hint=_elsewhere(row),
    )


def _elsewhere(row: Fetchable) -> str:
    return (
        f"Download {row.url} on another machine and run: "
        f"rostrum data fetch {row.name} --archive FILE"
    )


def _expect_sum(row: Fetchable, archive: Path) -> None:
    try:
        found = _sha256(archive)
    except OSError as error:
        raise UsageError(f"cannot read {archive}: {error.strerror}") from error
    if found != row.sha256:
        raise UsageError(
            f"{archive} is not {row.url}: its sha256 is {found}, not {row.sha256}",
            hint="Download it again; a page that a browser saved is not the archive.",
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _install(row: Fetchable, archive: Path, folder: Path) -> dict[str, int]:
    """Unpack beside the set's folder, then take its place; what a killed fetch left goes."""
    for left in folder.parent.glob(f".{row.name}.*"):
        shutil.rmtree(left, ignore_errors=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{row.name}.", dir=folder.parent))
    try:
        files = unpack(archive, fresh, members=row.members, max_bytes=row.max_unpacked_bytes)
        if missing := [name for name in row.needed if name not in files]:
            raise UsageError(f"{archive} holds no {', '.join(missing)}", code="bad_archive")
        marker = {"name": row.name, "sha256": row.sha256, "files": files}
        (fresh / MARKER).write_text(json.dumps(marker, indent=1) + "\n", encoding="utf-8")
        fresh.chmod(0o755)
        _take_place(fresh, folder)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    return files


def _take_place(fresh: Path, folder: Path) -> None:
    """Rename the new folder over the old one; between the two renames there is none."""
    former = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    if folder.exists():
        folder.rename(former / folder.name)
    fresh.rename(folder)
    shutil.rmtree(former, ignore_errors=True)
