"""Vectors from a file: only known words, at the table's scale, and a bad file is named."""

from pathlib import Path

import pytest
import torch

from harness.errors import UsageError
from harness.torch.pretrained import fill, projected, read_vectors
from harness.torch.words import Words

WORDS = Words.build(["tea rain chess naïve"])


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "words.vec"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path


def test_both_forms_are_read_and_unknown_words_are_not_kept(tmp_path: Path) -> None:
    body = "rain 1 2 3\nzebra 9 9 9\nnaïve -1 0 .5e1\nrain 7 7 7\n__end__ 1 1 1\n"
    glove, fast = written(tmp_path, body), tmp_path / "fast.vec"
    fast.write_text(f"5 3 \n{body}", encoding="utf-8")

    for path in (glove, fast):
        found = read_vectors(path, WORDS)
        by_word = {
            WORDS.words[i]: v
            for i, v in zip(found.ids.tolist(), found.vectors.tolist(), strict=True)
        }
        assert by_word == {"rain": [1, 2, 3], "naïve": [-1, 0, 5]}
    assert str(found) == "fast.vec has vectors for 2 of 4 words (50.0%), 3 numbers each"


def test_words_with_spaces_are_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, "rain 1 2\ntea name@domain.com 3 4\n")
    assert read_vectors(path, WORDS).ids.tolist() == WORDS.ids("rain")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("zebra 1 2\n", "has a vector for none of the model's 8 words"),
        ("", "has a vector for none"),
        ("rain 1 2\ntea 1\n", r"words\.vec:2: 1 numbers where other words have 2"),
        ("rain 1 2\ntea 1 x\n", r"words\.vec:2: not a word and its numbers"),
        ("rain 1 nan\n", r"words\.vec:1: a number that is not finite"),
        ("rain\n", r"words\.vec:1: 0 numbers after the word.*unpacked\?"),
        (b"\x1f\x8b" + b"x" * 70_000, r"words\.vec:1: a line of over 65,536 bytes.*unpacked\?"),
        ("rain" + " 1" * 5000, r"words\.vec:1: 5000 numbers after the word, not 1 to 4,096"),
    ],
)
def test_a_bad_file_is_named_with_its_line(
    content: str | bytes, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=reason):
        read_vectors(written(tmp_path, content), WORDS)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read the vectors .*nowhere\.vec: No such"):
        read_vectors(tmp_path / "nowhere.vec", WORDS)


def test_a_table_is_filled_at_its_own_scale(tmp_path: Path) -> None:
    found = read_vectors(written(tmp_path, "rain 30 40\ntea 0 -50\n"), WORDS)
    table = torch.nn.Parameter(torch.ones(len(WORDS), 2))
    fill(table, found)

    rain, tea, chess = WORDS.ids("rain tea chess")
    length = 2**0.5
    assert table[rain].tolist() == pytest.approx([0.6 * length, 0.8 * length])
    assert table[tea].tolist() == pytest.approx([0, -length])
    assert table[chess].tolist() == [1, 1]
    assert table.requires_grad


def test_another_size_keeps_what_words_have_in_common() -> None:
    flat = torch.zeros(6, 5, dtype=torch.float64)
    flat[:, [1, 3]] = torch.randn(6, 2, dtype=torch.float64, generator=torch.Generator())
    products = flat @ flat.T

    for size in (2, 3, 5, 9):  # two directions hold all that there is
        found = projected(flat, size, seed=1)
        assert found.shape == (6, size)
        assert torch.allclose(found @ found.T, products)
    assert torch.equal(projected(flat, 9, seed=1), projected(flat, 9, seed=1))
