"""Cells as containers: the engine gives them life, a Unix socket carries their data.

The flags are those of docs/sandbox.md. A name that is taken is decided by its fence: a lower one
is removed, an equal or higher one means that another delivery is at work.
"""

import dataclasses
import logging
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import docker
import docker.errors
from docker.types import DeviceRequest, LogConfig, Mount, Ulimit

from harness.errors import OperatorError, RostrumError
from harness.remote.client import Listener, RemoteAgent
from worker.engine import engine
from worker.images.runtime import Runtime
from worker.place import Place
from worker.sandbox import Exit, Job, Over, in_no_case, inside, layers
from worker.sandbox.cell import (
    END_SECONDS,
    LEAVE_SECONDS,
    AlreadyRunningError,
    OneCell,
    exit_of,
)
from worker.sandbox.tail import Tail

CONFLICT = 409
POLL_SECONDS = 0.03

_log = logging.getLogger("rostrum.sandbox")


class DockerSandbox:
    """Cells in containers of the local engine."""

    name = "docker"

    def __init__(self, *, runtime: Runtime, place: Place, below: str | None = None):
        """`below` names what the engine runs containers by (None: its default, mostly runc)."""
        self._runtime = runtime
        self._place = place
        self._below = below
        self._layers = True

    def check(self) -> None:
        """`engine_down` if the engine does not answer or does not know what it should run
        containers by, `image_missing` without the runtime."""
        with engine() as client:
            client.images.get(self._runtime.digest)
            if self._below and self._below not in client.info()["Runtimes"]:
                raise OperatorError(
                    "engine_down",
                    message=f"the engine knows no runtime {self._below}: register it, or unset "
                    "ROSTRUM_DOCKER_RUNTIME",
                )

    def start(self, job: Job) -> "DockerCell":
        """Start the container and wait for its HELLO.

        `OperatorError` on any failure: before HELLO no byte of the submission is read.
        `AlreadyRunningError` if a container of the same name has no lower fence.
        """
        with ExitStack() as undo:
            folder = self._place.new_cell(job.name, seconds=job.deadline_seconds)
            undo.callback(shutil.rmtree, folder, ignore_errors=True)
            sockets = folder / "socket"
            sockets.mkdir()
            code = self._place.stage(job.code, folder / "code")
            listener = undo.enter_context(Listener(sockets, uid=inside.UID))
            container, tail = self._run(job, folder, code, undo)
            agent = listener.accept(timeout=job.limits.start)
            undo.pop_all()
            return DockerCell(agent, container=container, tail=tail, folder=folder)

    def _run(self, job: Job, folder: Path, code: Path, undo: ExitStack) -> tuple[str, Tail | None]:
        """The started container and the reader of what it prints, both undone by `undo`."""
        with ExitStack() as tried:
            container = _create(job, self._options(job, self._mounts(job, folder, code)))
            tried.callback(_remove, container)
            tail = _attach(container, keep=job.limits.log_bytes) if job.keep_log else None
            if tail:
                tried.callback(tail.stop, seconds=0)
            try:
                with engine() as client:
                    client.api.start(container)
            except OperatorError as error:
                if not (self._layers and "failed to mount local volume" in error.message):
                    raise
                _log.warning("no layers over shared folders here: %s", error.message)
                self._layers = False
            else:
                undo.push(tried.pop_all())
                return container, tail
        return self._run(job, folder, code, undo)

    def _mounts(self, job: Job, folder: Path, code: Path) -> list[Mount]:
        """The code and the packages, each behind a layer if other cells may see it, too."""
        empty = folder / "empty"
        empty.mkdir(exist_ok=True)
        shown = {code: inside.CODE}
        if job.environment is not None:
            shown[job.environment] = inside.ENVIRONMENT
        return [
            layers.own(folder / "socket", inside.SOCKETS),
            *(
                layers.layered(source, target, empty=empty)
                if self._layers and not source.is_relative_to(folder)
                else layers.own(source, target)
                for source, target in shown.items()
            ),
        ]

    def reap(self, *, over: Over = in_no_case) -> int:
        """Remove labelled containers past their deadline or `over`; how many were removed."""
        removed = reap_containers(over)
        self._place.sweep()
        return removed

    def _options(self, job: Job, mounts: list[Mount]) -> dict[str, Any]:
        """Every flag of the container. Any: the engine's own vocabulary."""
        limits = job.limits
        python, *arguments = inside.command(job.track_file)
        deadline = time.time() + job.deadline_seconds
        return {
            "image": self._runtime.digest,  # a tag may have moved on since
            "name": job.name,
            "labels": inside.labels(
                job.name,
                fence=job.fence,
                deadline=deadline,
                given={
                    "run": job.name,
                    "worker": _worker(),
                    "owner": self._place.owner,
                    **job.labels,
                },
            ),
            "entrypoint": [python],
            "command": arguments,
            "environment": {**inside.environment(limits, gpu=job.gpu), **_devices_seen(job.gpu)},
            "device_requests": _device_requests(job.gpu),
            "working_dir": inside.CODE,
            "mounts": mounts,
            "tmpfs": layers.writable(size=limits.tmp, inodes=limits.inodes),
            "mem_limit": limits.memory,
            "memswap_limit": limits.memory,
            "nano_cpus": int(limits.cpus * 1e9),
            "pids_limit": limits.pids,
            "ulimits": _ulimits(file_bytes=limits.tmp),
            **({"runtime": self._below} if self._below else {}),
            **_FIXED,
        }


def reap_containers(over: Over) -> int:
    """Remove the engine's labelled containers that are past their deadline or `over`, whichever
    runtime they were started from; how many were removed."""
    removed = 0
    with engine() as client:
        ours: dict[str, str | list[str] | bool] = {"label": "rostrum.cell"}
        for container in client.containers.list(all=True, filters=ours, ignore_removed=True):
            if _is_late(container.labels) or over(container.labels):
                removed += _remove(str(container.id))
    return removed


def _is_late(labels: Mapping[str, str]) -> bool:
    deadline = labels.get("rostrum.deadline", "")
    return deadline.isdigit() and int(deadline) < time.time()


_FIXED: dict[str, Any] = {  # Any: the engine's own vocabulary
    "user": f"{inside.UID}:{inside.UID}",
    "network_mode": "none",
    "read_only": True,
    "cap_drop": ["ALL"],
    "security_opt": ["no-new-privileges"],
    "ipc_mode": "private",
    "oom_score_adj": 1000,
    "log_config": LogConfig(type="none"),
    "init": True,
    "restart_policy": {"Name": "no"},
    "stdin_open": False,
    "tty": False,
    "stop_signal": "SIGKILL",
    "healthcheck": {"test": ["NONE"]},
    "hostname": "rostrum",
}


class DockerCell(OneCell):
    """One container whose HELLO has arrived."""

    def __init__(self, agent: RemoteAgent, *, container: str, tail: Tail | None, folder: Path):
        super().__init__(agent)
        self._container = container
        self._tail = tail
        self._folder = folder

    def first_process(self) -> int | None:
        """The container's init, where the engine runs on this machine."""
        with engine() as client:
            return client.api.inspect_container(self._container)["State"]["Pid"] or None

    def _end(self) -> Exit:
        """Let it leave, read its status, close the log before the removal by force."""
        try:
            seen = self._wait()
        except OperatorError:
            seen = Exit(removed=True)
        if self._tail:
            self._tail.stop(seconds=0.0 if seen.removed else 0.5)
            seen = dataclasses.replace(seen, output_limit=self._tail.flooded, log=self._tail.text)
        gone = _remove(self._container)
        shutil.rmtree(self._folder, ignore_errors=True)
        return dataclasses.replace(seen, gone=gone)

    def _wait(self) -> Exit:
        """The status of a container that ended, `removed` if it still runs after the grace."""
        deadline = time.monotonic() + LEAVE_SECONDS
        with engine() as client:
            while True:
                try:
                    state = client.api.inspect_container(self._container)["State"]
                except docker.errors.NotFound:
                    return Exit()
                if not state["Running"]:
                    return _seen(client, self._container, _exit(state))
                if time.monotonic() > deadline:
                    return Exit(removed=True)
                time.sleep(POLL_SECONDS)


def _exit(state: dict[str, Any]) -> Exit:  # Any: the engine's own JSON
    """The end of a container. A child that was killed for memory marks it, too; if the agent
    then left in order, that was its own affair."""
    status = state["ExitCode"]
    return exit_of(status, out_of_memory=state["OOMKilled"] and status != 0)


def _seen(client: docker.DockerClient, container: str, end: Exit) -> Exit:
    """The same end, `killed` if the engine was told to kill the container.

    A process inside that kills itself leaves the same status, but no event of the engine.
    """
    if end.signal != signal.SIGKILL or end.out_of_memory:
        return end
    kills = {"container": container, "event": "kill"}
    events = client.api.events(  # type: ignore[call-overload]  # the engine takes fractions, too
        since=0, until=f"{time.time():.6f}", filters=kills, decode=True
    )
    return dataclasses.replace(end, killed=any(True for _ in events))


def _create(job: Job, options: dict[str, Any]) -> str:  # Any: the engine's own vocabulary
    """The id of the new container; room is made for it once if its name is taken."""
    with engine() as client:
        try:
            return str(client.containers.create(**options).id)
        except docker.errors.APIError as error:
            if error.status_code != CONFLICT:
                raise
        _make_room(client, job)
        return str(client.containers.create(**options).id)


def _make_room(client: docker.DockerClient, job: Job) -> None:
    """Remove the container that has our name, if it is ours and of a lower fence."""
    try:
        found = client.containers.get(job.name)
    except docker.errors.NotFound:
        return
    fence = found.labels.get("rostrum.fence", "")
    if not fence.isdigit():
        raise OperatorError(
            "engine_down", message=f"a container named {job.name} is not Rostrum's: remove it"
        )
    if int(fence) >= job.fence:
        raise AlreadyRunningError(f"{job.name} runs with fence {fence}, ours is {job.fence}")
    if not _remove(str(found.id)):
        raise OperatorError("engine_down", message=f"the old {job.name} could not be removed")


def _attach(container: str, *, keep: int) -> Tail:
    """Read what the container prints, ourselves: the engine stores nothing."""
    with engine() as client:
        stream = client.api.attach_socket(container, params={"stdout": 1, "stderr": 1, "stream": 1})
        descriptor = os.dup(stream.fileno())
        stream._response.close()  # the SDK hangs the rest of the connection here

    def flooded() -> None:
        with engine() as client:
            client.api.kill(container)

    return Tail(descriptor, keep=keep, framed=True, on_flood=flooded)


def _remove(container: str) -> bool:
    """Remove by force in a thread of its own; whether it is verified to be gone in time."""
    return _in_time(lambda: _remove_now(container), seconds=END_SECONDS)


def _remove_now(container: str) -> bool:
    with engine() as client:
        deadline = time.monotonic() + END_SECONDS
        while time.monotonic() < deadline:
            try:
                client.api.remove_container(container, force=True, v=True)
            except docker.errors.NotFound:
                return True
            except docker.errors.APIError as error:
                if error.status_code != CONFLICT:  # 409: its removal is under way already
                    raise
            time.sleep(POLL_SECONDS)
    return False


def _in_time(work: Callable[[], bool], *, seconds: float) -> bool:
    done: list[bool] = []

    def run() -> None:
        try:
            done.append(work())
        except RostrumError:
            done.append(False)

    thread = threading.Thread(target=run, name="rostrum-remove", daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(done and done[0])


def _device_requests(gpu: str | None) -> list[DeviceRequest]:
    """The one accelerator of this number, to compute on; never a count, which the engine fills
    with whichever it likes."""
    if gpu is None:
        return []
    parts = ["gpu", "compute", "utility"]
    return [DeviceRequest(driver="nvidia", device_ids=[gpu], capabilities=[parts])]


def _devices_seen(gpu: str | None) -> dict[str, str]:
    """Without a device: none, even if the base image asks for all and the runtime would obey."""
    return {"NVIDIA_VISIBLE_DEVICES": "void"} if gpu is None else {}


def _ulimits(*, file_bytes: int) -> list[Ulimit]:
    return [
        Ulimit(name="nofile", soft=inside.NOFILE, hard=inside.NOFILE),
        Ulimit(name="core", soft=0, hard=0),
        Ulimit(name="fsize", soft=file_bytes, hard=file_bytes),
    ]


def _worker() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
