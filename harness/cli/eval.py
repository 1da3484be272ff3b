"""`rostrum eval`: run a submission folder's own track file, as one would by hand."""

import subprocess
import sys
from pathlib import Path

import click

from harness.agent import TRACKS
from harness.errors import UsageError
from harness.submission import entered


@click.command("eval")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--track", required=True, type=click.Choice(TRACKS), help="What to score.")
@click.option("--data", type=click.Path(path_type=Path), help="Dialogues to score on.")
@click.option("--dictionary", type=click.Path(path_type=Path), help="The official dictionary.")
@click.option("--limit", type=click.IntRange(min=1), help="Score the first N dialogues only.")
@click.option("--json", "out", type=click.Path(path_type=Path), help="Write the report here.")
def evaluate(
    directory: Path,
    *,
    track: str,
    data: Path | None,
    dictionary: Path | None,
    limit: int | None,
    out: Path | None,
) -> None:
    """Score the submission in DIRECTORY on one track, in a process of its own, without a sandbox.

    The same as `python DIRECTORY/eval_TRACK.py`; its code runs with your rights.
    """
    options = {"--data": data, "--dictionary": dictionary, "--limit": limit, "--json": out}
    arguments = [
        text for name, value in options.items() if value is not None for text in (name, str(value))
    ]
    # The folder stays first on the path: the file imports its neighbours.
    command = [sys.executable, str(track_file(directory, track)), *arguments]
    ended = subprocess.run(command, check=False)  # noqa: S603  (the user's own code)
    sys.exit(ended.returncode if ended.returncode >= 0 else 1)


def track_file(directory: Path, track: str) -> Path:
    """The file that enters `track`; `UsageError` names the tracks that the folder does enter."""
    path = directory / f"eval_{track}.py"
    if path.is_file():
        return path
    if not directory.is_dir():
        raise UsageError(f"{directory} is not a folder")
    tracks = ", ".join(entered(directory)) or "no track"
    raise UsageError(f"{directory} has no eval_{track}.py; it enters: {tracks}")
