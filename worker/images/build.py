"""One build of a submission's requirements: in a sandbox, against a clock, within bounds.

The sandbox is that of a cell, with three differences: a sized place to write, a proxy's socket in
place of the evaluator's, and sockets to itself. It holds the requirements, the runtime and the
package sources of this machine; no data set, no submission, no variable of the worker. Packages
that are built from source run their own code here, and only here.
"""

import hashlib
import json
import re
import secrets
import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from threading import Event
from typing import Protocol

from harness.errors import OperatorError, SubmissionError
from worker.images.cache import make_once
from worker.images.disk import ours_if_full
from worker.images.index import Index
from worker.images.parcel import BadParcelError, Hatch, NotBegunError, Parcel, TooLargeError
from worker.images.proxy import Proxy
from worker.images.runtime import Runtime
from worker.place import Place
from worker.sandbox import Exit, Limits
from worker.stopped import Stopped

LOG_BYTES = 256 << 10
MEMORY = 2 << 30
"""What pip and a package's own build may use besides the place that they write to."""

_SPARE_SECONDS = 60.0
_SPARE_BYTES = 128 << 20
TOOLS = "/opt/build"
WORK = "/build"
_CONFLICT = ("ResolutionImpossible", "conflicting dependencies", "incompatible")
_NOT_FOUND = ("No matching distribution", "Could not find a version")
_NO_ROOM = ("No space left on device", "Disk quota exceeded")
_NOT_BEGUN = "not begun"
_PASSWORD = re.compile(r"(?<=://)[^/\s@]+@")


class BuildError(SubmissionError):
    """`build_failed`, with what the build printed."""

    log: str = ""

    def __init__(self, detail: str, message: str, *, log: str = "") -> None:
        super().__init__("build_failed", detail=detail, message=message)
        self.log = log


class _LateError(Exception):
    """The time for a build is over."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What to build: the lines of a requirements file, pip's options, the versions held fast."""

    lines: tuple[str, ...]
    options: tuple[str, ...]
    constraints: str
    runtime: Runtime
    index: Index
    rules: "Rules"


@dataclass(frozen=True, slots=True)
class View:
    """What a build sees besides the runtime, and what it may use."""

    name: str
    papers: Path
    tools: Path
    folders: tuple[Path, ...]
    limits: Limits
    seconds: float


class Rules(Protocol):
    """What a build may take, as `[build]` of competition.toml says it: whether packages may be
    built from source, seconds, bytes of all installed files."""

    @property
    def source(self) -> bool: ...

    @property
    def seconds(self) -> int: ...

    @property
    def bytes(self) -> int: ...


class Room(Protocol):
    """One build sandbox: walls without anything of a submission inside."""

    uid: int
    """Who the inside is, as this machine sees it."""

    def start(self, view: View) -> None:
        """Start the build; `OperatorError` if that is not possible."""

    def ended(self) -> bool:
        """Whether it has ended by itself."""

    def finish(self) -> Exit:
        """End it by force, verify, and report with its log; harmless to repeat."""


@dataclass(frozen=True, slots=True)
class Built:
    """A finished build: what was installed, and what was printed."""

    parcel: Parcel
    log: str
    seconds: float


def build(
    errand: Errand,
    *,
    name: str,
    place: Place,
    destination: Path,
    open_room: Callable[[Runtime, Place], Room],
    stop: Event | None = None,
) -> Built:
    """Fill the empty folder `destination`.

    `BuildError` with a detail of `build_failed`; `OperatorError` if the engine, the disk or the
    package index failed, of which nothing inside can be the cause; `Stopped` if `stop` was set.
    """
    began = time.monotonic()
    seconds, most = float(errand.rules.seconds), errand.rules.bytes
    with ExitStack() as stack, ours_if_full():
        folder = place.new_cell(name, seconds=seconds + _SPARE_SECONDS)
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        papers = folder / "errand"
        papers.mkdir()
        _write_papers(papers, errand)
        room = open_room(errand.runtime, place)
        stack.callback(room.finish)
        tick = _watch(began + seconds, stop)
        hatch = Hatch(papers / "parcel.sock", uid=room.uid, most=most, tick=tick, ended=room.ended)
        stack.callback(hatch.close)
        proxy = Proxy(
            papers / "proxy.sock",
            hosts=errand.index.hosts,
            uid=room.uid,
            most=2 * most + _SPARE_BYTES,
            upstream=errand.index.upstream,
        )
        with proxy:
            room.start(
                _view(errand, name=f"{name}-{secrets.token_hex(4)}", papers=papers, place=place)
            )
            parcel, reason = _received(hatch, destination)
            ended = room.finish()
    log = _log(ended, proxy)
    if parcel is None or parcel.status:
        raise _why(reason, ended, proxy, log=log, rules=errand.rules)
    return Built(parcel, log, time.monotonic() - began)


def _watch(ends: float, stop: Event | None) -> Callable[[], None]:
    """Called while anything is waited for: raises when the wait is over."""

    def tick() -> None:
        if stop is not None and stop.is_set():
            raise Stopped
        if time.monotonic() > ends:
            raise _LateError

    return tick


def _received(hatch: Hatch, destination: Path) -> tuple[Parcel | None, str]:
    """The parcel, or the detail that stands for its absence."""
    try:
        return hatch.receive(destination), ""
    except TooLargeError:
        return None, "too_large"
    except _LateError:
        return None, "timeout"
    except NotBegunError:
        return None, _NOT_BEGUN
    except BadParcelError:
        return None, ""


def _why(
    reason: str, ended: Exit, proxy: Proxy, *, log: str, rules: Rules
) -> SubmissionError | OperatorError:
    """Whose fault a failed build is, and what it is called."""
    if reason == _NOT_BEGUN:
        said = " / ".join(log.splitlines()[-3:])[:300] or "nothing was printed"
        return OperatorError("start_timeout", message=f"a build sandbox did not start: {said}")
    if not reason and proxy.unreachable:
        hosts = ", ".join(sorted(proxy.unreachable))
        return OperatorError("index_down", message=f"the package index did not answer: {hosts}")
    full = ended.out_of_memory or proxy.over or any(phrase in log for phrase in _NO_ROOM)
    detail = reason or ("too_large" if full else _complaint(log, ended, source=rules.source))
    known = {
        "timeout": f"installing the requirements took longer than {rules.seconds} s",
        "too_large": f"the packages are larger than {rules.bytes} bytes",
    }
    lines = [line for line in log.splitlines() if line.strip()] or ["nothing was printed"]
    message = known.get(detail, f"pip could not install the requirements: {lines[-1][:300]}")
    return BuildError(detail, message, log=log)


def _complaint(log: str, ended: Exit, *, source: bool) -> str:
    """The detail for pip's last words; without known ones the requirements cannot be had."""
    if any(phrase in log for phrase in _NOT_FOUND):
        return "not_found"
    if any(phrase in log for phrase in _CONFLICT):
        return "conflict"
    return "source_failed" if source or ended.output_limit else "not_found"


def _log(ended: Exit, proxy: Proxy) -> str:
    """What the build printed, without passwords, and what it asked for in vain."""
    text = _PASSWORD.sub("****@", ended.log)
    for host in sorted(proxy.refused):
        text += (
            f"[rostrum] refused a connection to {host}: a build reaches the package index only\n"
        )
    return text


def _view(errand: Errand, *, name: str, papers: Path, place: Place) -> View:
    """Twice the bytes, because pip keeps the wheels until all of them are unpacked."""
    room = 2 * errand.rules.bytes + _SPARE_BYTES
    return View(
        name=name,
        papers=papers,
        tools=_tools(errand.index, place),
        folders=errand.index.folders,
        limits=Limits(memory=MEMORY + room, tmp=room, inodes=500_000, log_bytes=LOG_BYTES),
        seconds=errand.rules.seconds + _SPARE_SECONDS,
    )


def _write_papers(papers: Path, errand: Errand) -> None:
    variables = dict(errand.index.variables)
    if errand.index.certificates is not None:
        shutil.copyfile(errand.index.certificates, papers / "certificates.pem")
        variables["PIP_CERT"] = "/run/rostrum/certificates.pem"
    paper = {
        "lines": errand.lines,
        "options": errand.options,
        "constraints": errand.constraints,
        "variables": variables,
    }
    (papers / "errand.json").write_text(json.dumps(paper), "utf-8")
    for file in papers.iterdir():
        file.chmod(0o644)


def _tools(index: Index, place: Place) -> Path:
    """A folder with the host's pip, the filter and what runs inside; made once for each pip."""
    ours = {
        "inside_build.py": files("worker").joinpath("images", "inside_build.py").read_bytes(),
        "syscalls.py": files("harness").joinpath("remote", "filter.py").read_bytes(),
    }
    parts = (index.pip_version.encode(), str(index.pip).encode(), *ours.values())
    key = hashlib.sha256(b"\0".join(parts)).hexdigest()

    def make(folder: Path) -> None:
        place.stage(index.pip, folder / "pip" / "pip")
        for name, content in ours.items():
            (folder / name).write_bytes(content)
            (folder / name).chmod(0o644)

    return make_once(place.runtimes / f"build-{key[:16]}", make)
