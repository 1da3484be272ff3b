"""A memory of pairs: what was said to somebody (key), and what was replied (value).

Shapes: B rows that ask, K pairs, L words of a text, D size.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import torch
from torch import Tensor

from harness.dialogue import Dialogue
from harness.errors import UsageError
from harness.torch.words import padded

FILE = "pairs.json"
"""The name of the pairs in a checkpoint."""

_SLACK = 28
_BLANK = re.compile(r"[\[\]{}<>_]|\buser ?\d|\(.*\bname\b.*\)")
"""What a set's writers left to be filled in: `[user 2's name]`, `( name )`, `user 1`."""

Ids = Sequence[int]


@dataclass(frozen=True)
class Pairs:
    """Pairs in the order of their keys; words in another order are the same key, as in a bag.

    Each text of words is a row of ids. The pairs of key i begin at `starts[i]`; the reply that was
    given most often is the first of them.
    """

    texts: tuple[tuple[str, str], ...]  # of each pair
    starts: tuple[int, ...]  # of each key, and the end
    key_vecs: Tensor  # [keys, L]
    value_vecs: Tensor  # [K, L]
    key_of: Tensor  # [K]

    @classmethod
    def of(cls, texts: Sequence[tuple[str, str]], *, ids: Callable[[str], Ids]) -> "Pairs":
        """Pairs of texts, each once; `UsageError` where there is none."""
        if not texts:
            raise UsageError(
                "a memory of pairs needs a pair; the training set has no reply to keep"
            )
        held: dict[tuple[int, ...], Counter[tuple[str, str]]] = {}
        for pair in texts:
            held.setdefault(tuple(sorted(ids(pair[0]))), Counter())[pair] += 1
        groups = [[pair for pair, _ in found.most_common()] for found in held.values()]
        sizes = torch.tensor([len(group) for group in groups])
        flat = tuple(chain.from_iterable(groups))
        return cls(
            texts=flat,
            starts=(0, *sizes.cumsum(0).tolist()),
            key_vecs=padded(list(held)),
            value_vecs=padded([ids(reply) for _, reply in flat]),
            key_of=torch.arange(len(groups)).repeat_interleave(sizes),
        )

    def __len__(self) -> int:
        return len(self.texts)

    def to(self, device: torch.device) -> "Pairs":
        """The same pairs with their tensors on a device."""
        tensors = (self.key_vecs, self.value_vecs, self.key_of)
        return Pairs(self.texts, self.starts, *(tensor.to(device) for tensor in tensors))

    def nearest(self, asked: Tensor, keys: Tensor, *, count: int) -> tuple[Tensor, Tensor]:
        """The pairs nearest to `asked` `[B, D]`, best first, and the cosine of their keys `[B, K]`.

        `asked` and `keys` are unit vectors. The order of near ones is decided in double precision:
        it must not hang on how a product of many rows was rounded.
        """
        count = min(count, len(self))
        near = (asked @ keys.T).topk(min(count + _SLACK, len(keys)), dim=1).indices.sort(dim=1)
        exact = (keys[near.values].double() @ asked.double()[:, :, None])[..., 0]
        order = exact.argsort(dim=1, descending=True, stable=True)
        ranked = near.values.gather(1, order)  # [B, keys]
        places = torch.tensor([self._first(row, count) for row in ranked.tolist()]).to(asked.device)
        matches = torch.full((len(asked), len(keys)), -1.0, dtype=exact.dtype, device=asked.device)
        matches.scatter_(1, near.values, exact)
        return places, matches.gather(1, self.key_of[places]).float()

    def _first(self, keys: Sequence[int], count: int) -> list[int]:
        """The first `count` pairs of keys in their order."""
        of_keys = (range(self.starts[key], self.starts[key + 1]) for key in keys)
        return list(islice(chain.from_iterable(of_keys), count))


def pairs_of(dialogues: Iterable[Dialogue], *, limit: int) -> list[tuple[str, str]]:
    """What was said and replied in a training set; at most `limit`, spread evenly over it.

    Replies with a blank, such as a name to be filled in, nobody would say.
    """
    found = [
        (example.partner[-1], example.replies[0])
        for dialogue in dialogues
        for example in dialogue.examples
        if not _BLANK.search(example.replies[0])
    ]
    step = max(1, -(-len(found) // limit))
    return found[::step]


def to_bytes(pairs: Pairs) -> bytes:
    """Pairs as a file of a checkpoint."""
    return json.dumps(pairs.texts, ensure_ascii=False, indent=0).encode("utf-8")


def from_bytes(content: bytes, *, place: str) -> list[tuple[str, str]]:
    """The texts that `to_bytes` wrote; `UsageError` where they are none."""
    try:
        found: Any = json.loads(content)  # Any: a file of anybody's
        return [(_text(said), _text(replied)) for said, replied in found]
    except (ValueError, TypeError, RecursionError):
        raise UsageError(f"{place} is damaged: it is not a list of pairs; train again") from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
