"""The recorded sessions that the fuzzers bend, by name: the frames that one end sent."""

import json
from pathlib import Path

from sessions import SESSIONS

FOLDER = Path(__file__).resolve().parent.parent / "contracts" / "transcripts"


def frames_from(end: str) -> dict[str, list[bytes]]:
    """The frames from `inside` or `outside`, session by session."""
    return {name: _sent(FOLDER / f"{name}.jsonl", end) for name in sorted(SESSIONS)}


def _sent(file: Path, end: str) -> list[bytes]:
    rows = map(json.loads, file.read_text("utf-8").splitlines()[1:])
    return [bytes.fromhex(row["hex"]) for row in rows if row["from"] == end]
