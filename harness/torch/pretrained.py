"""Vectors of words from a local file in fastText's or GloVe's form, for the words a model knows.

One word a line, then its numbers, apart by single spaces; fastText's files begin with a line of
two numbers, how many words and how many numbers each. A file of gigabytes is read line by line
and only the known words are kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.errors import UsageError
from harness.torch.words import UNKNOWN, Words

MAX_LINE = 1 << 16
"""The longest line that is read, in bytes."""

MAX_SIZE = 4096
"""The most numbers that a word may have."""


@dataclass(frozen=True)
class Pretrained:
    """Vectors `[n, S]` of the n words, by their ids `[n]`, that a file and a model share."""

    name: str
    ids: Tensor
    vectors: Tensor
    words: int  # of the model, but for the specials

    def __str__(self) -> str:
        share = len(self.ids) / max(1, self.words)
        return (
            f"{self.name} has vectors for {len(self.ids):,} of {self.words:,} words "
            f"({share:.1%}), {self.vectors.shape[1]:,} numbers each"
        )


def read_vectors(path: Path | str, words: Words) -> Pretrained:
    """The vectors of the words that a model knows; of two for one word the first counts.

    Words are compared as they are written; a model's are lower-case. `UsageError` names the file
    and the line that cannot be, or that no word is known.
    """
    path = Path(path)
    known: dict[int, NDArray[np.float32]] = {}
    size: int | None = None
    for number, line in enumerate(_lines(path), 1):
        word, _, rest = line.rstrip().partition(b" ")
        if number == 1 and rest.isdigit() and word.isdigit():
            continue  # fastText's heading
        size = size or _size(rest, place=f"{path}:{number}")
        id_ = words.index.get(_text(word), UNKNOWN)
        if id_ > UNKNOWN and id_ not in known and rest.count(b" ") < size:  # else a word of two
            known[id_] = _vector(rest, size=size, place=f"{path}:{number}")
    if not known:
        raise UsageError(f"{path} has a vector for none of the model's {len(words):,} words")
    vectors = torch.from_numpy(np.stack(list(known.values())))
    return Pretrained(path.name, torch.tensor(list(known)), vectors, len(words) - UNKNOWN - 1)


def fill(table: Tensor, pretrained: Pretrained, *, seed: int = 0) -> None:
    """Put vectors into a model's table `[V, D]`, in place, at the table's own scale.

    Vectors of another size are projected: more numbers onto their D principal directions, fewer by
    a rotation drawn by `seed`; neither changes more of their products than it must. Then all are
    scaled so that they are as long, on average, as the table's rows were.
    """
    vectors = projected(pretrained.vectors.double(), table.shape[1], seed=seed)
    length = table.detach()[pretrained.ids.to(table.device)].norm(dim=1).mean()
    scale = length / vectors.norm(dim=1).mean().clamp(min=1e-12).to(table.device)
    with torch.no_grad():
        table[pretrained.ids.to(table.device)] = vectors.to(table) * scale


def projected(vectors: Tensor, size: int, *, seed: int) -> Tensor:
    """Vectors `[n, S]` as `[n, size]`."""
    given = vectors.shape[1]
    if size == given:
        return vectors
    if size < given:
        directions: Tensor = torch.linalg.eigh(vectors.T @ vectors).eigenvectors  # strongest last
        return vectors @ directions[:, -size:]
    chance = torch.Generator().manual_seed(seed)
    rotation: Tensor = torch.linalg.qr(
        torch.randn(size, size, generator=chance, dtype=vectors.dtype)
    ).Q
    return vectors @ rotation[:given]


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, none of which is longer than `MAX_LINE`."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE + 1), b""), 1):
                if len(line) > MAX_LINE:
                    raise UsageError(
                        f"{path}:{number}: a line of over {MAX_LINE:,} bytes; is it a text file "
                        "of vectors (.vec, .txt), unpacked?"
                    )
                yield line
    except OSError as error:
        raise UsageError(f"cannot read the vectors {path}: {error.strerror}") from error


def _text(word: bytes) -> str:
    return word.decode("utf-8", "replace")


def _size(rest: bytes, *, place: str) -> int:
    size = len(rest.split())
    if not 1 <= size <= MAX_SIZE:
        raise UsageError(
            f"{place}: {size} numbers after the word, not 1 to {MAX_SIZE:,}; is it a text file of "
            "vectors (.vec, .txt), unpacked?"
        )
    return size


def _vector(rest: bytes, *, size: int, place: str) -> NDArray[np.float32]:
    parts = rest.split()
    if len(parts) != size:
        raise UsageError(f"{place}: {len(parts)} numbers where other words have {size}")
    try:
        vector = np.array(parts, dtype=np.float32)
    except ValueError:
        raise UsageError(f"{place}: not a word and its numbers") from None
    if not np.isfinite(vector).all():
        raise UsageError(f"{place}: a number that is not finite")
    return vector
