"""No sandbox at all: a plain process of this user, for public data and code of one's own."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from harness.errors import UsageError
from harness.remote.client import Listener, RemoteAgent
from worker.images.runtime import Runtime
from worker.place import Place
from worker.sandbox import Exit, Job, Over, in_no_case, inside
from worker.sandbox.cell import END_SECONDS, LEAVE_SECONDS, OneCell
from worker.sandbox.process import ended, wait_for
from worker.sandbox.tail import Tail

_log = logging.getLogger("rostrum.sandbox")
_LOUD = "NO SANDBOX: %s runs as a plain process and can read and write all that this user can"


class TrustedSandbox:
    """Cells as plain processes; refuses every job that is not on public data."""

    name = "trusted"

    def __init__(self, *, runtime: Runtime, place: Place):
        self._python = str(runtime.path or sys.executable)
        self._place = place

    def check(self) -> None:
        """Nothing is needed, nothing can be missing."""

    def start(self, job: Job) -> "TrustedCell":
        """Start the process and wait for its HELLO.

        `UsageError` unless the job keeps its log, which only jobs on public data do.
        """
        if not job.keep_log:
            raise UsageError(
                "the trusted runner has no walls and takes public data only: choose "
                "--sandbox docker or bubblewrap"
            )
        _log.warning(_LOUD, job.code)
        with ExitStack() as undo:
            folder = self._place.new_cell(job.name, seconds=job.deadline_seconds)
            undo.callback(shutil.rmtree, folder, ignore_errors=True)
            listener = undo.enter_context(Listener(folder, uid=None))
            process = self._run(job, listener.path)
            undo.callback(_kill_group, process)
            stderr = process.stderr
            assert stderr is not None
            tail = Tail(
                os.dup(stderr.fileno()),
                keep=job.limits.log_bytes,
                on_flood=lambda: _kill_group(process),
            )
            stderr.close()
            agent = listener.accept(timeout=job.limits.start)
            undo.pop_all()
            return TrustedCell(agent, process=process, tail=tail, folder=folder)

    def reap(self, *, over: Over = in_no_case) -> int:
        """No process: none that outlives its cell could be told from others. Left folders go."""
        self._place.sweep()
        return 0

    def _run(self, job: Job, path: Path) -> subprocess.Popen[bytes]:
        environment = inside.environment(job.limits) | {
            "PATH": os.environ.get("PATH", os.defpath),
            "ROSTRUM_SOCKET": str(path),
            "ROSTRUM_ENVIRONMENT": str(job.environment or inside.ENVIRONMENT),
        }
        return subprocess.Popen(  # noqa: S603 - our command; their code is trusted, by name
            inside.command(job.track_file, python=self._python, code=str(job.code)),
            cwd=job.code,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )


class TrustedCell(OneCell):
    """One process group."""

    def __init__(
        self, agent: RemoteAgent, *, process: subprocess.Popen[bytes], tail: Tail, folder: Path
    ):
        super().__init__(agent)
        self._process = process
        self._tail = tail
        self._folder = folder

    def first_process(self) -> int | None:
        """The process itself."""
        return self._process.pid if self._process.poll() is None else None

    def _end(self) -> Exit:
        status = wait_for(self._process, seconds=LEAVE_SECONDS)
        _kill_group(self._process)
        self._tail.stop(seconds=0.5)
        shutil.rmtree(self._folder, ignore_errors=True)
        return ended(
            status, tail=self._tail, gone=wait_for(self._process, seconds=END_SECONDS) is not None
        )


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + END_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
