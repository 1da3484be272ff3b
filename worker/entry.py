"""What a fetched tree says of itself: the tracks it enters, the name it wants to be called."""

from collections.abc import Collection
from pathlib import Path

from harness import submission
from harness.agent import Track
from harness.errors import SubmissionError
from harness.submission import entry_name

__all__ = ["entered", "entry_name"]


def entered(tree: Path, *, offered: Collection[Track]) -> tuple[Track, ...]:
    """The tracks of the competition that the tree has a file for; `no_track_file` without any."""
    tracks = submission.entered(tree, offered=offered)
    if not tracks:
        raise SubmissionError("no_track_file")
    return tracks
