"""A cell of our own, started as a submission's would be: does it start, and what does it see?"""

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Timer
from typing import Any

from harness.dialogue import Context, Turn
from harness.errors import OperatorError, RostrumError
from worker import gpu as accelerators
from worker.doctor.finding import Finding, fail, ok, warn
from worker.images import Runtime, prepare
from worker.place import Place
from worker.sandbox import Job, Limits, Sandbox
from worker.sandbox.choose import open_sandbox
from worker.settings import Settings
from worker.stopped import Stopped

CELL_SECONDS = 120.0

_TRACK = """from harness import eval_f1
from agent import Probe

if __name__ == "__main__":
    eval_f1(Probe)
"""

_AGENT = '''"""Tells what it sees of the machine, and tries what must not work."""

import ctypes
import glob
import json
import os
import socket


def device():
    """How many devices the CUDA library finds, and what the first one is called."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return {"error": "the CUDA library is not there"}
    failed = cuda.cuInit(0)
    if failed:
        return {"error": f"the CUDA library does not begin (error {failed})"}
    count, name = ctypes.c_int(), ctypes.create_string_buffer(100)
    cuda.cuDeviceGetCount(ctypes.byref(count))
    if count.value:
        cuda.cuDeviceGetName(name, 100, 0)
    return {"count": count.value, "name": name.value.decode("ascii", "replace")}


def torch_sees():
    try:
        import torch
    except Exception as error:
        return type(error).__name__
    if torch.version.cuda is None:
        return "cpu"
    if not torch.cuda.is_available():
        return "no device"
    left = torch.ones(256, 256, device="cuda")
    return "ok" if float((left @ left)[0, 0]) == 256.0 else "wrong sum"


def reaches_the_network():
    try:
        socket.socket(socket.AF_INET).close()
    except OSError:
        return False
    return True


class Probe:
    def respond(self, contexts):
        return [self.seen(context.turns[-1].text) for context in contexts]

    def seen(self, asked):
        found = {
            "uid": os.getuid(),
            "network": reaches_the_network(),
            "writes": [p for p in ("/", "/code", "/opt/rostrum", "/usr") if os.access(p, os.W_OK)],
            "nodes": sorted(glob.glob("/dev/nvidia[0-9]*")),
        }
        if asked == "gpu":
            found |= {"device": device(), "torch": torch_sees()}
        return json.dumps(found)
'''


def look(name: str, settings: Settings, *, gpu: str | None) -> Iterator[Finding]:
    """The runtime of a sandbox, a cell in it, and the device inside of that cell."""
    cells = f"{name} cell"
    place = Place.open(settings.sandbox_directory)
    try:
        runtime = _made(name)
    except _NotMade:
        yield warn(
            f"{name} runtime",
            "not made yet: the first attempt would wait for it",
            f"`rostrum worker --prepare --sandbox {name}`.",
        )
        return
    yield ok(f"{name} runtime", runtime.tag or runtime.digest[:12])
    sandbox = open_sandbox(name, runtime=runtime, settings=settings)
    try:
        sandbox.check()
        start = time.monotonic()
        seen = _seen(sandbox, place)
        yield walls(cells, seen, seconds=time.monotonic() - start)
    except RostrumError as error:
        yield fail(cells, error.message, _CELL_ADVICE)
        return
    if gpu is not None:
        yield from device(sandbox, place, gpu)


class _NotMade(Exception):  # noqa: N818  # an outcome
    """Making the runtime would take a while, and a doctor only looks."""


def _made(name: str) -> Runtime:
    """The runtime that stands here already: whoever makes one says so first."""

    def told(_line: str) -> None:
        raise _NotMade

    return prepare(name, told)


_CELL_ADVICE = "Without a cell every attempt ends as ours: mend this first (docs/sandbox.md)."


def device(sandbox: Sandbox, place: Place, gpu: str) -> Iterator[Finding]:
    """Accelerator `gpu`: outside, and inside of a cell that is shown it."""
    name = f"GPU {gpu}"
    try:
        model = accelerators.expect_answer(gpu)
    except OperatorError as error:
        yield fail(name, error.message, "See `nvidia-smi`; install or reload the driver.")
        return
    yield ok(name, f"{model}, outside")
    try:
        with accelerators.turn(gpu, place.slots, stop=_soon(TURN_SECONDS)):
            seen = _seen(sandbox, place, gpu=gpu)
    except Stopped:
        yield warn(f"{name} inside", "it is in use by a cell", "Look again when it is free.")
        return
    except RostrumError as error:
        yield fail(f"{name} inside", error.message, _GPU_ADVICE[sandbox.name])
        return
    yield _device(f"{name} inside", seen, todo=_GPU_ADVICE[sandbox.name])


def walls(name: str, seen: dict[str, Any], *, seconds: float) -> Finding:
    """Whether the cell is as closed as it must be; Any: the probe's own JSON."""
    holes = [f"can write {path}" for path in seen["writes"]]
    holes += ["can reach a network"] if seen["network"] else []
    holes += ["is root"] if seen["uid"] == 0 else []
    holes += [f"sees {', '.join(seen['nodes'])}"] if seen["nodes"] else []
    if holes:
        return fail(name, f"it {' and '.join(holes)}", "Run no stranger's code here.")
    return ok(name, f"starts and answers in {seconds:.1f} s, and is closed")


def _device(name: str, seen: dict[str, Any], *, todo: str) -> Finding:
    """What the CUDA library and torch find inside; Any: the probe's own JSON."""
    found, torch = seen["device"], seen["torch"]
    if "error" in found:
        return fail(name, found["error"], todo)
    if found["count"] != 1:
        return fail(name, f"{found['count']} devices instead of one", todo)
    if torch == "cpu":
        return warn(
            name,
            f"{found['name']}, but the runtime's torch was built for processors only",
            "Make the runtime with ROSTRUM_RUNTIME=cuda: `rostrum worker --prepare`.",
        )
    if torch != "ok":
        return fail(name, f"{found['name']}, but torch does not compute on it: {torch}", todo)
    return ok(name, f"{found['name']}, and torch computes on it")


_GPU_ADVICE = {
    "docker": "See that nvidia-container-toolkit is installed and "
    "`nvidia-ctk runtime configure --runtime=docker` was run; then restart the engine.",
    "bubblewrap": "See that every user may read and write /dev/nvidia*, and that libcuda.so.1 lies "
    "below /usr.",
}

TURN_SECONDS = 10.0


def _soon(seconds: float) -> Event:
    """An event that is set after so long: nobody waits for a device that a worker holds."""
    event = Event()
    timer = Timer(seconds, event.set)
    timer.daemon = True
    timer.start()
    return event


def _seen(sandbox: Sandbox, place: Place, *, gpu: str | None = None) -> dict[str, Any]:
    """What the probe inside tells; Any: its own JSON. Its cell is gone on every way out."""
    folder = place.new_cell("doctor", seconds=CELL_SECONDS)
    try:
        code = _written(folder / "code")
        limits = Limits(memory=8 << 30 if gpu else 1 << 30, cpus=1.0, load=CELL_SECONDS)
        job = Job(
            name=f"rostrum-doctor-{os.getpid()}-{gpu or 'cpu'}",
            fence=1,
            code=code,
            track_file="eval_f1.py",
            limits=limits,
            keep_log=True,
            gpu=gpu,
            deadline_seconds=CELL_SECONDS,
            labels={"worker": "doctor"},
        )
        return _asked(sandbox, job, "gpu" if gpu else "walls")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _asked(sandbox: Sandbox, job: Job, what: str) -> dict[str, Any]:
    limits = job.limits
    with sandbox.start(job) as cell:
        cell.agent.load(
            "f1",
            load_seconds=limits.load,
            batch_seconds=limits.batch,
            bank_seconds=1.0,
            total_seconds=limits.load + limits.batch,
        )
        (said,) = cell.agent.respond([Context("doctor", turns=(Turn("partner", what),))])
    found: dict[str, Any] = json.loads(said)
    return found


def _written(code: Path) -> Path:
    code.mkdir(mode=0o755)
    for name, text in (("agent.py", _AGENT), ("eval_f1.py", _TRACK)):
        (code / name).write_text(text, "utf-8")
        (code / name).chmod(0o644)
    return code
