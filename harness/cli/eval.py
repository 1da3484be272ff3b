"""`rostrum eval`: run a submission folder's own track file, as one would by hand."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from harness.agent import TRACKS
from harness.cli.scoring import given, options
from harness.errors import UsageError
from harness.submission import entered


@click.command("eval")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--track", required=True, type=click.Choice(TRACKS), help="What to score.")
@options
@click.pass_context
def evaluate(context: click.Context, /, directory: Path, *, track: str, **options: object) -> None:
    """Score the submission in DIRECTORY on one track, in a process of its own, without a sandbox.

    The same as `python DIRECTORY/eval_TRACK.py`; its code runs with your rights.
    """
    del options  # they are passed on as they were given
    # The folder stays first on the path: the file imports its neighbours.
    command = [sys.executable, str(track_file(directory, track)), *given(context, but=("track",))]
    sys.exit(_run(command))


def _run(command: Sequence[str]) -> int:
    """The exit status of the command, 1 if a signal ended it; an interrupt is for it to answer."""
    with subprocess.Popen(command) as child, _passed_on(child):  # noqa: S603  (the user's own code)
        status = child.wait()
    return status if status >= 0 else 1


@contextmanager
def _passed_on(child: "subprocess.Popen[bytes]") -> Iterator[None]:
    """While it lasts, Ctrl-C goes to the child, which says how to go on and ends."""

    def pass_on(number: int, _frame: FrameType | None) -> None:
        child.send_signal(number)

    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:  # as a shell does to what it puts in the background
        signal.signal(signal.SIGINT, pass_on)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def track_file(directory: Path, track: str) -> Path:
    """The file that enters `track`; `UsageError` names the tracks that the folder does enter."""
    path = directory / f"eval_{track}.py"
    if path.is_file():
        return path
    if not directory.is_dir():
        raise UsageError(f"{directory} is not a folder")
    tracks = ", ".join(entered(directory)) or "no track"
    raise UsageError(f"{directory} has no eval_{track}.py; it enters: {tracks}")
