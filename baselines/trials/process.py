"""A command run in a process group of its own, which hears of Ctrl-C once and may end in order.

What it prints goes to standard error, so that standard output holds our own results alone.
"""

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

_STANDARD_ERROR = 2


def run(command: Sequence[str], *, threads: int, held: Sequence[int] = ()) -> int:
    """The exit status of the command, which keeps the descriptors `held` open.

    An interrupt is passed on, the command's end waited for, and then it is ours; a second one
    ends the command where it is.
    """
    child = subprocess.Popen(  # noqa: S603  our own commands and the baselines' files
        command,
        env={**os.environ, **_variables(threads)},
        stdin=subprocess.DEVNULL,
        stdout=_STANDARD_ERROR,
        pass_fds=held,
        start_new_session=True,
    )
    try:
        return child.wait()
    except KeyboardInterrupt:
        _end(child)
        raise
    finally:
        _tell(child, signal.SIGKILL)
        child.wait()


@contextmanager
def ended_in_order() -> Iterator[None]:
    """While it lasts, SIGTERM is as good as Ctrl-C, and Ctrl-C is heard.

    What a shell starts with `&` begins with SIGINT ignored, and so would all that it starts.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _variables(threads: int) -> dict[str, str]:
    """What gives a command so many threads, none of which spins while it waits."""
    return {
        "OMP_NUM_THREADS": str(threads),
        "OMP_WAIT_POLICY": "PASSIVE",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Ask the command to end in order, and at the next interrupt to end at once."""
    try:
        _tell(child, signal.SIGINT)
        child.wait()
    except KeyboardInterrupt:
        _tell(child, signal.SIGTERM)
        child.wait()


def _tell(child: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """A signal to the command and what it started, unless it has ended."""
    if child.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, number)
