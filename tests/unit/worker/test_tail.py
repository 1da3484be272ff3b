"""The kept end of a cell's output: bounded, whole at the end, never in the way."""

import contextlib
import os
import struct
import threading

import pytest

from worker.sandbox.tail import LIMIT_FACTOR, Tail


def never() -> None:
    raise AssertionError("no flood was sent")


def test_the_last_bytes_are_kept() -> None:
    reading, writing = os.pipe()
    tail = Tail(reading, keep=10, on_flood=never)
    for number in range(20):
        os.write(writing, f"line{number:02d}\n".encode())
    os.close(writing)
    tail.stop(seconds=5)
    assert tail.text == "18\nline19\n"
    assert not tail.flooded


def test_a_flood_is_cut_and_reported_once() -> None:
    reading, writing = os.pipe()
    reported = threading.Event()
    tail = Tail(reading, keep=1000, on_flood=reported.set)
    sent = 0
    with contextlib.suppress(BrokenPipeError):
        while sent < 10_000 * LIMIT_FACTOR:
            sent += os.write(writing, b"x" * 4096)
    os.close(writing)
    assert sent < 5000 * LIMIT_FACTOR
    assert reported.wait(5)
    assert tail.flooded
    assert len(tail.text) == 1000


def test_a_silent_writer_does_not_hold_us() -> None:
    reading, writing = os.pipe()
    tail = Tail(reading, keep=10, on_flood=never)
    tail.stop(seconds=0)
    with pytest.raises(BrokenPipeError):
        os.write(writing, b"x")
    os.close(writing)


@pytest.mark.parametrize("size", [1, 3, 7, 8, 9, 64])
def test_the_engines_frames_are_taken_apart_wherever_they_are_cut(size: int) -> None:
    parts = [b"one ", b"", b"two ", b"three" * 5]
    stream = b"".join(struct.pack(">BxxxI", 2, len(part)) + part for part in parts)
    reading, writing = os.pipe()
    tail = Tail(reading, keep=1000, on_flood=never, framed=True)
    for start in range(0, len(stream), size):
        os.write(writing, stream[start : start + size])
    os.close(writing)
    tail.stop(seconds=5)
    assert tail.text == b"".join(parts).decode()


def test_bytes_that_are_no_text_are_replaced() -> None:
    reading, writing = os.pipe()
    tail = Tail(reading, keep=10, on_flood=never)
    os.write(writing, b"\xff\xfeok")
    os.close(writing)
    tail.stop(seconds=5)
    assert tail.text == "��ok"
