"""The fetch child: one request as JSON on standard input, one line of JSON on standard output.

Started by `worker.fetch.child.ask` as `python -I -m worker.fetch` with an explicit environment, in
a session of its own. It bounds itself, copies what it may read only now (a local repository, the
organizer's certificates), gives up its rights for good, and only then reads a byte that a
participant wrote. No answer holds the secret.
"""

import errno
import json
import os
import resource
import signal
import sys
import traceback
from pathlib import Path

import git  # noqa: F401  # loaded before the rights are gone; so is all that it needs

from harness.errors import OperatorError, RostrumError, SubmissionError
from leaderboard.vault import Secret
from worker.fetch import account, address, large, local, repository, transport, tree
from worker.fetch.request import LONGEST, Request
from worker.fetch.transport import Way

_SLACK = 64 << 20
_MEMORY = 3 << 30
_OPEN_FILES = 256
_ORPHAN_SECONDS = 3


def main() -> None:
    """Answer one request; every outcome is one line."""
    request = Request.loads(sys.stdin.buffer.read(LONGEST))
    try:
        answer = _answered(request)
    except RostrumError as error:
        answer = {"error": error.code, "detail": error.detail, "message": error.message}
    except OSError as error:
        answer = _of_system(error)
    except Exception:  # the parent logs it; the line is the only way out
        answer = _bug()
    if "message" in answer:
        answer["message"] = _without(request.secret, answer["message"])
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _answered(request: Request) -> dict[str, object]:
    _bound(request)
    access = request.access
    found = address.parse(
        request.url,
        local_root=access.local_root,
        hosts=access.hosts,
        private_hosts=access.private_hosts,
    )
    refs = repository.wanted(request.ref)
    _prepare(request, found)
    _drop(request.uid)
    os.chdir(request.scratch)
    way = _way(request, found)
    try:
        return _resolved(way, refs) if request.task == "resolve" else _fetched(request, way, refs)
    except SubmissionError as error:
        if error.detail != "host_key":
            raise
        message = f"{transport.unknown_host(way, access.known_hosts)}; {error.message}"
        raise SubmissionError(error.code, detail=error.detail, message=message) from None
    finally:
        way.key.unlink(missing_ok=True)


def _prepare(request: Request, found: address.Address) -> None:
    """What needs the rights that are given up next."""
    for file in transport.lay_out(request, found.scheme):
        _give(file, request.uid)
    if found.scheme == "file":
        staged = request.scratch / "staged"
        local.stage(Path(found.url), staged, limit=request.bounds.max_bytes * 4 + _SLACK)
        _give(staged, request.uid)
    if found.scheme == "ssh" and request.uid is not None:
        account.ensure(request.uid, home=request.scratch)


def _way(request: Request, found: address.Address) -> Way:
    scratch = request.scratch
    if found.scheme == "file":
        return Way(address.Address("file", f"file://{scratch / 'staged'}"), "", scratch)
    pinned = address.resolve(found, private_hosts=request.access.private_hosts)
    ca_file = scratch / "ca.pem" if request.access.ca_file else None
    return Way(found, pinned, scratch, request.secret, ca_file)


def _bare(way: Way) -> repository.Repository:
    return repository.Repository(way.scratch / "bare", transport.variables(way))


def _resolved(way: Way, refs: tuple[str, ...]) -> dict[str, object]:
    return {"commit": _bare(way).resolve(way.address.url, refs)}


def _fetched(request: Request, way: Way, refs: tuple[str, ...]) -> dict[str, object]:
    bare, bounds = _bare(way), request.bounds
    commit = bare.fetch(way.address.url, refs)
    files = tree.check(bare.listing(commit), max_bytes=bounds.max_bytes, max_files=bounds.max_files)
    target = request.scratch / "tree"
    exported = tree.export(files, bare.blobs(), target, max_bytes=bounds.max_bytes)
    added = large.fill(target, request, way=way, pointers=exported.pointers)
    tree.close(target)
    return {"commit": commit, "bytes": exported.bytes + added, "files": len(files)}


def _bound(request: Request) -> None:
    bounds = request.bounds
    for kind, value in (
        (resource.RLIMIT_FSIZE, max(bounds.max_bytes, bounds.large_bytes) + _SLACK),
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_CPU, max(1, int(bounds.seconds))),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (value, value))
    os.umask(0o022)
    signal.signal(signal.SIGALRM, lambda *_: _end_all(request.scratch))
    signal.alarm(max(1, int(bounds.seconds)) + _ORPHAN_SECONDS)


def _end_all(scratch: Path) -> None:
    """End this child and its gits: the parent, which should have done it by now, is gone."""
    (scratch / "key").unlink(missing_ok=True)
    os.killpg(0, signal.SIGKILL)


def _give(path: Path, uid: int | None) -> None:
    """Hand a copy to the user that will read it."""
    if uid is None:
        return
    os.chown(path, uid, uid)
    for parent, folders, files in os.walk(path):
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
        large_tree = SubmissionError("repo_too_large", detail="bytes")
        return {"error": large_tree.code, "detail": "bytes", "message": large_tree.message}
    return _bug()


def _bug() -> dict[str, object]:
    trace = traceback.format_exc()[-2000:]
    return {"error": "evaluator_bug", "detail": None, "message": trace}


def _without(secret: Secret | None, message: object) -> str:
    """The message, should it hold the secret against all intent, without it."""
    text = str(message)
    if secret is None:
        return text
    for hidden in filter(None, (secret.value, transport.authorization(secret)[len("Basic ") :])):
        text = text.replace(hidden, "***")
    return text


if __name__ == "__main__":
    main()
