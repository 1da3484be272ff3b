"""Names and orders as an agent sees them: keyed hashes, which tell nothing to who lacks the key.

The place of a dialogue in its file, and of the reply among the candidates, is in none of them.
"""

import hashlib
import hmac
import json
import struct
from collections.abc import Sequence

from harness.agent import Track

_KEY_BYTES = 8


class Disguise:
    """The names and orders of one run: of this `secret`, on this track."""

    def __init__(self, secret: bytes, track: Track):
        self._secret = secret
        self._track = track
        self._order = hmac.digest(secret, b"order of candidates", "sha256")

    def place(self, dialogue: str) -> str:
        """What a dialogue is sorted by where all of a set are asked together."""
        return self._hash(json.dumps(["dialogue", dialogue]))

    def stem(self, dialogue: str) -> str:
        """What the names of a dialogue's examples have in common; made once for each dialogue."""
        return json.dumps([self._track, dialogue])[:-1]

    def name(self, stem: str, turn: int) -> str:
        """The id of an example's context, 32 hex digits."""
        return self._hash(f"{stem}, {turn}]")

    def shuffled(self, candidates: Sequence[str], *, name: str) -> tuple[str, ...]:
        """The candidates in an order that hangs on the set of their texts and the example's name.

        The texts are sorted first, which forgets where each stood; then one keyed stream gives
        each place a 64-bit key to be sorted by. Which of them is the reply is in neither.
        """
        count = len(candidates)
        stream = hashlib.shake_256(self._order + name.encode("ascii")).digest(_KEY_BYTES * count)
        keys = struct.unpack(f"<{count}Q", stream)
        ordered = sorted(candidates)
        return tuple([ordered[place] for place in sorted(range(count), key=keys.__getitem__)])

    def _hash(self, message: str) -> str:
        return hmac.digest(self._secret, message.encode("ascii"), "sha256").hex()[:32]
