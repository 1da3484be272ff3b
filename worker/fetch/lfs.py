"""Brings the LFS objects that pointers name, from where the repository's own host keeps them.

The host's batch API is asked over https, with the credential of the repository; for an ssh address
the host is asked over ssh first (`git-lfs-authenticate`). A pointer holds sha256 and size, so what
a server says of an object is never believed. `.lfsconfig` is not read: a commit chooses no host.
"""

import json
import re
import subprocess
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from typing import Any

from harness.errors import SubmissionError
from worker.fetch.address import Address
from worker.fetch.download import Line, Promise, Unanswered, download

AT_ONCE = 100
"""Objects in one request; hosts take no more."""

_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n"
    rb"oid sha256:([0-9a-f]{64})\nsize (0|[1-9][0-9]{0,14})\n?\Z"
)
_MEDIA = "application/vnd.git-lfs+json"
_ANSWER = 4 << 20
_SSH_ANSWER = 64 << 10
_SSH_SECONDS = 60.0
_HEADERS = 20
_NAME = re.compile(r"(?:authorization|accept|x-[a-z0-9-]{1,60})\Z", re.IGNORECASE)
_VALUE = re.compile(r"[ -~]{0,4096}\Z")


@dataclass(frozen=True, slots=True)
class Origin:
    """The repository: its address, and what opens it.

    `headers` are what its host is shown over https (a token, or none); `ssh` the words of the
    command that reaches it, run with `environment`, where the address is one of ssh.
    """

    address: Address
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ssh: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address with the headers that belong to it."""

    url: str
    headers: Mapping[str, str] = field(repr=False)


def pointer(content: bytes) -> Promise:
    """What a pointer promises; `clone_refused` (`lfs`) if it only begins like one."""
    found = _POINTER.match(content)
    if found is None:
        raise _refused("a pointer of the tree cannot be read")
    return Promise(found[1].decode("ascii"), int(found[2]))


def expect_server(address: Address) -> None:
    """Refuse (`lfs`) an address beside which there is no LFS server: a folder of this machine."""
    if address.scheme == "file":
        raise _refused("a folder of this machine hands out no LFS objects")


def bring(line: Line, origin: Origin, wanted: Mapping[Promise, Path]) -> None:
    """Write each object to its path.

    Raises `clone_refused` (`lfs`, `lfs_missing`, and those of `download`).
    """
    if not wanted:
        return
    server = _server(line, origin)
    promises = list(wanted)
    for first in range(0, len(promises), AT_ONCE):
        for promise, source in _sources(line, server, promises[first : first + AT_ONCE]):
            try:
                download(line, source.url, promise, wanted[promise], headers=source.headers)
            except Unanswered as unanswered:
                raise _words(unanswered, missing=True) from unanswered


def _server(line: Line, origin: Origin) -> Endpoint:
    """The LFS server of the repository."""
    address = origin.address
    path = address.url.partition("://")[2].partition("/")[2]
    if address.scheme == "ssh":
        return _by_ssh(line, origin, path)
    whole = path if path.endswith(".git") else f"{path}.git"
    base = f"https://{address.host}:{address.port}"
    return Endpoint(f"{base}/{whole}/info/lfs", origin.headers)


def _by_ssh(line: Line, origin: Origin, path: str) -> Endpoint:
    """What the host answers over ssh: where its LFS server is, and a token for it."""
    host = origin.address.url.removeprefix("ssh://").partition("/")[0].rpartition(":")[0]
    command = f"git-lfs-authenticate {path} download"  # the path has no character of a shell
    target = ["-p", str(origin.address.port), "--", host, command]
    said = _said([*origin.ssh, *target], origin.environment, seconds=min(_SSH_SECONDS, line.left()))
    action = _object(said)
    if not isinstance(action.get("href"), str):
        raise _refused("the host does not know git-lfs-authenticate")
    return Endpoint(action["href"].rstrip("/"), _headers(action))


def _said(command: Sequence[str], environment: Mapping[str, str], *, seconds: float) -> bytes:
    """What a command prints, at most 64 KiB within its time."""
    with subprocess.Popen(  # noqa: S603  # fixed words, and parts of a checked address
        command,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        timer = Timer(seconds, process.kill)
        timer.start()
        try:
            assert process.stdout is not None
            return process.stdout.read(_SSH_ANSWER)
        finally:
            process.kill()
            timer.cancel()


def _sources(
    line: Line, server: Endpoint, promises: Collection[Promise]
) -> Iterator[tuple[Promise, Endpoint]]:
    """Where the server says that each object lies."""
    objects = {str(entry.get("oid")): entry for entry in _batch(line, server, promises)}
    for promise in promises:
        yield promise, _source(line, server, objects.get(promise.sha256, {}))


def _batch(line: Line, server: Endpoint, promises: Collection[Promise]) -> list[Any]:
    """The server's objects, as it describes them; Any: from outside, read key by key."""
    body = {
        "operation": "download",
        "transfers": ["basic"],
        "hash_algo": "sha256",
        "objects": [{"oid": promise.sha256, "size": promise.bytes} for promise in promises],
    }
    place = line.place(f"{server.url}/objects/batch")
    media = {"Accept": _MEDIA, "Content-Type": _MEDIA, "Accept-Encoding": "identity"}
    found: list[Any] = []  # Any: as above

    def ask() -> None:
        sent = json.dumps(body).encode("ascii")
        with line.ask(place, headers={**server.headers, **media}, body=sent) as answer:
            if answer.status != 200:
                raise Unanswered(answer.status)
            content = b"".join(line.pieces(answer, most=_ANSWER))
        objects = _object(content).get("objects")
        if not isinstance(objects, list) or not all(isinstance(one, dict) for one in objects):
            raise _refused("the host's answer about its LFS objects cannot be read")
        found[:] = objects

    try:
        line.retried(ask)
    except Unanswered as unanswered:
        raise _words(unanswered) from unanswered
    return found


def _source(line: Line, server: Endpoint, entry: Mapping[str, Any]) -> Endpoint:
    """Where one object lies, and what its host is shown; Any: from outside, read key by key."""
    actions = entry.get("actions")
    action = actions.get("download") if isinstance(actions, dict) else None
    if not isinstance(action, dict) or not isinstance(action.get("href"), str):
        error = entry.get("error")
        code = error.get("code", 404) if isinstance(error, dict) else 404
        raise _words(Unanswered(code if isinstance(code, int) else 0), missing=True)
    url, headers = action["href"], _headers(action)
    ours = line.place(url).origin == line.place(server.url).origin
    if ours and entry.get("authenticated") is not True and not _authorized(headers):
        headers = {**headers, **server.headers}
    return Endpoint(url, headers)


def _headers(action: Mapping[str, Any]) -> dict[str, str]:
    """The headers that an action asks for, those that may be sent; Any: as above."""
    given = action.get("header")
    pairs = list(given.items())[:_HEADERS] if isinstance(given, dict) else []
    return {
        name: value
        for name, value in pairs
        if _NAME.match(name) and isinstance(value, str) and _VALUE.match(value)
    }


def _authorized(headers: Mapping[str, str]) -> bool:
    return any(name.lower() == "authorization" for name in headers)


def _object(content: bytes) -> dict[str, Any]:
    """A JSON object from outside; Any: read key by key."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {}


def _words(unanswered: Unanswered, *, missing: bool = False) -> SubmissionError:
    """What the host's silence or refusal means to the team."""
    if missing and unanswered.status in (404, 410):
        return SubmissionError("clone_refused", detail="lfs_missing")
    return _refused(f"the host hands out no LFS objects ({unanswered})")


def _refused(message: str) -> SubmissionError:
    return SubmissionError("clone_refused", detail="lfs", message=message)
