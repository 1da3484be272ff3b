"""The known files of a tar.gz archive, unpacked without trust in it."""

import tarfile
import zlib
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import IO

from harness.errors import UsageError

CHUNK = 1 << 20
MAX_MEMBERS = 10_000


def unpack(
    archive: Path, folder: Path, *, members: Collection[str], max_bytes: int
) -> dict[str, int]:
    """Write those files of `archive` whose names are in `members` to `folder`; bytes by name.

    Folders inside the archive do not matter, files of other names are passed over. `UsageError`: a
    link, a device, an absolute path, a `..`, a name that stands twice, more than `max_bytes` in
    all, or no whole tar.gz.
    """
    sizes: dict[str, int] = {}
    try:
        with tarfile.open(archive, "r|gz") as tar:
            for number, entry in enumerate(tar):
                _expect_safe(entry, archive=archive, number=number)
                name = PurePosixPath(entry.name).name
                if not entry.isreg() or name not in members:
                    continue
                if name in sizes:
                    raise _refused(archive, f"{name} stands in it twice")
                sizes[name] = entry.size
                if sum(sizes.values()) > max_bytes:
                    raise _refused(archive, f"its files have more than {max_bytes:,} bytes")
                _copy(tar.extractfile(entry), folder / name, size=entry.size)
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise _refused(archive, reason) from error
    return sizes


def _expect_safe(entry: tarfile.TarInfo, *, archive: Path, number: int) -> None:
    shown = repr(entry.name[:80])
    path = PurePosixPath(entry.name)
    if number >= MAX_MEMBERS:
        raise _refused(archive, f"it has more than {MAX_MEMBERS} members")
    if path.is_absolute() or ".." in path.parts or "\0" in entry.name:
        raise _refused(archive, f"{shown} leads out of its folder")
    if not (entry.isreg() or entry.isdir()):
        raise _refused(archive, f"{shown} is neither a file nor a folder")


def _copy(source: IO[bytes] | None, target: Path, *, size: int) -> None:
    with target.open("xb") as file:
        while source and size > 0 and (block := source.read(min(CHUNK, size))):
            size -= file.write(block)
    if size:
        raise EOFError("it is cut off")


def _refused(archive: Path, reason: str) -> UsageError:
    return UsageError(f"cannot unpack {archive}: {reason}", code="bad_archive")
