"""The three verbs an agent answers, and the check that it answers them well.

An agent has no memory that the evaluator relies on: each call brings complete contexts, so a
retry, another process, a live chat and a test all look alike. It implements the verbs of the
tracks it enters: `respond` (f1, chat), `score_candidates` (hits), `next_word_probabilities` (ppl).

The checks here raise `SubmissionError("invalid_prediction", detail=...)` and are applied to every
answer, whether the agent lives in this process or behind a socket.
"""

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from harness.dialogue import Context
from harness.errors import SubmissionError

if TYPE_CHECKING:
    from harness.text import Vocabulary

Track = Literal["hits", "f1", "ppl"]
TRACKS: tuple[Track, ...] = ("hits", "f1", "ppl")
VERBS: dict[Track, str] = {
    "hits": "score_candidates",
    "f1": "respond",
    "ppl": "next_word_probabilities",
}

MAX_REPLY_BYTES = 2048
"""The longest reply that is accepted, in bytes of UTF-8."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")


class Responder(Protocol):
    """Answers in words: the f1 track, and a live chat."""

    def respond(self, contexts: Sequence[Context]) -> Sequence[str]:
        """One reply per context, in order; at most 2 KiB of UTF-8 each."""


class CandidateScorer(Protocol):
    """Ranks given replies: the hits track."""

    def score_candidates(
        self, contexts: Sequence[Context], candidates: Sequence[Sequence[str]]
    ) -> Sequence[Sequence[float]]:
        """One finite score per candidate per context, higher is better.

        The order of `candidates[i]` carries no information; equal scores keep it.
        """


class NextWordPredictor(Protocol):
    """Gives the distribution of the next word: the ppl track."""

    def next_word_probabilities(
        self,
        contexts: Sequence[Context],
        prefixes: Sequence[Sequence[str]],
        vocabulary: "Vocabulary",
    ) -> NDArray[np.float32]:
        """Weights of the next word of the reply, float32 `[len(contexts), len(vocabulary)]`.

        `prefixes[i]` is the true beginning of the reply as official words (it may hold words
        outside the vocabulary). Each row is finite, >= 0 and has a positive sum; the evaluator
        divides by the sum, so only proportions count.
        """


class Agent(Responder, CandidateScorer, NextWordPredictor, Protocol):
    """All three verbs; an agent need only implement those of the tracks it enters."""


def check_replies(replies: object, *, count: int) -> list[str]:
    """The replies, cleaned of control and bidirectional marks, or `invalid_prediction`.

    Runs of control characters become one space. Details: `wrong_count`, `not_text`, `too_long`.
    """
    if not isinstance(replies, (list, tuple)):
        raise invalid("not_text", f"respond returned {type(replies).__name__}, not a list")
    _expect(len(replies), count, what="replies")
    return [_clean(reply) for reply in replies]


def check_scores(scores: object, *, sizes: Sequence[int]) -> list[NDArray[np.float64]]:
    """One float64 array per context with `sizes[i]` finite scores, or `invalid_prediction`.

    Details: `wrong_count`, `not_finite`.
    """
    if isinstance(scores, np.ndarray):
        scores = list(scores)
    if not isinstance(scores, (list, tuple)):
        raise invalid("wrong_count", f"score_candidates returned {type(scores).__name__}")
    _expect(len(scores), len(sizes), what="rows of scores")
    rows = _score_table(scores, sizes)
    return rows or [_score_row(row, size) for row, size in zip(scores, sizes, strict=True)]


def check_probabilities(rows: object, *, count: int, vocabulary_size: int) -> NDArray[np.float64]:
    """The sum of each row, float64 `[count]`, having checked the rows, or `invalid_prediction`.

    `min` and a float64 row sum suffice: NaN and infinity propagate into one of them.
    Details: `wrong_count` (shape or type), `not_finite`, `negative`, `zero_row`.
    """
    if not isinstance(rows, np.ndarray) or rows.dtype != np.float32:
        seen = rows.dtype if isinstance(rows, np.ndarray) else type(rows).__name__
        raise invalid("wrong_count", f"next_word_probabilities returned {seen}, not float32")
    if rows.shape != (count, vocabulary_size):
        raise invalid("wrong_count", f"rows of shape {rows.shape}, not {(count, vocabulary_size)}")
    if count == 0:
        return np.zeros(0, dtype=np.float64)
    with np.errstate(invalid="ignore"):  # inf - inf is their fault, not a warning of ours
        sums = rows.sum(axis=1, dtype=np.float64)
    if not np.isfinite(sums).all():
        raise invalid("not_finite", "a row holds NaN or infinity")
    if rows.min() < 0:
        raise invalid("negative", "a row holds a negative weight")
    if not (sums > 0).all():
        raise invalid("zero_row", "a row sums to zero")
    return np.asarray(sums, dtype=np.float64)


def invalid(detail: str, message: str) -> SubmissionError:
    """The error of an agent that answered, but not as its verb demands."""
    return SubmissionError("invalid_prediction", detail=detail, message=message)


def _clean(reply: object) -> str:
    if not isinstance(reply, str):
        raise invalid("not_text", f"a reply is {type(reply).__name__}, not text")
    try:
        size = len(reply.encode("utf-8"))
    except UnicodeEncodeError:
        raise invalid("not_text", "a reply is not valid Unicode") from None
    if size > MAX_REPLY_BYTES:
        raise invalid("too_long", f"a reply has {size} bytes, more than {MAX_REPLY_BYTES}")
    return _CONTROL.sub(" ", reply).strip()


def _score_table(rows: Sequence[object], sizes: Sequence[int]) -> list[NDArray[np.float64]] | None:
    """All rows at once, where they are alike and good; None leaves it to one at a time."""
    if len(set(sizes)) != 1:
        return None
    try:
        table = np.asarray(rows, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    good = table.shape == (len(sizes), sizes[0]) and bool(np.isfinite(table).all())
    return list(table) if good else None


def _score_row(row: object, size: int) -> NDArray[np.float64]:
    try:
        values = np.asarray(row, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise invalid("not_finite", "a score is not a number") from None
    if values.shape != (size,):
        raise invalid("wrong_count", f"scores of shape {values.shape} for {size} candidates")
    if not all(math.isfinite(value) for value in values.tolist()):
        raise invalid("not_finite", "a score is NaN or infinite")
    return values


def _expect(found: int, wanted: int, *, what: str) -> None:
    if found != wanted:
        raise invalid("wrong_count", f"{found} {what} for {wanted} contexts")
