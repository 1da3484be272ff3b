"""Where a submission runs: one narrow contract, kept by Docker, bubblewrap and the trusted runner.

A `Sandbox` starts one `Cell`: a fresh, separated process group that runs our serve loop over one
track file, connects to the evaluator's socket and ends when it is told to. Labels, names of other
submissions and the worker's environment are never inside.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from harness.remote.client import RemoteAgent


@dataclass(frozen=True, slots=True)
class Limits:
    """What one cell may use; `competition.toml` [limits] states them.

    Seconds: `start`, `load`, `batch`, `bank` (slack shared by all batches), `total`.
    Bytes: `memory`, `tmp`, `log_bytes`. Counts: `pids`, `inodes`. `cpus` may be a fraction.
    """

    start: float = 20.0
    load: float = 600.0
    batch: float = 60.0
    bank: float = 120.0
    total: float = 7200.0
    memory: int = 4 << 30
    cpus: float = 2.0
    pids: int = 256
    tmp: int = 256 << 20
    inodes: int = 10_000
    log_bytes: int = 256 << 10


@dataclass(frozen=True, slots=True)
class Job:
    """One cell to start.

    `name` is unique per attempt, track and shard (`rostrum-<attempt>-<track>-<shard>`); `fence`
    tells a newer delivery of the same attempt from an older one. `code` is the exported tree,
    `environment` the installed requirements (None: none), `track_file` a name inside `code`.
    `keep_log` is true in a preflight on public data only. `gpu` is the one accelerator that the
    cell sees, by its number on this machine (None: none).
    """

    name: str
    fence: int
    code: Path
    track_file: str
    limits: Limits
    environment: Path | None = None
    keep_log: bool = False
    gpu: str | None = None
    deadline_seconds: float = 7200.0
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exit:
    """How a cell ended, as far as the runner itself could see.

    `code` is the exit status and `signal` the signal that ended it (one of them, or neither if it
    was still running when we removed it: `removed`). `out_of_memory`, `disk_full` and
    `output_limit` are the runner's own observations, and so is `killed`: it was ended by force from
    outside of its walls, which nothing inside can bring about. `gone` says that its disappearance
    was verified; `log` is the kept tail of standard error (preflight only).
    """

    code: int | None = None
    signal: int | None = None
    removed: bool = False
    out_of_memory: bool = False
    disk_full: bool = False
    output_limit: bool = False
    killed: bool = False
    gone: bool = True
    log: str = ""


Over = Callable[[Mapping[str, str]], bool]
"""Whether nobody needs the cell that bears these labels any more, so that it may be removed."""


def in_no_case(_labels: Mapping[str, str]) -> bool:
    """The `Over` of who knows of no cell's work."""
    return False


class Cell(Protocol):
    """One started sandbox; a context manager that leaves nothing behind.

    `agent` speaks the verbs over the socket; its HELLO has arrived, its LOAD has not been sent.
    """

    agent: RemoteAgent

    def first_process(self) -> int | None:
        """The first process of the cell as this machine numbers it, None if it has ended."""

    def finish(self) -> Exit:
        """Close our sockets first, end the cell by force within a deadline, verify, report.

        Harmless to repeat; later calls return the first answer."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Sandbox(Protocol):
    """A way to run cells on this machine."""

    name: str
    """As written in reports: `docker`, `bubblewrap` or `trusted`."""

    def check(self) -> None:
        """Raise `OperatorError` (`engine_down`, `image_missing`) if cells cannot be started."""

    def start(self, job: Job) -> Cell:
        """Start the cell and wait for its HELLO, at most `job.limits.start` seconds."""

    def reap(self, *, over: Over = in_no_case) -> int:
        """Remove our labelled cells that are past their deadline, and those whose work is `over`;
        how many were removed."""
