"""ConvAI2's own scores, exactly: the compatibility mode that known answers are checked against.

It differs from the house's rule: an agent ranks by itself, gives its text beside the ranking, and
an example without an answer is left out of the mean instead of counting 0. Source: ParlAI at its
tag `convai2archive`, unrounded. New competitions use `hits`, `f1` and `perplexity`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.metrics import f1, hits, perplexity
from harness.text import Vocabulary, split_words

HITS_AT = (1, 5, 10, 100)

Measures = Mapping[str, float | None]
"""One example: `accuracy`, `f1`, `hits@1`, ...; None where the agent did not answer."""


@dataclass(frozen=True, slots=True)
class Loss:
    """The perplexity of one reply: nats over its `num_tokens` scored words; `num_unk` skipped."""

    loss: float
    num_tokens: int
    num_unk: int


def measure(
    reply: str | None, *, ranking: Sequence[str] | None, replies: Sequence[str]
) -> Measures:
    """What one answer adds: the text's accuracy and F1, the hits@k of the agent's own ranking.

    `accuracy` is 1 if the text equals a reply after normalisation. `replies` must not be empty
    (`ValueError`, as in the original).
    """
    if not replies:
        raise ValueError("an example without a reply has no score")
    text: dict[str, float | None] = {"accuracy": None, "f1": None}
    if reply is not None:
        text["accuracy"] = hits.found([reply], replies=replies)
        text["f1"] = f1.measure(reply, replies=replies)
    ranks: dict[str, float | None] = {
        f"hits@{k}": None if ranking is None else hits.found(ranking[:k], replies=replies)
        for k in HITS_AT
    }
    return text | ranks


def score(measures: Iterable[Measures]) -> dict[str, float]:
    """The means over the answered examples; a measure that nobody answered is left out.

    `exs` counts all examples.
    """
    rows = list(measures)
    result: dict[str, float] = {"exs": len(rows)}
    for name in rows[0] if rows else ():
        answered = [value for row in rows if (value := row[name]) is not None]
        if answered:
            result[name] = math.fsum(answered) / len(answered)
    return result


def loss(
    reply: str, *, weights: Sequence[float], sums: Sequence[float], vocabulary: Vocabulary
) -> Loss:
    """The loss of one reply; `weights` and `sums` hold one entry per scored word of it."""
    words = split_words(reply)
    scored = len(perplexity.scored_words(words, vocabulary))
    if not len(weights) == len(sums) == scored:
        raise ValueError(f"{len(weights)} weights, {len(sums)} sums for {scored} scored words")
    return Loss(math.fsum(perplexity.losses(weights, sums)), scored, len(words) - scored)


def score_losses(parts: Iterable[Loss], *, vocabulary: Vocabulary) -> dict[str, float]:
    """`loss` and `ppl` per scored word over the whole set, and what they were made from."""
    rows = list(parts)
    total = math.fsum(row.loss for row in rows)
    tokens = sum(row.num_tokens for row in rows)
    return {
        "loss": total / tokens,
        "ppl": math.exp(total / tokens) if total < math.inf else math.inf,
        "sum_loss": total,
        "num_tokens": tokens,
        "num_unk": sum(row.num_unk for row in rows),
        "exs": len(rows),
        "vocab": len(vocabulary),
    }
