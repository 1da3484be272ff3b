"""What a fetched tree says of itself: the tracks it enters, its name, its wish for a device."""

from collections.abc import Collection
from pathlib import Path

from harness import submission
from harness.agent import Track
from harness.errors import SubmissionError
from harness.submission import entry_name

__all__ = ["device_wanted", "entered", "entry_name"]


def entered(tree: Path, *, offered: Collection[Track]) -> tuple[Track, ...]:
    """The tracks of the competition that the tree has a file for; `no_track_file` without any."""
    tracks = submission.entered(tree, offered=offered)
    if not tracks:
        raise SubmissionError("no_track_file")
    return tracks


def device_wanted(tree: Path, *, allowed: bool) -> bool:
    """Whether the tree asks for an accelerator; `build_failed` (`gpu`) where none is offered."""
    wanted = submission.wants_gpu(tree)
    if wanted and not allowed:
        raise SubmissionError(
            "build_failed",
            detail="gpu",
            message="rostrum.toml says `gpu = true`, and this competition runs without one",
        )
    return wanted
