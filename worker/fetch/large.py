"""Brings the large files of a fetched tree: its LFS objects, and the weights it names.

Everything is summed before anything is asked. An object that an earlier commit of the repository
brought is offered by the parent (`worker.fetch.kept`) and moved into place; the others come over
https. What was brought is listed for the parent.
"""

import errno
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import SubmissionError
from worker.fetch import address, kept, lfs, weights
from worker.fetch.download import Line, Promise, Unanswered, download
from worker.fetch.request import Access, Request
from worker.fetch.transport import Way, authorization, ssh_command, variables
from worker.fetch.wire import Https, Wire, trusted

MOST = 200
"""The most large files of one tree."""


@dataclass(frozen=True, slots=True)
class Large:
    """One large file of the tree: its path, what was promised, `url` where it is a weight's."""

    path: str
    promise: Promise
    url: str | None = None


def fill(
    tree: Path,
    request: Request,
    *,
    way: Way,
    pointers: Sequence[str],
    wire: Wire | None = None,
) -> int:
    """Put every large file in its place in `tree`, read-only; the bytes of all of them.

    `pointers` are the files of the tree that stand for LFS objects. Raises `repo_too_large`
    (`large`), `clone_refused` (`lfs`, `lfs_missing`, `weights`, `weights_missing`, `large_host`,
    `large_content`, `timeout`, `address`).
    """
    if pointers:
        lfs.expect_server(way.address)
    found = [*_objects(tree, pointers), *_named(tree)]
    total = _bounded(found, max_bytes=request.bounds.large_bytes)
    if found:
        _place(_line(way, request, wire=wire), way, tree, found)
        (way.scratch / kept.LIST).write_text(
            json.dumps({one.path: one.promise.sha256 for one in found}), "utf-8"
        )
    return total


def _objects(tree: Path, pointers: Sequence[str]) -> Iterable[Large]:
    """What the pointers name, whatever .gitattributes says of them."""
    for path in pointers:
        yield Large(path, lfs.pointer((tree / path).read_bytes()))


def _named(tree: Path) -> Iterable[Large]:
    """The weights of rostrum.toml."""
    for one in weights.named(tree):
        if os.path.lexists(tree / one.path):
            raise weights.refused(f"{one.path} is a file of the commit already")
        yield Large(one.path, one.promise, one.url)


def _bounded(found: list[Large], *, max_bytes: int) -> int:
    total = sum(one.promise.bytes for one in found)
    if total > max_bytes or len(found) > MOST:
        raise SubmissionError(
            "repo_too_large",
            detail="large",
            message=f"{len(found)} large files of {total} bytes; at most {MOST} of {max_bytes}",
        )
    return total


def _line(way: Way, request: Request, *, wire: Wire | None) -> Line:
    """The way out; its deadline is an upper bound, the parent's is earlier and strict."""
    ca_file = way.scratch / "ca.pem"
    return Line(
        home=frozenset({(way.address.host, 443), (way.address.host, way.address.port)}),
        hosts=request.access.large_hosts,
        deadline=time.monotonic() + request.bounds.seconds,
        resolve=_resolver(way, request.access),
        wire=wire or Https(trusted(ca_file if ca_file.exists() else None)),
    )


def _resolver(way: Way, access: Access) -> Callable[[address.Address], str]:
    """The address that git was given holds on; every other is looked up once."""

    def resolve(asked: address.Address) -> str:
        if (asked.host, asked.port) == (way.address.host, way.address.port):
            return way.pinned
        return address.resolve(asked, private_hosts=access.private_hosts)

    return resolve


def _place(line: Line, way: Way, tree: Path, found: list[Large]) -> None:
    """Bring each content once, then put it everywhere that it belongs."""
    folder = way.scratch / "large"
    folder.mkdir()
    contents = {one.promise: folder / one.promise.sha256 for one in found}
    offered = {
        promise: way.scratch / kept.FOLDER / promise.sha256
        for promise in contents
        if _fits(way.scratch / kept.FOLDER / promise.sha256, promise)
    }
    named = {one.promise: one.url for one in found if one.url is not None}
    objects = {p: path for p, path in contents.items() if p not in offered and p not in named}
    lfs.bring(line, _origin(way), objects)
    for promise, url in named.items():
        if promise not in offered:
            _download(line, url, promise, contents[promise])
    _put(tree, found, contents | offered)


def _fits(path: Path, promise: Promise) -> bool:
    return path.is_file() and path.stat().st_size == promise.bytes


def _origin(way: Way) -> lfs.Origin:
    secret, scheme = way.secret, way.address.scheme
    if scheme == "ssh":
        return lfs.Origin(way.address, ssh=ssh_command(way), environment=variables(way))
    shown = {}
    if secret is not None and secret.kind == "https" and scheme == "https":
        shown = {"Authorization": authorization(secret)}
    return lfs.Origin(way.address, headers=shown)


def _download(line: Line, url: str, promise: Promise, target: Path) -> None:
    """One of the weights; its host is shown nothing, the repository's own host neither."""
    try:
        download(line, url, promise, target, headers={})
    except Unanswered as unanswered:
        raise SubmissionError(
            "clone_refused", detail="weights_missing", message=f"{target.name[:12]}: {unanswered}"
        ) from unanswered


def _put(tree: Path, found: list[Large], contents: Mapping[Promise, Path]) -> None:
    """Move each content to the first path that wants it, and link or copy it to the others."""
    placed: dict[Promise, Path] = {}
    for one in found:
        target = _made(tree, one.path)
        if one.url is None:
            target.unlink()
        if one.promise in placed:
            _link(placed[one.promise], target)
        else:
            placed[one.promise] = contents[one.promise].rename(target)
            if target.stat().st_uid == os.geteuid():  # else it is ours already, and read-only
                target.chmod(0o444)


def _made(tree: Path, path: str) -> Path:
    """The file of this path, its folder made where it is missing."""
    target = tree / path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise weights.refused(f"{path} lies below a file of the commit") from None
    return target


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EMLINK):
            raise
        shutil.copyfile(source, target)  # another user's file may not be linked, only read
        target.chmod(0o444)
