"""Length: how many words an answer has.

Unit: words, official ones (`harness.text.split_words`: punctuation counts); the mean over all
examples. Neither more nor less is better: a profile, never a rank. Source: ConvAI2's split.
"""

from harness.metrics import mean
from harness.text import split_words

UNIT = "words"
HIGHER_IS_BETTER = None

score = mean.score
"""sum / examples, `[..., 2] -> [...]`."""


def measure(reply: str) -> float:
    """The official words of an answer.

    >>> measure("Hi, you!")
    4.0
    """
    return float(len(split_words(reply)))
