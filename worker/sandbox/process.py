"""How a child process of ours ended, in the words of `Exit`."""

import dataclasses
import subprocess

from worker.sandbox import Exit
from worker.sandbox.cell import exit_of
from worker.sandbox.tail import Tail


def wait_for(process: subprocess.Popen[bytes], *, seconds: float) -> int | None:
    """Its status as a shell gives it (128 + signal), None if it still runs after `seconds`."""
    try:
        status = process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    return status if status >= 0 else 128 - status


def ended(status: int | None, *, tail: Tail | None, gone: bool) -> Exit:
    """The `Exit` of a process; without a status it was removed while it ran."""
    flooded = tail is not None and tail.flooded
    if status is None or flooded:
        found = Exit(removed=True, output_limit=flooded)
    else:
        found = exit_of(status)
    return dataclasses.replace(found, gone=gone, log=tail.text if tail else "")
