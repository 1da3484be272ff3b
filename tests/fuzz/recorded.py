"""The recorded sessions that the fuzzers bend, by name: the frames that one end sent."""

import json
from pathlib import Path
from typing import NamedTuple

import atheris
from bent import bent
from scripted import frames_in
from sessions import SESSIONS

FOLDER = Path(__file__).resolve().parent.parent / "contracts" / "transcripts"


class Case(NamedTuple):
    """What one input asks for: the session, the bytes of a piece, the other end's frames."""

    name: str
    chunk: int
    frames: list[bytes]


def case(data: bytes, recorded: dict[str, list[bytes]]) -> Case:
    """The case of an input: recorded frames, bent, or (mode 0) frames as they come."""
    provider = atheris.FuzzedDataProvider(data)
    names = sorted(recorded)
    name = names[provider.ConsumeIntInRange(0, len(names) - 1)]
    chunk = provider.ConsumeIntInRange(1, 4096)
    if provider.ConsumeIntInRange(0, 3) == 0:
        return Case(name, chunk, frames_in(provider.ConsumeBytes(provider.remaining_bytes())))
    return Case(name, chunk, [bent(frame, provider) for frame in recorded[name]])


def frames_from(end: str) -> dict[str, list[bytes]]:
    """The frames from `inside` or `outside`, session by session."""
    return {name: _sent(FOLDER / f"{name}.jsonl", end) for name in sorted(SESSIONS)}


def _sent(file: Path, end: str) -> list[bytes]:
    rows = map(json.loads, file.read_text("utf-8").splitlines()[1:])
    return [bytes.fromhex(row["hex"]) for row in rows if row["from"] == end]
