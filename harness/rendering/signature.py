"""A signature explained, field by field."""

from dataclasses import dataclass

_MEANING = {
    "track": "what was asked of the agent",
    "k": "the reply must be among the best k",
    "rule": "the set of scoring rules",
    "tok": "how texts become words",
    "cands": "candidates of each example",
    "zero": "what a probability of zero costs",
    "data": "the first digits of the data set's sha256",
    "vocab": "the first digits of the dictionary's sha256",
    "seed": "draws the intervals",
    "harness": "the version that scored",
}
_VALUES = {
    ("tok", "answer"): "lower case, without punctuation and articles",
    ("tok", "official"): "ConvAI2's split, punctuation apart",
    ("zero", "infinite"): "one such word makes the score infinite",
    ("track", "hits"): "a score for each candidate reply",
    ("track", "f1"): "a reply in words",
    ("track", "ppl"): "a probability for each next word",
}
_ORDER = tuple(_MEANING)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a signature, and what it means; empty where we do not know it."""

    key: str
    value: str
    meaning: str


def explained(signature: str) -> tuple[Field, ...]:
    """The fields in their order."""
    return tuple(_field(part) for part in signature.split("|"))


def differing(one: str, other: str) -> tuple[str, ...]:
    """The keys in which two signatures differ, in the signature's order; unknown ones last."""
    left, right = (_pairs(text) for text in (one, other))
    keys = [*_ORDER, *sorted({*left, *right} - set(_ORDER))]
    return tuple(key for key in keys if left.get(key) != right.get(key))


def _field(part: str) -> Field:
    key, _, value = part.partition(":")
    meaning = _MEANING.get(key, "")
    said = _VALUES.get((key, value))
    return Field(key, value, f"{meaning}: {said}" if said else meaning)


def _pairs(signature: str) -> dict[str, str]:
    return {field.key: field.value for field in explained(signature)}
