"""What rostrum.toml may say of weights, and what is refused before anything is asked."""

from pathlib import Path

import pytest

from harness.errors import SubmissionError
from worker.fetch.download import Promise
from worker.fetch.weights import Weights, named

GOOD = {
    "path": '"weights/model.safetensors"',
    "url": '"https://weights.example/team/model.safetensors?download=true"',
    "sha256": f'"{"a1" * 32}"',
    "bytes": "268435456",
}


def entry(**changes: str) -> str:
    """One entry with these values in place of the good ones."""
    lines = [f"{key} = {value}" for key, value in (GOOD | changes).items() if value]
    return "[[weights]]\n" + "\n".join(lines) + "\n"


def read(tmp_path: Path, text: str) -> list[Weights]:
    (tmp_path / "rostrum.toml").write_text(text, "utf-8")
    return named(tmp_path)


def test_entries_are_read_in_order(tmp_path: Path) -> None:
    first, second = read(tmp_path, 'name = "owls"\n' + entry() + entry(path='"b.bin"'))
    assert first == Weights(
        "weights/model.safetensors",
        "https://weights.example/team/model.safetensors?download=true",
        Promise("a1" * 32, 268_435_456),
    )
    assert second.path == "b.bin"


@pytest.mark.parametrize("text", ["", "not [ toml", 'name = "owls"', "x = 1\n" * 10_000])
def test_without_entries_there_is_nothing_to_bring(tmp_path: Path, text: str) -> None:
    assert named(tmp_path) == []
    assert read(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('weights = "model.bin"', "write it as"),
        ('weights = ["model.bin"]', "entry 1 must have path, url, sha256, bytes"),
        (entry(bytes=""), "entry 1 must have"),
        (entry(extra='"x"'), "and nothing else"),
        (entry() + entry(), "a path is named twice"),
        (entry(path='"../x"'), "the path of entry 1"),
        (entry(path='"/etc/passwd"'), "the path of entry 1"),
        (entry(path='"a/../../x"'), "the path of entry 1"),
        (entry(path='"./x"'), "the path of entry 1"),
        (entry(path='"a//x"'), "the path of entry 1"),
        (entry(path='".git/config"'), "the path of entry 1"),
        (entry(path='"a\\u0000b"'), "the path of entry 1"),
        (entry(path='"a\\nb"'), "the path of entry 1"),
        (entry(path='"' + "a/" * 8 + 'x"'), "the path of entry 1"),
        (entry(path='""'), "the path of entry 1"),
        (entry(path="1"), "the path of entry 1"),
        (entry(url='"http://weights.example/x"'), "the url of entry 1"),
        (entry(url='"file:///etc/passwd"'), "the url of entry 1"),
        (entry(url="7"), "the url of entry 1"),
        (entry(sha256=f'"{"A1" * 32}"'), "the sha256 of entry 1"),
        (entry(sha256='"a1"'), "the sha256 of entry 1"),
        (entry(sha256="1"), "the sha256 of entry 1"),
        (entry(bytes="0"), "the bytes of entry 1"),
        (entry(bytes="-5"), "the bytes of entry 1"),
        (entry(bytes="1.5"), "the bytes of entry 1"),
        (entry(bytes="true"), "the bytes of entry 1"),
        (entry(bytes=str(2**62)), "the bytes of entry 1"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SubmissionError, match=words) as refused:
        read(tmp_path, text)
    assert (refused.value.code, refused.value.detail) == ("clone_refused", "weights")
