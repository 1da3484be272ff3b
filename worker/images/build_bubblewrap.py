"""A build sandbox of bubblewrap: a cell's namespaces, user id and control group, no network."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

from worker.images.build import TOOLS, WORK, View
from worker.images.runtime import Runtime
from worker.place import Place
from worker.sandbox import Exit, inside
from worker.sandbox.bubblewrap import (
    _NAMESPACES,
    _drop,
    _end_by_force,
    _system_links,
    _tail,
    _tool,
)
from worker.sandbox.cgroup import Group
from worker.sandbox.process import ended
from worker.sandbox.slots import Slot
from worker.sandbox.tail import Tail
from worker.sandbox.threshold import Threshold


class BubblewrapRoom:
    """One set of namespaces; it dies with the thread that started it."""

    def __init__(self, runtime: Runtime, place: Place) -> None:
        if runtime.path is None:
            raise ValueError("the runtime of bubblewrap has a path")
        self._runtime = runtime.path
        self._slot = Slot(place.slots)
        self.uid = self._slot.uid
        self._group: Group | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._tail: Tail | None = None
        self._exit: Exit | None = None

    def start(self, view: View) -> None:
        """Mount the place to write as root, drop to the slot's user, then into the namespaces."""
        self._group = Group.make(view.name, view.limits)
        doors = self._group.doors if self._group else []
        threshold = Threshold.make(view.papers.parent / "threshold")
        # mounted as root, so that the slot's user need not be able to walk there
        layers = {threshold.layer(str(n)): folder for n, folder in enumerate(view.folders)}
        self._process = subprocess.Popen(  # noqa: S603 - our own argument list
            [
                *threshold.command(view.limits, layers=layers, doors=doors),
                *_drop(self.uid, view.limits, whole=self._group is not None),
                *self._walls(view, work=threshold.tmp, folders=list(layers)),
                *(inside.PYTHON, "-I", f"{TOOLS}/inside_build.py"),
            ],
            env={"PATH": os.defpath},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._tail = _tail(self._process, self._slot, keep=view.limits.log_bytes)

    def ended(self) -> bool:
        """Whether the monitor has ended."""
        return self._process is not None and self._process.poll() is not None

    def finish(self) -> Exit:
        """End the namespaces, verify by the user id, give it back."""
        if self._exit is None:
            self._exit = self._finished()
            self._slot.release()
        return self._exit

    def _finished(self) -> Exit:
        if self._process is None:
            return Exit()
        status = self._process.poll()
        gone = _end_by_force(self._process, self._slot)
        if self._tail:
            self._tail.stop(seconds=0.5)
        starved = self._group is not None and self._group.out_of_memory
        if self._group:
            self._group.remove()
        return replace(ended(status, tail=self._tail, gone=gone), out_of_memory=starved)

    def _walls(self, view: View, *, work: Path, folders: list[Path]) -> list[str]:
        """bubblewrap and all its options: what is shared, what is seen, in this order."""
        arguments = [_tool("bwrap"), "--die-with-parent", "--new-session", "--clearenv"]
        arguments += [f"--unshare-{name}" for name in _NAMESPACES]
        arguments += ["--disable-userns", "--cap-drop", "ALL", "--hostname", "rostrum"]
        arguments += ["--uid", str(inside.UID), "--gid", str(inside.UID)]
        arguments += ["--ro-bind", "/usr", "/usr", *_system_links()]
        arguments += ["--proc", "/proc", "--dev", "/dev"]
        small = ("--size", str(1 << 20), "--perms", "1777", "--tmpfs")
        arguments += [*small, "/tmp", *small, "/dev/shm"]  # noqa: S108 - the inside's own
        arguments += ["--bind", str(work), WORK]
        arguments += ["--ro-bind", str(self._runtime), inside.RUNTIME]
        arguments += ["--ro-bind", str(view.tools), TOOLS]
        arguments += ["--ro-bind", str(view.papers), inside.SOCKETS]
        for seen, folder in zip(folders, view.folders, strict=True):
            arguments += ["--ro-bind", str(seen), str(folder)]
        for one in ("/proc", "/dev", "/"):
            arguments += ["--remount-ro", one]
        return [*arguments, "--chdir", "/", "--"]
