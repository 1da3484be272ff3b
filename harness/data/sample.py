"""A generated set of persona dialogues, so that everything runs without a download.

Two people with a persona each talk about what stands in `topics.toml`. A reply depends on the
partner's last words (which topic, asked or told) and on the own persona (what to say of it), so a
model that reads both does better than one that reads neither. It is no benchmark: the language
is simple, and figures on it say nothing of ConvAI2.
"""

import random
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path

from harness.data import fbdialog
from harness.dialogue import SILENCE, Dialogue, Example
from harness.text import normalise

SIZES = {"train": 600, "valid": 80, "test": 100}
"""Dialogues in each split."""

CANDIDATES = 20
FACTS = 5
"""Sentences of a persona, each of another topic."""

_GREETINGS = (
    "hi !",
    "hello there .",
    "hey , how are you today ?",
    "good evening !",
    "hi , how is it going ?",
)
_MOODS = (
    "i am fine .",
    "doing great .",
    "a bit tired today .",
    "very well , thanks .",
    "can not complain .",
)
_LEADS = ("", "", "", "i see . ", "oh nice ! ", "haha . ", "good to know . ", "that is cool . ")
_TAILS = ("", "", "", " what about you ?", " and you ?", " it is true .", " believe me .")
_FAREWELLS = (
    "i have to go now , bye !",
    "it was nice to talk to you .",
    "dinner is ready , see you .",
    "my phone is dying , bye .",
)
_LAST_WORDS = (
    "bye , talk to you soon !",
    "take care !",
    "good night and thanks for the chat .",
    "see you next time .",
)


@dataclass(frozen=True)
class Sample:
    """The three splits; no persona of one stands in another."""

    train: tuple[Dialogue, ...]
    valid: tuple[Dialogue, ...]
    test: tuple[Dialogue, ...]

    def write(self, directory: Path | str) -> None:
        """Write `{train,valid,test}_self_original.txt` in ConvAI2's format, made if absent."""
        Path(directory).mkdir(parents=True, exist_ok=True)
        for split in SIZES:
            path = Path(directory) / f"{split}_self_original.txt"
            fbdialog.write(path, getattr(self, split))


def make(seed: int = 0) -> Sample:
    """The sample set of a seed: 600, 80 and 100 dialogues, some 5,300 examples.

    Each example has 20 candidates, the reply last as in ConvAI2, the others drawn from replies
    of other dialogues of the split and all different after normalisation.
    """
    rng = random.Random(f"rostrum-sample:{seed}")  # noqa: S311  (a sample, not a secret)
    personas = _personas(rng, count=2 * sum(SIZES.values()))
    splits = {}
    for split, size in SIZES.items():
        talks = [
            _dialogue(rng, name=str(number), own=next(personas), partner=next(personas))
            for number in range(1, size + 1)
        ]
        splits[split] = _with_candidates(rng, talks)
    return Sample(**splits)


@dataclass(frozen=True, slots=True)
class _Topic:
    """A row of `topics.toml`; each field but `name` is what may be said, to draw from."""

    name: str
    values: tuple[str, ...]
    fact: tuple[str, ...]
    ask: tuple[str, ...]
    answer: tuple[str, ...]
    none: tuple[str, ...]
    tell: tuple[str, ...]
    share: tuple[str, ...]
    react: tuple[str, ...]
    why: tuple[str, ...]
    because: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Fact:
    """What one person has of one topic."""

    topic: _Topic
    value: str


_Persona = dict[str, _Fact]
"""A person: facts by the name of their topic."""


@cache
def _topics() -> tuple[_Topic, ...]:
    text = files("harness.data").joinpath("topics.toml").read_text(encoding="utf-8")
    return tuple(
        _Topic(name=row.pop("name"), **{key: tuple(texts) for key, texts in row.items()})
        for row in tomllib.loads(text)["topic"]
    )


def _personas(rng: random.Random, *, count: int) -> Iterator[_Persona]:
    """`count` different people."""
    seen: set[frozenset[_Fact]] = set()
    while len(seen) < count:
        chosen = rng.sample(_topics(), FACTS)
        facts = [_Fact(topic, rng.choice(topic.values)) for topic in chosen]
        if frozenset(facts) not in seen:
            seen.add(frozenset(facts))
            yield {fact.topic.name: fact for fact in facts}


def _dialogue(rng: random.Random, *, name: str, own: _Persona, partner: _Persona) -> Dialogue:
    sentences = tuple(_say(rng, fact.topic.fact, x=fact.value) for fact in own.values())
    differing = {topic: fact for topic, fact in partner.items() if own.get(topic) != fact}
    exchanges = list(_talk(rng, own=own, partner=differing))
    examples = tuple(Example((said,), (reply,)) for said, reply in exchanges)
    return Dialogue(name, sentences, examples=examples)


def _talk(rng: random.Random, *, own: _Persona, partner: _Persona) -> Iterator[tuple[str, str]]:
    """What the partner says and what is replied, from greeting to farewell."""
    yield _opening(rng, own=own)
    for fact in _agenda(rng, own=own, partner=partner):
        lead = rng.choice(_LEADS)
        if partner.get(fact.topic.name) == fact:
            yield lead + _say(rng, fact.topic.tell, y=fact.value), _reaction(rng, fact, own=own)
            continue
        known = own.get(fact.topic.name) == fact
        said = rng.choice(fact.topic.answer if known else fact.topic.none)
        yield lead + rng.choice(fact.topic.ask), _tailed(rng, said.format(x=fact.value))
        if known and rng.random() < 0.4:
            question = _say(rng, fact.topic.why, x=fact.value)
            yield rng.choice(_LEADS) + question, _say(rng, fact.topic.because, x=fact.value)
    if rng.random() < 0.5:
        yield rng.choice(_FAREWELLS), rng.choice(_LAST_WORDS)


def _opening(rng: random.Random, *, own: _Persona) -> tuple[str, str]:
    if rng.random() < 0.15:
        return SILENCE, rng.choice(_GREETINGS)
    fact = rng.choice(list(own.values()))
    reply = f"{rng.choice(_MOODS)} {_say(rng, fact.topic.fact, x=fact.value)}"
    return rng.choice(_GREETINGS), reply


def _agenda(rng: random.Random, *, own: _Persona, partner: _Persona) -> list[_Fact]:
    """What comes up: own facts asked for, the partner's told, one that is nobody's, shuffled."""
    agenda = rng.sample(list(own.values()), 3)
    agenda += rng.sample(list(partner.values()), min(2, len(partner)))
    strange = rng.choice([topic for topic in _topics() if topic.name not in own.keys() | partner])
    agenda.append(_Fact(strange, ""))
    rng.shuffle(agenda)
    return agenda


def _reaction(rng: random.Random, told: _Fact, *, own: _Persona) -> str:
    """The reply to something told: with the own fact of the topic where there is one."""
    mine = own.get(told.topic.name)
    if mine is None:
        return _tailed(rng, _say(rng, told.topic.react, y=told.value))
    return _say(rng, told.topic.share, x=mine.value, y=told.value)


def _say(rng: random.Random, sentences: Sequence[str], *, x: str = "", y: str = "") -> str:
    return rng.choice(sentences).format(x=x, y=y)


def _tailed(rng: random.Random, sentence: str) -> str:
    return sentence + rng.choice(_TAILS)


def _with_candidates(rng: random.Random, talks: Sequence[Dialogue]) -> tuple[Dialogue, ...]:
    pool = [
        (place, example.replies[0], normalise(example.replies[0]))
        for place, talk in enumerate(talks)
        for example in talk.examples
    ]
    return tuple(
        replace(
            talk,
            examples=tuple(
                replace(example, candidates=_candidates(rng, example, pool=pool, place=place))
                for example in talk.examples
            ),
        )
        for place, talk in enumerate(talks)
    )


def _candidates(
    rng: random.Random,
    example: Example,
    *,
    pool: Sequence[tuple[int, str, str]],
    place: int,
) -> tuple[str, ...]:
    reply = example.replies[0]
    taken = {normalise(reply)}
    drawn: list[str] = []
    while len(drawn) < CANDIDATES - 1:
        source, text, normal = rng.choice(pool)
        if source != place and normal not in taken:
            taken.add(normal)
            drawn.append(text)
    return (*drawn, reply)
