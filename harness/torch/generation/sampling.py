"""Drawing words: which may be drawn (all, top-k, nucleus), and chance that hangs on a context.

A context's draws come from numbers made of the seed and the context's key before the first word,
so it gets the same reply alone and in a batch of 64.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from harness.torch.generation.options import SearchOptions

FEW = 256
"""How many of the likeliest words are sorted first; rows whose nucleus is larger sort all."""


def uniforms(keys: Sequence[str], *, seed: int, count: int) -> Tensor:
    """Numbers in [0, 1), float64 `[keys, count]`; a row hangs on the seed and its key alone."""
    return torch.tensor(np.stack([_stream(key, seed).random(count) for key in keys]))


def _stream(key: str, seed: int) -> np.random.Generator:
    digest = hashlib.sha256(f"{seed}\0{key}".encode("utf-8", "surrogatepass")).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))


def draw(allowed: Tensor, chance: Tensor, options: SearchOptions) -> Tensor:
    """A word for each row, `[R]`, of `allowed` ln p `[R, V]` by numbers `chance` `[R]` in [0, 1).

    -infinity is never drawn; what remains is made a distribution again.
    """
    mass = (allowed / options.temperature).double().softmax(1)
    size = mass.shape[1]
    if options.inference == "topk":
        kept, tokens = mass.topk(min(options.topk, size), dim=1)
        return _pick(kept, tokens, chance)
    share = options.topp if options.inference == "nucleus" else 1.0
    kept, tokens = mass.topk(min(FEW, size), dim=1)
    if size <= FEW:
        return _pick(_nucleus(kept, share=share), tokens, chance)
    drawn = _pick(_nucleus(kept, share=share), tokens, chance)
    wide = (kept.sum(1) < share).nonzero()[:, 0]
    if len(wide):
        kept, tokens = mass[wide].sort(dim=1, descending=True, stable=True)
        drawn[wide] = _pick(_nucleus(kept, share=share), tokens, chance[wide])
    return drawn


def _nucleus(kept: Tensor, *, share: float) -> Tensor:
    """Falling probabilities, zero after the first that together hold `share` (one at least)."""
    before = kept.cumsum(1) - kept
    before[:, 0] = 0.0  # the subtraction may leave a rounding error
    return kept.masked_fill(before >= share, 0.0)


def _pick(weights: Tensor, tokens: Tensor, chance: Tensor) -> Tensor:
    """The token at which the running sum of weights passes `chance` of their total."""
    reached = weights.cumsum(1)
    wanted = (chance.to(reached) * reached[:, -1])[:, None]
    place = (reached <= wanted).sum(1, keepdim=True)
    last = (weights > 0).sum(1, keepdim=True) - 1  # rounding must not pass the last real one
    return tokens.gather(1, torch.minimum(place, last))[:, 0]
