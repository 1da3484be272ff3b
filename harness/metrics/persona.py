"""Persona detection: how far up its own persona stands when what a side said is held to several.

Unit: fraction, from 0 to 1; the mean over dialogues. Source: ConvAI2 (Dinan et al. 2019), where a
rater chose between two personas after a talk; here nobody is asked, and 19 others stand beside the
true one. A sentence of a persona counts as told as far as one reply is like it, so reciting one's
persona is told best: a description, never a rank. `harness.metrics.lineups` draws the others.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.metrics import mean
from harness.text import answer_words, normalise

UNIT = "fraction"
HIGHER_IS_BETTER = True

COLUMNS = ("sum", "dialogues")
"""What each dialogue adds; one without a persona, or without others to draw, adds nothing."""

score = mean.score
"""sum / dialogues, `[..., 2] -> [...]`."""

OTHERS = 19
"""How many personas stand beside the true one: chance is 1 / 20, as on the hits track."""

STEM = 5
"""Letters of a word that are compared: `garden`, `gardens` and `gardening` are one stem."""

_FINE = 1000
"""Weights are whole numbers of thousandths, so that sums are exact and ties are ties."""

Persona = tuple[str, ...]


class Worth(NamedTuple):
    """What one dialogue is worth: `first` of persona@1, `reciprocal` of persona_mrr."""

    first: float
    reciprocal: float


@dataclass(slots=True)
class Weights:
    """How telling each stem is: squares of ln((1 + N) / (1 + n)) where n of N texts have it.

    Counted are persona sentences and what people said, so that what everybody says tells nothing.
    """

    texts: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Weights":
        """The weights of a set's texts."""
        weights = cls()
        for text in texts:
            weights.add(text)
        return weights

    def add(self, text: str) -> None:
        """Count one text."""
        self.texts += 1
        self.counts.update(stems(text))

    def of_stem(self, stem: str) -> int:
        """The weight in thousandths; a stem that was never seen has the greatest."""
        return _weight(self.counts.get(stem, 0), self.texts)


def canonical(sentences: Iterable[str]) -> Persona:
    """A persona as it is compared: its different sentences, normalised and sorted, none empty.

    >>> canonical(["I like the sea.", "i like sea", "", "I am old!"])
    ('i am old', 'i like sea')
    """
    return tuple(sorted({normalise(sentence) for sentence in sentences} - {""}))


def stems(text: str) -> frozenset[str]:
    """The different words of a normalised text, each cut to `STEM` letters."""
    return frozenset([word[:STEM] for word in answer_words(text)])


def measure(
    said: Iterable[str],
    *,
    persona: Iterable[str],
    others: Iterable[Iterable[str]],
    weights: Weights,
) -> Worth:
    """What a talk is worth in which one side with this `persona` `said` these utterances.

    >>> weights = Weights.of(["i am a gardener", "i ski", "do you ski ?"])
    >>> asked = {"persona": ["i am a gardener"], "others": [["i ski"]], "weights": weights}
    >>> measure(["gardening is fun"], **asked), measure(["me too"], **asked)
    (Worth(first=1.0, reciprocal=1.0), Worth(first=0.5, reciprocal=0.75))
    """
    personas = [canonical(persona), *map(canonical, others)]
    return worth(likeness(said, personas, weights=weights))


def likeness(
    said: Iterable[str], personas: Sequence[Persona], *, weights: Weights
) -> NDArray[np.float64]:
    """How far each of the canonical `personas` is told by what was said, `[personas]`, from 0.

    With w(r, s) the summed weight of the stems that reply r and sentence s share, and |.| the
    number of stems: the sum over sentences of the greatest w(r, s)² / (|r| |s|) of all replies.
    """
    sentences = [_read(sentence) for persona in personas for sentence in persona]
    replies = [reply for reply in map(stems, said) if reply]
    shared = frozenset[str]().union(*sentences) & frozenset[str]().union(*replies)
    column = {stem: place for place, stem in enumerate(shared)}
    told = _rows(sentences, column)
    told *= [weights.of_stem(stem) for stem in column]
    overlap = told @ _rows(replies, column).T  # [S, R]: whole numbers, whatever the order of adding
    sizes = np.outer([len(one) for one in sentences], [len(one) for one in replies])
    values = iter((overlap**2 / sizes).max(axis=1, initial=0.0).tolist())
    return np.array([math.fsum(next(values) for _ in persona) for persona in personas])


def worth(likenesses: NDArray[np.float64]) -> Worth:
    """What a talk is worth in which the true persona is the first of these, `[personas]`.

    Of those told as well as the true one each is as likely to stand first: means over all orders,
    so of two that are equal each gets half, and silence is worth exactly chance.

    >>> worth(np.array([0.5, 0.5, 0.1]))
    Worth(first=0.5, reciprocal=0.75)
    """
    above = int(np.count_nonzero(likenesses > likenesses[0]))
    equal = int(np.count_nonzero(likenesses == likenesses[0]))
    places = range(above + 1, above + equal + 1)
    return Worth(
        first=0.0 if above else 1 / equal,
        reciprocal=math.fsum(1 / place for place in places) / equal,
    )


@lru_cache(maxsize=1 << 14)
def _read(sentence: str) -> frozenset[str]:
    """The stems of a persona's sentence, which comes back in many lineups of a set."""
    return stems(sentence)


@lru_cache(maxsize=1 << 14)
def _weight(count: int, texts: int) -> int:
    return round(_FINE * math.log((1 + texts) / (1 + count)) ** 2)


def _rows(texts: Sequence[frozenset[str]], column: dict[str, int]) -> NDArray[np.float64]:
    """1 where a text has the stem of a column, `[texts, columns]`."""
    known, width = frozenset(column), len(column)
    rows = np.zeros(len(texts) * width)
    rows[[n * width + column[stem] for n, text in enumerate(texts) for stem in text & known]] = 1.0
    return rows.reshape(len(texts), width)
