"""Cells by bubblewrap, where there is no engine: namespaces of their own, a user id per slot.

The privileges are dropped before bubblewrap starts, because started as root it would leave the
inside writable places of the kernel. There is no cgroup: memory is bounded per process, inodes
are not bounded at all, and reports say `bubblewrap`. A cell dies with the thread that started it.
"""

import os
import shutil
import signal
import subprocess
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from harness.errors import OperatorError
from harness.remote.client import Listener, RemoteAgent
from worker.images.runtime import Runtime
from worker.place import Place
from worker.sandbox import Exit, Job, Limits, Over, in_no_case, inside
from worker.sandbox.cell import END_SECONDS, LEAVE_SECONDS, OneCell
from worker.sandbox.process import ended, wait_for
from worker.sandbox.slots import FIRST_UID, Slot, end_abandoned
from worker.sandbox.tail import Tail

TOOLS = ("bwrap", "setpriv", "prlimit")
CHECK_SECONDS = 20.0
_SYSTEM = ("bin", "lib", "lib32", "lib64", "sbin")
_NAMESPACES = ("user", "ipc", "pid", "net", "uts", "cgroup")


class BubblewrapSandbox:
    """Cells in namespaces, each under a user id of its own; needs root, to drop to it."""

    name = "bubblewrap"

    def __init__(self, *, runtime: Runtime, place: Place):
        if runtime.path is None:
            raise ValueError("the runtime of bubblewrap has a path")
        self._runtime = runtime.path
        self._place = place

    def check(self) -> None:
        """`engine_down` if a cell cannot be started here, `image_missing` without the runtime."""
        if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
            raise OperatorError("engine_down", message=f"not installed: {', '.join(missing)}")
        if os.geteuid() != 0:
            raise OperatorError("engine_down", message="bubblewrap cells need a worker with root")
        if not (self._runtime / "bin" / "python").exists():
            raise OperatorError("image_missing", message=f"no runtime at {self._runtime}")
        self._try_one()

    def start(self, job: Job) -> "BubblewrapCell":
        """Start the namespaces and wait for HELLO.

        `OperatorError` on any failure: before HELLO no byte of the submission is read.
        """
        if os.geteuid() != 0:
            raise OperatorError("engine_down", message="bubblewrap cells need a worker with root")
        with ExitStack() as undo:
            folder = self._place.new_cell(job.name, seconds=job.deadline_seconds)
            undo.callback(shutil.rmtree, folder, ignore_errors=True)
            sockets = folder / "socket"
            sockets.mkdir()
            code = self._place.stage(job.code, folder / "code")
            slot = Slot(self._place.slots)
            undo.callback(slot.release)
            listener = undo.enter_context(Listener(sockets, uid=slot.uid))
            process = subprocess.Popen(  # noqa: S603 - our own argument list
                [
                    *_drop(slot.uid, job.limits),
                    *self._walls(job.limits, code=code, sockets=sockets, packages=job.environment),
                    *inside.command(job.track_file),
                ],
                env={"PATH": os.defpath},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE if job.keep_log else subprocess.DEVNULL,
                start_new_session=True,
            )
            undo.callback(_end_by_force, process, slot)
            tail = _tail(process, slot, keep=job.limits.log_bytes)
            agent = listener.accept(timeout=job.limits.start)
            undo.pop_all()
            return BubblewrapCell(agent, process=process, slot=slot, tail=tail, folder=folder)

    def reap(self, *, over: Over = in_no_case) -> int:
        """End what a killed worker left under ids that nobody holds; how many ids had any.

        Cells die with their worker, so this is a second lock on the same door.
        """
        self._place.sweep()
        return end_abandoned(self._place.slots)

    def _walls(
        self, limits: Limits, *, code: Path, sockets: Path, packages: Path | None
    ) -> list[str]:
        """bubblewrap and all its options: what is shared, what is seen, in this order."""
        arguments = [_tool("bwrap"), "--die-with-parent", "--new-session", "--clearenv"]
        arguments += [f"--unshare-{name}" for name in _NAMESPACES]
        arguments += ["--disable-userns", "--cap-drop", "ALL", "--hostname", "rostrum"]
        arguments += ["--uid", str(inside.UID), "--gid", str(inside.UID)]
        arguments += ["--ro-bind", "/usr", "/usr", *_system_links()]
        arguments += ["--proc", "/proc", "--dev", "/dev"]
        size = ("--size", str(limits.tmp), "--perms", "1777", "--tmpfs")
        arguments += [*size, "/tmp", *size, "/dev/shm"]  # noqa: S108 - the inside's own
        arguments += ["--ro-bind", str(self._runtime), inside.RUNTIME]
        arguments += ["--ro-bind", str(code), inside.CODE]
        arguments += ["--ro-bind", str(sockets), inside.SOCKETS]
        if packages is not None:
            arguments += ["--ro-bind", str(packages), inside.ENVIRONMENT]
        arguments += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", inside.CODE]
        for name, value in inside.environment(limits).items():
            arguments += ["--setenv", name, value]
        return [*arguments, "--"]

    def _try_one(self) -> None:
        """Start an empty cell, so that a machine which forbids namespaces is found out early."""
        folder = self._place.new_cell("check", seconds=CHECK_SECONDS)
        slot = Slot(self._place.slots)
        try:
            walls = self._walls(Limits(), code=folder, sockets=folder, packages=None)
            tried = subprocess.run(  # noqa: S603 - our own argument list
                [
                    *_drop(slot.uid, Limits()),
                    *walls,
                    inside.PYTHON,
                    "-I",
                    "-c",
                    "",
                ],
                env={"PATH": os.defpath},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=CHECK_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise OperatorError("engine_down", message="bubblewrap did not end") from None
        finally:
            slot.release()
            shutil.rmtree(folder, ignore_errors=True)
        if tried.returncode:
            raise OperatorError("engine_down", message=f"bubblewrap: {tried.stderr.strip()[-300:]}")


class BubblewrapCell(OneCell):
    """One set of namespaces whose HELLO has arrived."""

    def __init__(
        self,
        agent: RemoteAgent,
        *,
        process: subprocess.Popen[bytes],
        slot: Slot,
        tail: Tail | None,
        folder: Path,
    ):
        super().__init__(agent)
        self._process = process
        self._slot = slot
        self._tail = tail
        self._folder = folder

    def _end(self) -> Exit:
        status = wait_for(self._process, seconds=LEAVE_SECONDS)
        # bubblewrap itself stands outside of the namespaces: no signal from inside reaches it
        killed = self._process.returncode == -signal.SIGKILL
        gone = _end_by_force(self._process, self._slot)
        if self._tail:
            self._tail.stop(seconds=0.5)
        self._slot.release()
        shutil.rmtree(self._folder, ignore_errors=True)
        return replace(ended(status, tail=self._tail, gone=gone), killed=killed)


def _drop(uid: int, limits: Limits) -> list[str]:
    """Give up root and take the limits that hold without a cgroup, before bubblewrap starts."""
    if uid < FIRST_UID:
        raise ValueError("a cell never runs as a user that anyone else is")
    return [
        *(_tool("setpriv"), f"--reuid={uid}", f"--regid={uid}", "--clear-groups"),
        *("--inh-caps=-all", "--no-new-privs", "--"),
        *(_tool("prlimit"), f"--nproc={limits.pids}", f"--data={limits.memory}"),
        *(f"--fsize={limits.tmp}", f"--nofile={inside.NOFILE}", "--core=0", "--"),
    ]


def _system_links() -> list[str]:
    """/bin, /lib and the like, as this system has them: links into /usr, or folders."""
    arguments: list[str] = []
    for name in _SYSTEM:
        folder = Path("/") / name
        if folder.is_symlink():
            arguments += ["--symlink", str(folder.readlink()), str(folder)]
        elif folder.is_dir():
            arguments += ["--ro-bind", str(folder), str(folder)]
    return arguments


def _tail(process: subprocess.Popen[bytes], slot: Slot, *, keep: int) -> Tail | None:
    if process.stderr is None:
        return None
    descriptor = os.dup(process.stderr.fileno())
    process.stderr.close()
    return Tail(descriptor, keep=keep, on_flood=lambda: _kill(process, slot))


def _end_by_force(process: subprocess.Popen[bytes], slot: Slot) -> bool:
    """End the namespaces, and verify by the user id that nothing is left."""
    _kill(process, slot)
    return wait_for(process, seconds=END_SECONDS) is not None and slot.clear(seconds=END_SECONDS)


def _kill(process: subprocess.Popen[bytes], slot: Slot) -> None:
    """End the monitor, with which the first process inside and so all of them die."""
    if process.poll() is None:
        process.kill()
    slot.clear(seconds=END_SECONDS)


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise OperatorError("engine_down", message=f"not installed: {name}")
    return found
