"""A build sandbox as a container of the runtime's image: a cell's flags, no network."""

import time
from typing import Any

from docker.types import Ulimit

from harness.errors import OperatorError
from worker.engine import engine
from worker.images.build import TOOLS, WORK, View
from worker.images.runtime import Runtime
from worker.place import Place
from worker.sandbox import Exit, inside
from worker.sandbox.docker import _FIXED, _attach, _remove
from worker.sandbox.layers import own
from worker.sandbox.tail import Tail


class DockerRoom:
    """One container; its inside is nobody."""

    uid = inside.UID

    def __init__(self, runtime: Runtime, place: Place) -> None:
        self._runtime = runtime
        self._owner = place.owner
        self._container: str | None = None
        self._tail: Tail | None = None
        self._exit: Exit | None = None

    def start(self, view: View) -> None:
        """Create and start the container; its output is read by us."""
        with engine() as client:
            self._container = str(
                client.containers.create(**options(self._runtime, view, owner=self._owner)).id
            )
        self._tail = _attach(self._container, keep=view.limits.log_bytes)
        with engine() as client:
            client.api.start(self._container)

    def ended(self) -> bool:
        """Whether the engine says that it runs no more."""
        return not self._state().get("Running", False)

    def finish(self) -> Exit:
        """Remove it by force; `gone` says whether that was verified."""
        if self._exit is not None:
            return self._exit
        if self._container is None:
            return Exit()
        state = self._state()
        if self._tail is not None:
            self._tail.stop(seconds=0.0 if state.get("Running") else 1.0)
        tail = self._tail
        self._exit = Exit(
            code=state.get("ExitCode"),
            out_of_memory=bool(state.get("OOMKilled")),
            output_limit=tail is not None and tail.flooded,
            log=tail.text if tail else "",
            gone=_remove(self._container),
        )
        return self._exit

    def _state(self) -> dict[str, Any]:  # Any: the engine's own JSON
        """What the engine says; nothing if it does not answer, so that the end goes on."""
        try:
            with engine() as client:
                found: dict[str, Any] = client.api.inspect_container(self._container or "")
                return dict(found["State"])
        except OperatorError:
            return {}


def options(
    runtime: Runtime, view: View, *, owner: str
) -> dict[str, Any]:  # Any: the engine's own vocabulary
    """Every flag of the container: those of a cell, but for a sized place to write."""
    limits = view.limits
    mounts = [own(view.papers, inside.SOCKETS), own(view.tools, TOOLS)]
    mounts += [own(folder, str(folder)) for folder in view.folders]
    sized = f"rw,nosuid,nodev,mode=1777,size={limits.tmp},nr_inodes={limits.inodes}"
    return {
        "image": runtime.digest,
        "name": view.name,
        "labels": inside.labels(
            view.name,
            fence=0,
            deadline=time.time() + view.seconds,
            given={"build": view.name, "owner": owner},
        ),
        "entrypoint": [inside.PYTHON],
        "command": ["-I", f"{TOOLS}/inside_build.py"],
        "environment": {},
        "working_dir": "/",
        "mounts": mounts,
        "tmpfs": {WORK: f"{sized},exec", "/tmp": "rw,nosuid,nodev,size=1m"},  # noqa: S108
        "mem_limit": limits.memory,
        "memswap_limit": limits.memory,
        "nano_cpus": int(limits.cpus * 1e9),
        "pids_limit": limits.pids,
        "shm_size": 1 << 20,
        "ulimits": [
            Ulimit(name="nofile", soft=inside.NOFILE, hard=inside.NOFILE),
            Ulimit(name="core", soft=0, hard=0),
        ],
        **_FIXED,
    }
