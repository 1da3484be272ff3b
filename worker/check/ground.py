"""The ground of a check: a sandbox of this machine, chosen or named, with its runtime made."""

from harness.errors import OperatorError, RostrumError, UsageError
from worker import gpu as accelerators
from worker.check.run import Audience, Ground
from worker.images import prepare
from worker.place import Place
from worker.sandbox.choose import open_sandbox, pick
from worker.settings import from_environment

_HINTS = {
    "docker": "Start the container engine, or choose --sandbox bubblewrap (as root).",
    "bubblewrap": "Install bubblewrap and run as root, or choose --sandbox docker.",
}


def choose() -> str:
    """The strongest sandbox that this machine has; `UsageError` where there is none."""
    try:
        return pick()
    except UsageError as error:
        raise UsageError(
            error.message,
            code=error.code,
            hint="Without either, --sandbox trusted runs the agent as a plain process: no walls, "
            "no limits of memory, and the Python of this installation.",
        ) from error


def prepared(name: str, *, gpu: str | None, audience: Audience) -> Ground:
    """The sandbox of this name, ready, and the device if there is one to show.

    `RostrumError` (exit status 1) says what this machine lacks.
    """
    audience.begins("runtime")
    try:
        runtime = prepare(name, audience.tell)
        sandbox = open_sandbox(name, runtime=runtime)
        sandbox.check()
        device = _device(gpu)
    except OperatorError as error:
        raise RostrumError(error.message, code=error.code, hint=_HINTS.get(name, "")) from error
    return Ground(sandbox, runtime, Place.open(from_environment().sandbox_directory), gpu=device)


def _device(gpu: str | None) -> str | None:
    """The named device, which must answer; without a name the first one, if there is any."""
    if gpu is not None and not (gpu.isascii() and gpu.isdigit()):
        raise UsageError(f"--gpu is {gpu!r}: give the number that nvidia-smi shows, such as 0")
    if gpu is not None:
        accelerators.expect_answer(gpu)
        return gpu
    known = accelerators.devices()
    return known[0].number if known else None
