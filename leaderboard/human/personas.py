"""Who is who in a conversation: three personas drawn so that no two share a sentence.

The rater plays one, the partner has one, and the third stands beside the partner's in the last
question. A shared sentence would give an answer away, or make both answers right.
"""

import hashlib
import hmac
import random
from collections.abc import Sequence
from dataclasses import dataclass

from harness.errors import UsageError
from harness.text import normalise

Persona = tuple[str, ...]

MAX_TRIES = 200_000
"""How many pairs are compared before a pool is said not to give three personas."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """The three personas of one conversation."""

    rater: Persona
    partner: Persona
    distractor: Persona


def seeded(secret: bytes, *, nonce: bytes) -> random.Random:
    """The generator of one draw: without the competition's secret it cannot be foretold."""
    digest = hmac.new(secret, b"rostrum personas " + nonce, hashlib.sha256).digest()
    return random.Random(digest)  # noqa: S311  (the seed is the secret; the draw is wanted even)


def draw(pool: Sequence[Persona], *, rng: random.Random) -> Drawn:
    """Three personas of `pool`, no two of which share a sentence after normalisation.

    `UsageError` (`bad_data`) if the pool has no such three.
    """
    order = rng.sample(range(len(pool)), k=len(pool))
    sentences: dict[int, frozenset[str]] = {}
    tries = 0

    def apart(one: int, other: int) -> bool:
        nonlocal tries
        tries += 1
        for place in (one, other):
            if place not in sentences:
                sentences[place] = frozenset(map(normalise, pool[place]))
        return one != other and sentences[one].isdisjoint(sentences[other])

    for first in order:
        for second in order:
            if tries > MAX_TRIES:
                raise _too_alike(len(pool))
            if apart(first, second):
                for third in order:
                    if apart(first, third) and apart(second, third):
                        return Drawn(pool[first], pool[second], pool[third])
    raise _too_alike(len(pool))


def _too_alike(size: int) -> UsageError:
    return UsageError(
        f"the {size} personas of this competition hold no three without a common sentence",
        code="bad_data",
        hint="Import more of them with `rostrum admin data import FILE --role personas`.",
    )
