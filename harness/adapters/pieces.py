"""The bytes that each sub-word piece of a tokenizer stands for.

Byte-level tokenizers (GPT-2's, and most since) write a byte as one printable character; those in
the manner of SentencePiece write a space as U+2581 and rare bytes as `<0x0A>`.
"""

import json
import re
from functools import cache
from typing import Any

from harness.errors import UsageError

_SPACE = "\u2581"
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_SAMPLES = ("hi , i don't know !", "caf\u00e9 au lait ; 3 dogs", "so\nlong")


def piece_bytes(tokenizer: Any) -> list[bytes | None]:  # Any: a tokenizer of transformers
    """One entry per id of the tokenizer: its bytes, None for a special token.

    `UsageError` where the pieces do not spell the texts that they encode.
    """
    pieces = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    special = set(tokenizer.all_special_ids)
    spell = _byte_level if _is_byte_level(tokenizer) else _space_marked
    found = [
        None if number in special or piece is None else spell(piece)
        for number, piece in enumerate(pieces)
    ]
    for text in _SAMPLES:
        ids = tokenizer.encode(text, add_special_tokens=False)
        if any(number in special for number in ids):
            continue  # it lacks a piece for this sample
        spelled = b"".join(found[number] or b"" for number in ids)
        if spelled.strip() != text.encode("utf-8"):
            raise UsageError(
                f"the pieces of this tokenizer spell {spelled[:40]!r} for {text!r}; give their "
                "bytes with `pieces`"
            )
    return found


def _is_byte_level(tokenizer: Any) -> bool:  # Any: a tokenizer of transformers
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return "\u0120" in "".join(tokenizer.convert_ids_to_tokens(tokenizer.encode("a b")))
    return '"ByteLevel"' in json.dumps(json.loads(backend.to_str()).get("decoder"))


def _byte_level(piece: str) -> bytes:
    letters = _letters()
    if all(letter in letters for letter in piece):
        return bytes(letters[letter] for letter in piece)
    return piece.encode("utf-8")  # an added token, written as it is


def _space_marked(piece: str) -> bytes:
    if match := _BYTE.fullmatch(piece):
        return bytes([int(match[1], 16)])
    return piece.replace(_SPACE, " ").encode("utf-8")


@cache
def _letters() -> dict[str, int]:
    """The byte of each letter of byte-level pieces (Radford et al. 2019).

    Printable bytes stand for themselves; the others, in order, for the letters from U+0100.
    """
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in set(plain)]
    letters = {chr(byte): byte for byte in plain}
    return letters | {chr(0x100 + place): byte for place, byte in enumerate(rest)}
