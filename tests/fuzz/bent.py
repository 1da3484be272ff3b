"""Frames that are right but for what the fuzzer bends: how it gets past the magic and the keys."""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from harness.remote.frames import HEADER

_WORDS = [
    b"{", b"}", b"[", b"]", b'"', b"\\u", b"\\ud800", b":", b",", b"null", b"-1", b"1e999", b"NaN",
    b'"array"', b'"sparse"', b'"dtype"', b'"shape"', b'"rows"', b'"changes"', b'"replies"',
    b'"hint"', b'"detail"', b'"<f4"', b'"<f8"', b'"prediction"', b'"zero_row"', b"99999999999",
    b'"track"', b'"ppl"', b'"vocabulary"', b'"limits"', b'"protocol"', b'"1.1"', b'"verb"',
    b'"contexts"', b'"prefixes"', b'"candidates"', b'"turns"', b'"persona"',
    b'"ended"', b'"words"', b'"one"', b'["two","one",[]]', b"[0,1]",
]  # fmt: skip


class Provider(Protocol):
    """What is used of `atheris.FuzzedDataProvider`."""

    def ConsumeIntInRange(self, low: int, high: int) -> int: ...  # noqa: N802  # theirs

    def ConsumeBytes(self, count: int) -> bytes: ...  # noqa: N802  # theirs

    def remaining_bytes(self) -> int: ...


def bent(frame: bytes, data: Provider) -> bytes:
    """The frame with up to four things changed, lengths kept right unless they are the change."""
    head, text, binary = parts(frame)
    for _ in range(data.ConsumeIntInRange(0, 4)):
        match data.ConsumeIntInRange(0, 6):
            case 0:
                field = data.ConsumeIntInRange(0, len(head) - 1)
                head[field] = data.ConsumeIntInRange(0, 2**32 - 1)
            case 1:
                text = spliced(text, data.ConsumeBytes(data.ConsumeIntInRange(0, 24)), data)
            case 2:
                text = spliced(text, pick(_WORDS, data), data)
            case 3:
                binary = spliced(binary, data.ConsumeBytes(data.ConsumeIntInRange(0, 16)), data)
            case 4:
                value = struct.pack("<q", data.ConsumeIntInRange(-(2**63), 2**63 - 1))
                binary = spliced(binary, value, data)
            case 5:
                text = data.ConsumeBytes(data.ConsumeIntInRange(0, 200))
            case 6:
                binary = binary[: data.ConsumeIntInRange(0, len(binary))]
    return joined(head, text, binary)


def parts(frame: bytes) -> tuple[list[int], bytes, bytes]:
    """Version, kind, reserved, number and what is added to the two lengths; JSON; array."""
    _, version, kind, zero, number, json_bytes, _ = HEADER.unpack_from(frame)
    end = HEADER.size + json_bytes
    return [version, kind, zero, number, 0, 0], frame[HEADER.size : end], frame[end:]


def joined(head: Sequence[int], text: bytes, binary: bytes) -> bytes:
    """The frame; fields are cut to their width."""
    version, kind, zero, number, more_json, more_binary = head
    packed = struct.pack(
        "<4sBBHIIQ",
        b"RSTR",
        version & 0xFF,
        kind & 0xFF,
        zero & 0xFFFF,
        number,
        (len(text) + more_json) & 0xFFFFFFFF,
        len(binary) + more_binary * 2**20,
    )
    return packed + text + binary


def spliced(old: bytes, new: bytes, data: Provider) -> bytes:
    """Some of the old bytes replaced by the new."""
    start = data.ConsumeIntInRange(0, len(old))
    end = data.ConsumeIntInRange(start, min(len(old), start + 16))
    return old[:start] + new + old[end:]


def pick(items: Sequence[bytes], data: Provider) -> bytes:
    """One of them."""
    return items[data.ConsumeIntInRange(0, len(items) - 1)]


def seed(corpus: Path, sessions: Mapping[str, Sequence[bytes]]) -> None:
    """Write each recorded session into the corpus, as its script reads it: frames as they come.

    A provider takes integers from the end: which session, the chunk (2 bytes), mode 0.
    """
    if corpus.is_file():  # one input is run again
        return
    corpus.mkdir(parents=True, exist_ok=True)
    for place, (name, frames) in enumerate(sessions.items()):
        (corpus / f"seed-{name}").write_bytes(b"".join(frames) + b"\x00\x00\x0f" + bytes([place]))
