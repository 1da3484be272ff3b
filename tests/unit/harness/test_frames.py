"""Frames: what is packed comes back, and everything else is refused before it costs anything."""

import json
import struct
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.remote.frames import (
    HEADER,
    MAX_DEPTH,
    FrameError,
    Kind,
    dumps,
    fields,
    loads,
    pack,
    texts,
    unpack,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text(), JSON, max_size=4), st.sampled_from(Kind), st.integers(0, 2**32 - 1)
)
def test_what_is_packed_comes_back(body: dict[str, object], kind: Kind, sequence: int) -> None:
    try:
        data = pack(kind, sequence, body, binary_bytes=7)
    except UnicodeEncodeError:
        return  # half a surrogate pair cannot be sent
    header = unpack(data[: HEADER.size])
    assert header == (kind, sequence, len(data) - HEADER.size, 7)
    text = data[HEADER.size :]
    if _depth(body) <= MAX_DEPTH:
        assert loads(text) == body
    else:
        with pytest.raises(FrameError, match="nests"):
            loads(text)


@given(st.binary(min_size=HEADER.size, max_size=HEADER.size))
def test_random_headers_are_refused(data: bytes) -> None:
    with pytest.raises(FrameError):
        unpack(data)


@pytest.mark.parametrize(
    "header",
    [
        (b"RSTS", 1, 1, 0, 0, 0, 0),
        (b"RSTR", 2, 1, 0, 0, 0, 0),
        (b"RSTR", 1, 0, 0, 0, 0, 0),
        (b"RSTR", 1, 8, 0, 0, 0, 0),
        (b"RSTR", 1, 1, 1, 0, 0, 0),
    ],
)
def test_one_wrong_field_of_a_header_is_refused(header: tuple[object, ...]) -> None:
    with pytest.raises(FrameError):
        unpack(struct.pack("<4sBBHIIQ", *header))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'"text"',
        b"{",
        b"{} {}",
        b"{}x",
        b"\xef\xbb\xbf{}",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": 1, "a": 1}',
        b'{"a": {"b": 1, "b": 2}}',
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'{"a": ["x", {"b": "\\ud83d"}]}',
        b'{"a": "\x00"}',
        b"{'a': 1}",
        b'{"a": 01}',
        b'{"a": ' + b"1" * 21 + b"}",
        b'{"a": ' + b"1" * 100_000 + b"}",
        b'{"a": 0.' + b"1" * 100_000 + b"}",
        b'{"a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"a": ' + b"[" * 200_000,
        b'{"a":' * 200_000 + b"1" + b"}" * 200_000,
    ],
)
def test_json_that_is_not_strict_is_refused(text: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(FrameError):
            loads(text)
        assert tracemalloc.get_traced_memory()[1] < 32 * max(len(text), 10_000)
    finally:
        tracemalloc.stop()


def test_brackets_and_quotes_inside_texts_are_no_depth() -> None:
    body = {"replies": ["[" * 50, '"{"' * 20, "\\[\\", '\\"[[[[[[[[[[[[']}
    assert loads(dumps(body)) == body
    assert loads(json.dumps(body).encode()) == body


def test_no_json_takes_long_to_refuse() -> None:
    escaped = b'{"a": "' + b'\\"' * 400_000
    start = time.monotonic()
    for text in (escaped, escaped + b"\\", b'"' * 800_001, b"\\" * 800_001, b'{"a": [' + escaped):
        with pytest.raises(FrameError):
            loads(text)
    assert time.monotonic() - start < 2


def test_a_pair_of_surrogate_escapes_is_one_character() -> None:
    assert loads(b'{"a": "\\ud83d\\ude00"}') == {"a": "\U0001f600"}


def test_nan_cannot_be_sent() -> None:
    with pytest.raises(ValueError, match="JSON"):
        dumps({"a": float("nan")})


def test_fields_takes_exact_keys_and_exact_types() -> None:
    assert fields({"b": "x", "a": 1}, a=int, b=(str, type(None))) == (1, "x")
    for body in ({}, {"a": 1}, {"a": 1, "b": "x", "c": 1}, {"a": True, "b": "x"}, {"a": 1, "b": 2}):
        with pytest.raises(FrameError):
            fields(body, a=int, b=(str, type(None)))


@pytest.mark.parametrize("value", ["text", {"a": 1}, None, [1], ["a", None], [["a"]]])
def test_texts_takes_lists_of_text_alone(value: object) -> None:
    with pytest.raises(FrameError):
        texts(value)


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0
