"""The fetch child: one request as JSON on standard input, one line of JSON on standard output.

Started by `worker.fetch.fetch` as `python -I -m worker.fetch` with an explicit environment, in a
session of its own. It bounds itself, copies a local repository while it still may, gives up its
rights for good, and only then reads a byte that a participant wrote.
"""

import errno
import json
import os
import resource
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

import git  # noqa: F401  # loaded before the rights are gone; so is all that it needs

from harness.errors import OperatorError, RostrumError, SubmissionError
from worker.fetch import address, local, repository, tree

_SLACK = 64 << 20
_MEMORY = 3 << 30
_OPEN_FILES = 256


@dataclass(frozen=True, slots=True)
class Request:
    """What to fetch, into which folder, as whom, within which limits (bytes, files, seconds)."""

    url: str
    ref: str
    scratch: Path
    uid: int | None
    max_bytes: int
    max_files: int
    seconds: int
    local_root: Path | None
    hosts: tuple[str, ...]

    @classmethod
    def parse(cls, text: bytes) -> "Request":
        """The request that the parent wrote."""
        fields = json.loads(text)
        root = fields.pop("local_root")
        return cls(
            scratch=Path(fields.pop("scratch")),
            local_root=Path(root) if root else None,
            hosts=tuple(fields.pop("hosts")),
            **fields,
        )


def main() -> None:
    """Answer one request; every outcome is one line."""
    try:
        answer = _answered(Request.parse(sys.stdin.buffer.read(65_536)))
    except RostrumError as error:
        answer = {"error": error.code, "detail": error.detail, "message": error.message}
    except OSError as error:
        answer = _of_system(error)
    except Exception:  # the parent logs it; the line is the only way out
        answer = _bug()
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _answered(request: Request) -> dict[str, object]:
    _bound(request)
    found = address.parse(request.url, local_root=request.local_root, hosts=request.hosts)
    ref = repository.wanted(request.ref)
    staged = request.scratch / "staged"
    if found.scheme == "file":
        local.stage(Path(found.url), staged, limit=request.max_bytes * 4 + _SLACK)
        _give(staged, request.uid)
    _drop(request.uid)
    os.chdir(request.scratch)
    url = f"file://{staged}" if found.scheme == "file" else found.url
    bare = repository.Repository(
        request.scratch / "bare", repository.environment(request.scratch, found)
    )
    commit = bare.fetch(url, ref)
    files = tree.check(
        bare.listing(commit), max_bytes=request.max_bytes, max_files=request.max_files
    )
    size = tree.export(files, bare.blobs(), request.scratch / "tree", max_bytes=request.max_bytes)
    return {"commit": commit, "bytes": size, "files": len(files)}


def _bound(request: Request) -> None:
    for kind, value in (
        (resource.RLIMIT_FSIZE, request.max_bytes + _SLACK),
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_CPU, request.seconds),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (value, value))
    os.umask(0o022)


def _give(folder: Path, uid: int | None) -> None:
    """Hand the staged copy to the user that will read it."""
    if uid is None:
        return
    os.chown(folder, uid, uid)
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(parent) / name, uid, uid, follow_symlinks=False)


def _drop(uid: int | None) -> None:
    if uid is None:
        return
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def _of_system(error: OSError) -> dict[str, object]:
    if error.errno == errno.ENOSPC:
        return {"error": OperatorError("disk_full").code, "detail": None, "message": str(error)}
    if error.errno == errno.EFBIG:
        large = SubmissionError("repo_too_large", detail="bytes")
        return {"error": large.code, "detail": large.detail, "message": large.message}
    return _bug()


def _bug() -> dict[str, object]:
    trace = traceback.format_exc()[-2000:]
    return {"error": "evaluator_bug", "detail": None, "message": trace}


if __name__ == "__main__":
    main()
