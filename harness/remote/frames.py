"""The frames of the protocol: a fixed header, strict JSON, raw little-endian arrays.

    "RSTR" | version u8 | kind u8 | zero u16 | sequence u32 | JSON bytes u32 | binary bytes u64

Everything that arrives is judged on its header before anything is allocated, then parsed once, to
exact keys and types. Nothing here reads or writes a socket. Anything unlike the specification
(`docs/protocol.md`) is a `FrameError`.
"""

import json
import math
import re
import struct
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

MAGIC = b"RSTR"
VERSION = 1
"""The layout of the header; the first byte pair a reader checks after the magic."""

PROTOCOL = "1.1"
"""`major.minor` of what the frames mean; only another major is refused."""

HEADER = struct.Struct("<4sBBHIIQ")

MAX_DEPTH = 8
"""How deep JSON may nest: a request's turns stand at depth 5."""

_MAX_INTEGER = 20
_MAX_FLOAT = 40
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTAINERS = frozenset({list, dict})
_TEXT = frozenset({str})
_ENCODER = json.JSONEncoder(
    ensure_ascii=False,
    allow_nan=False,
    check_circular=False,  # what we send is made from values, which hold no circles
    separators=(",", ":"),
)

Body = Mapping[str, Any]  # Any: a JSON object, parsed by `fields`


class FrameError(Exception):
    """Bytes that are not the protocol's; the text says which rule they break."""


class Kind(IntEnum):
    """What a frame is for; `I` sends it from inside, `O` from outside."""

    HELLO = 1  # I: protocol, harness, build
    LOAD = 2  # O: track, vocabulary, limits, from 1.1 on protocol; binary: the dictionary
    READY = 3  # I: nothing, or from 1.1 on a base row
    REQUEST = 4  # O: verb, contexts and what the verb takes
    REPLY = 5  # I: texts, one array, or sparse rows
    BYE = 6  # O
    FAIL = 7  # I: hint, detail


class Header(NamedTuple):
    """The first 24 bytes of a frame, checked for form but not yet for what is expected."""

    kind: Kind
    sequence: int
    json_bytes: int
    binary_bytes: int


class Frame(NamedTuple):
    """One whole frame. `binary` may be a view of a buffer that its reader reuses."""

    kind: Kind
    sequence: int
    body: Body
    binary: memoryview


def pack(kind: Kind, sequence: int, body: Body, *, binary_bytes: int = 0) -> bytes:
    """Header and JSON of one frame, to be followed by `binary_bytes` bytes of array."""
    text = dumps(body)
    return HEADER.pack(MAGIC, VERSION, kind, 0, sequence, len(text), binary_bytes) + text


def unpack(header: bytes | bytearray | memoryview) -> Header:
    """The header in 24 bytes; `FrameError` on another magic, version or kind."""
    magic, version, kind, reserved, sequence, json_bytes, binary_bytes = HEADER.unpack(header)
    if magic != MAGIC:
        raise FrameError("the magic is not RSTR")
    if version != VERSION:
        raise FrameError(f"header version {version}, not {VERSION}")
    if reserved != 0:
        raise FrameError("the reserved field is not zero")
    try:
        kind = Kind(kind)
    except ValueError:
        raise FrameError(f"frame kind {kind} is unknown") from None
    return Header(kind, sequence, json_bytes, binary_bytes)


def dumps(body: Body) -> bytes:
    """The object as compact UTF-8 JSON, keys in their order."""
    return _ENCODER.encode(body).encode("utf-8")


def loads(data: bytes | bytearray | memoryview) -> dict[str, Any]:  # Any: parsed by `fields`
    """The one object in strict JSON, already bounded in size by the caller.

    UTF-8 without surrogates, no NaN or infinity, no key twice, at most `MAX_DEPTH` levels,
    integers of at most 20 and floats of at most 40 characters.
    """
    try:
        text = str(data, "utf-8")
    except UnicodeDecodeError:
        raise FrameError("the JSON is not UTF-8") from None
    if text.startswith("\ufeff"):  # the decoder would stumble over it, but with another error
        raise FrameError("the JSON begins with a byte-order mark")
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError):
        raise FrameError("the JSON is malformed") from None
    if not isinstance(value, dict):
        raise FrameError("the JSON is not an object")
    if text.count("[") + text.count("{") > MAX_DEPTH:  # else there are too few to be deeper
        _check_depth(value)
    if "\\u" in text:  # UTF-8 holds no surrogates, so only an escape can bring one
        _refuse_surrogates(value)
    return value


def fields(body: Body, **types: type | tuple[type, ...]) -> tuple[Any, ...]:  # Any: as in `types`
    """The values of exactly these keys, each of exactly its type, in the order asked for."""
    if body.keys() != types.keys():
        raise FrameError(f"the keys are not {', '.join(types)}")
    for key, wanted in types.items():
        found = type(body[key])
        if found is not wanted and (type(wanted) is not tuple or found not in wanted):
            raise FrameError(f"{key} has the wrong type")
    return tuple([body[key] for key in types])


def texts(value: object) -> list[str]:
    """The value as a list of strings."""
    if not isinstance(value, list) or not _TEXT.issuperset(map(type, value)):
        raise FrameError("not a list of texts")
    return value


def array(dtype: str, shape: Sequence[int]) -> dict[str, Any]:  # Any: a JSON object
    """The body that describes the raw array which follows it."""
    return {"array": {"dtype": dtype, "shape": list(shape)}}


def sparse(*, rows: int, changes: int) -> dict[str, Any]:  # Any: a JSON object
    """The body that describes sparse rows, whose starts, columns and weights follow it."""
    return {"sparse": {"rows": rows, "changes": changes}}


def _check_depth(value: dict[str, Any]) -> None:  # Any: JSON
    """Level by level; the decoder itself refuses what is too deep for the interpreter."""
    level: list[Any] = [value]  # Any: lists and objects of JSON
    for _ in range(MAX_DEPTH):
        inner: list[Any] = []
        for outer in level:
            items = outer.values() if type(outer) is dict else outer
            if not _CONTAINERS.isdisjoint(map(type, items)):  # mostly lists of text: no more to see
                inner += [item for item in items if type(item) in _CONTAINERS]
        if not inner:
            return
        level = inner
    raise FrameError(f"the JSON nests deeper than {MAX_DEPTH}")


def _refuse_surrogates(value: object) -> None:
    if isinstance(value, str):
        if _SURROGATE.search(value):
            raise FrameError("a text holds half a surrogate pair")
    elif isinstance(value, list):
        for item in value:
            _refuse_surrogates(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            _refuse_surrogates(key)
            _refuse_surrogates(item)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:  # Any: parsed by `fields`
    value = dict(pairs)
    if len(value) != len(pairs):
        raise FrameError("a key stands twice")
    return value


def _constant(name: str) -> float:
    raise FrameError(f"{name} is not JSON")


def _integer(digits: str) -> int:
    if len(digits) > _MAX_INTEGER:
        raise FrameError(f"an integer of {len(digits)} characters")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits) if len(digits) <= _MAX_FLOAT else math.inf
    if not math.isfinite(value):
        raise FrameError("a number is too long or too large")
    return value


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_constant=_constant,
    parse_int=_integer,
    parse_float=_float,
)
