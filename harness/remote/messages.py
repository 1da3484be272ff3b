"""What the JSON of LOAD and FAIL says, between values and plain objects."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.agent import TRACKS, Track
from harness.errors import VERDICTS
from harness.remote.frames import PROTOCOL, Body, FrameError, fields
from harness.remote.handshake import Version, told
from harness.text import Vocabulary

HINTS = ("import", "construct", "verb", "prediction")
"""What a FAIL may say of where the agent failed."""


@dataclass(frozen=True, slots=True)
class Load:
    """What LOAD says: the track, the dictionary's size and hash, the limits in seconds, and
    which version is spoken from then on."""

    track: Track
    entries: int | None
    sha256: str | None
    limits: Mapping[str, float]
    spoken: Version


def write_load(
    track: Track, *, vocabulary: Vocabulary | None, limits: Mapping[str, float], spoken: Version
) -> dict[str, Any]:  # Any: JSON
    """The body of LOAD for an inside with which this version is spoken."""
    named = vocabulary and {"entries": len(vocabulary), "sha256": vocabulary.sha256}
    body = {"track": track, "vocabulary": named, "limits": limits}
    return body | {"protocol": PROTOCOL} if spoken.told_in_load else body


def read_load(body: Body) -> Load:
    """The body of LOAD, parsed; one that tells no version is of 1.0."""
    spoken = told(body)
    rest = {key: value for key, value in body.items() if key != "protocol"}
    track, vocabulary, limits = fields(rest, track=str, vocabulary=(dict, type(None)), limits=dict)
    if track not in TRACKS:
        raise FrameError("the track is unknown")
    fields(limits, load=float, batch=float, bank=float, total=float)
    entries, sha256 = (None, None)
    if vocabulary is not None:
        entries, sha256 = fields(vocabulary, entries=int, sha256=str)
    return Load(track, entries, sha256, limits, spoken)


def read_fail(body: Body) -> tuple[str, str | None]:
    """Hint and detail of FAIL; the detail is one of `invalid_prediction`'s, or None."""
    hint, detail = fields(body, hint=str, detail=(str, type(None)))
    if hint not in HINTS:
        raise FrameError("the hint of FAIL is unknown")
    known = VERDICTS["invalid_prediction"].details if hint == "prediction" else (None,)
    if detail not in known:
        raise FrameError("the detail of FAIL is unknown")
    return hint, detail
