"""Cells by bubblewrap, where there is no engine: namespaces of their own, a user id per slot.

The privileges are dropped before bubblewrap starts, because started as root it would leave the
inside writable places of the kernel. Where a control group can be made it bounds memory and
processors of the whole cell; elsewhere memory is bounded per process only (`walls` tells which).
A cell dies with the thread that started it.
"""

import hashlib
import logging
import os
import shutil
import signal
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import OperatorError
from harness.remote.client import Listener, RemoteAgent
from worker.gpu import device_walls
from worker.images.runtime import Runtime
from worker.place import Place
from worker.sandbox import Exit, Job, Limits, Over, in_no_case, inside
from worker.sandbox.cell import END_SECONDS, LEAVE_SECONDS, OneCell
from worker.sandbox.cgroup import Group
from worker.sandbox.process import ended, wait_for
from worker.sandbox.slots import FIRST_UID, Slot, end_abandoned, held
from worker.sandbox.tail import Tail
from worker.sandbox.threshold import Threshold

TOOLS = ("bwrap", "setpriv", "prlimit", "unshare", "mount")
CHECK_SECONDS = 20.0
_SYSTEM = ("bin", "lib", "lib32", "lib64", "sbin")
_log = logging.getLogger("rostrum.sandbox")
_NAMESPACES = ("user", "ipc", "pid", "net", "uts", "cgroup")


class BubblewrapSandbox:
    """Cells in namespaces, each under a user id of its own; needs root, to drop to it."""

    name = "bubblewrap"

    def __init__(self, *, runtime: Runtime, place: Place):
        if runtime.path is None:
            raise ValueError("the runtime of bubblewrap has a path")
        self._runtime = runtime.path
        self._place = place
        self._told = False

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
            group = self._group(slot, job.limits)
            if group:
                undo.callback(group.remove)
            listener = undo.enter_context(Listener(sockets, uid=slot.uid))
            view = _View(folder, code, sockets, packages=job.environment, gpu=job.gpu)
            process = subprocess.Popen(  # noqa: S603 - our own argument list
                [
                    *self._way_in(view, slot, job.limits, group),
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
            return BubblewrapCell(
                agent, process=process, slot=slot, group=group, tail=tail, folder=folder
            )

    def reap(self, *, over: Over = in_no_case) -> int:
        """End what a killed worker left under ids that nobody holds; how many ids had any.

        Cells die with their worker, so this is a second lock on the same door.
        """
        self._place.sweep()
        count = end_abandoned(self._place.slots)
        for uid, group in Group.left(f"{self._house}-"):
            with held(self._place.slots, int(uid)) as free:
                if free:
                    group.remove()
        return count

    @property
    def walls(self) -> str:
        """`bubblewrap+cgroup` where a whole cell's memory is bounded, else `bubblewrap`."""
        group = Group.make(f"walls-{os.getpid()}", Limits())
        if group is None:
            return self.name
        group.remove()
        return f"{self.name}+cgroup"

    @property
    def _house(self) -> str:
        """Tells the groups of this sandbox folder from another's on the same machine."""
        return hashlib.sha256(os.fsencode(self._place.root)).hexdigest()[:8]

    def _group(self, slot: Slot, limits: Limits) -> Group | None:
        """The control group of a cell; None where none can be made, which is logged once."""
        group = Group.make(f"{self._house}-{slot.uid}", limits)
        if group is None and not self._told:
            self._told = True
            _log.warning("no control group here: memory is bounded per process only")
        return group

    def _way_in(self, view: "_View", slot: Slot, limits: Limits, group: Group | None) -> list[str]:
        """All that stands before the inside's own command: mounts as root, the drop, the walls."""
        threshold = Threshold.make(view.folder / "threshold")
        layers = {
            threshold.layer(name): shown
            for name, shown in (
                ("usr", Path("/usr")),
                ("runtime", self._runtime),
                ("code", view.code),
                ("packages", view.packages),
            )
            if shown is not None
        }
        return [
            *threshold.command(limits, layers=layers, doors=group.doors if group else []),
            *_drop(slot.uid, limits, whole=group is not None),
            *_walls(view, threshold, limits),
        ]

    def _try_one(self) -> None:
        """Start an empty cell, so that a machine which forbids namespaces is found out early."""
        folder = self._place.new_cell("check", seconds=CHECK_SECONDS)
        slot = Slot(self._place.slots)
        group = self._group(slot, Limits())
        view = _View(folder, folder, folder)
        try:
            way_in = self._way_in(view, slot, Limits(), group)
            tried = subprocess.run(  # noqa: S603 - our own argument list
                [*way_in, inside.PYTHON, "-I", "-c", ""],
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
            if group:
                group.remove()
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
        group: Group | None,
        tail: Tail | None,
        folder: Path,
    ):
        super().__init__(agent)
        self._process = process
        self._slot = slot
        self._group = group
        self._tail = tail
        self._folder = folder

    def first_process(self) -> int | None:
        """The monitor outside the namespaces."""
        return self._process.pid if self._process.poll() is None else None

    def _end(self) -> Exit:
        status = wait_for(self._process, seconds=LEAVE_SECONDS)
        # bubblewrap itself stands outside of the namespaces: no signal from inside reaches it
        killed = self._process.returncode == -signal.SIGKILL
        gone = _end_by_force(self._process, self._slot)
        if self._tail:
            self._tail.stop(seconds=0.5)
        # a child that was ended for memory marks the group, too: if the agent left in order, fine
        starved = bool(status and self._group and self._group.out_of_memory)
        if self._group:
            self._group.remove()
        self._slot.release()
        shutil.rmtree(self._folder, ignore_errors=True)
        seen = ended(status, tail=self._tail, gone=gone)
        return replace(seen, killed=killed, out_of_memory=starved)


@dataclass(frozen=True, slots=True)
class _View:
    """What a cell is shown of the host, besides the system and the runtime."""

    folder: Path
    code: Path
    sockets: Path
    packages: Path | None = None
    gpu: str | None = None


def _walls(view: _View, threshold: Threshold, limits: Limits) -> list[str]:
    """bubblewrap and all its options: what is shared, what is seen, in this order."""
    arguments = [_tool("bwrap"), "--die-with-parent", "--new-session", "--clearenv"]
    arguments += [f"--unshare-{name}" for name in _NAMESPACES]
    arguments += ["--disable-userns", "--cap-drop", "ALL", "--hostname", "rostrum"]
    arguments += ["--uid", str(inside.UID), "--gid", str(inside.UID)]
    arguments += ["--ro-bind", str(threshold.layer("usr")), "/usr", *_system_links()]
    arguments += ["--proc", "/proc", "--dev", "/dev"]
    arguments += ["--bind", str(threshold.tmp), "/tmp"]  # noqa: S108 - the inside's own
    arguments += ["--bind", str(threshold.shm), "/dev/shm"]  # noqa: S108 - likewise
    arguments += ["--ro-bind", str(threshold.layer("runtime")), inside.RUNTIME]
    arguments += ["--ro-bind", str(threshold.layer("code")), inside.CODE]
    arguments += ["--ro-bind", str(view.sockets), inside.SOCKETS]
    if view.packages is not None:
        arguments += ["--ro-bind", str(threshold.layer("packages")), inside.ENVIRONMENT]
    if view.gpu is not None:
        arguments += device_walls(view.gpu)
    arguments += [argument for one in ("/proc", "/dev", "/") for argument in ("--remount-ro", one)]
    arguments += ["--chdir", inside.CODE]
    for name, value in inside.environment(limits, gpu=view.gpu).items():
        arguments += ["--setenv", name, value]
    return [*arguments, "--"]


def _drop(uid: int, limits: Limits, *, whole: bool) -> list[str]:
    """Give up root and take the limits of a process, before bubblewrap starts.

    `whole`: the memory of the whole cell is bounded already.
    """
    if uid < FIRST_UID:
        raise ValueError("a cell never runs as a user that anyone else is")
    memory = () if whole else (f"--data={limits.memory}",)
    return [
        *(_tool("setpriv"), f"--reuid={uid}", f"--regid={uid}", "--clear-groups"),
        *("--inh-caps=-all", "--no-new-privs", "--"),
        *(_tool("prlimit"), f"--nproc={limits.pids}", *memory),
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
