"""The accelerators of this machine: which there are, whether one answers, whose turn it is.

A worker is bound to one device by its number, counted as `nvidia-smi` counts them, by bus address.
A device is shown to one cell at a time, whichever process of this machine started it.
"""

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from harness.errors import OperatorError
from worker.stopped import Stopped

DRIVER = Path("/proc/driver/nvidia/gpus")
"""Where the kernel's driver lists its devices, a folder each, named by bus address."""

ANSWER_SECONDS = 30.0
"""How long a device may take to say its name: one that has fallen off the bus can hang."""

SHARED_NODES = ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools")
"""Device files that every program on an accelerator opens, whichever device it computes on."""

_LOOK_SECONDS = 0.2
_FIELD = re.compile(r"^(?P<name>[A-Za-z ]+?):\s*(?P<value>.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Device:
    """An accelerator: its number, the minor number of its device file, what it is called."""

    number: str
    minor: int
    model: str

    @property
    def node(self) -> str:
        """Its device file."""
        return f"/dev/nvidia{self.minor}"


def devices(driver: Path | None = None) -> tuple[Device, ...]:
    """The devices that the kernel's driver has, in the order of their numbers; none without one."""
    driver = driver or DRIVER
    if not driver.is_dir():
        return ()
    found = []
    for number, folder in enumerate(sorted(driver.iterdir(), key=lambda path: path.name)):
        try:
            text = (folder / "information").read_text("utf-8", "replace")
        except OSError:  # a lost device keeps its folder at times, and answers no longer
            continue
        fields = {match["name"].strip(): match["value"].strip() for match in _FIELD.finditer(text)}
        minor = fields.get("Device Minor", "")
        if minor.isdigit():
            found.append(Device(str(number), int(minor), fields.get("Model", "unknown")))
    return tuple(found)


def device(number: str, *, driver: Path | None = None) -> Device:
    """The device of this number; `OperatorError` (`gpu_lost`) where the driver has none."""
    known = devices(driver)
    for one in known:
        if one.number == number:
            return one
    listed = ", ".join(f"{one.number} ({one.model})" for one in known) or "none"
    raise OperatorError(
        "gpu_lost", message=f"this machine has no accelerator {number}; the driver lists: {listed}"
    )


def expect_answer(number: str, *, seconds: float = ANSWER_SECONDS) -> str:
    """What the device calls itself when it is asked now; `OperatorError` (`gpu_lost`) if it does
    not answer: evidence that no code inside a cell can make up."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return device(number).model
    asked = subprocess.Popen(  # noqa: S603 - a fixed program; the number is digits
        [tool, f"--id={number}", "--query-gpu=name", "--format=csv,noheader"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        said, _ = asked.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        asked.kill()
        with suppress(subprocess.TimeoutExpired):  # it may hang in the driver for good
            asked.communicate(timeout=1)
        raise OperatorError(
            "gpu_lost", message=f"accelerator {number} did not answer within {seconds:g} s"
        ) from None
    lines = said.strip().splitlines() or ["no answer"]
    if asked.returncode:
        raise OperatorError("gpu_lost", message=f"accelerator {number}: {lines[-1][:300]}")
    return lines[0][:100]


def device_walls(number: str) -> list[str]:
    """The options that let one device into a bubblewrap cell: its files, and the kernel's
    description of the hardware (read-only), without which the CUDA library does not begin."""
    arguments = ["--ro-bind", "/sys", "/sys"]
    nodes = [device(number).node, *SHARED_NODES]
    for node in nodes:
        arguments += ["--dev-bind-try", node, node]
    return arguments


def try_turn(number: str, folder: Path) -> int | None:
    """The lock of the device below `folder`, to be given to `end_turn`; None if another has it."""
    path = folder / f"gpu-{number}"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def end_turn(lock: int) -> None:
    """Let the next cell have the device."""
    os.close(lock)


@contextmanager
def turn(number: str, folder: Path, *, stop: Event) -> Iterator[None]:
    """While it lasts, no other cell of this machine is shown the device.

    Waits for its turn; `Stopped` if `stop` is set meanwhile.
    """
    while (lock := try_turn(number, folder)) is None:
        if stop.wait(_LOOK_SECONDS):
            raise Stopped
    try:
        yield
    finally:
        end_turn(lock)
