"""Dialogues to evaluate on, and agents whose answers hang on nothing but what they are shown."""

import hashlib
import math
import random
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from harness.agent import Track
from harness.dialogue import Context, Dialogue, Example
from harness.remote.client import RemoteAgent
from harness.remote.frames import Kind
from harness.remote.link import Link
from harness.remote.session import Session
from harness.report import Report
from harness.text import Vocabulary

WORDS = [f"word{n}" for n in range(60)]


def make_dialogues(count: int = 30, *, candidates: int = 20, seed: int = 0) -> list[Dialogue]:
    """Dialogues of one to six examples; the reply is the last candidate, as in ConvAI2."""
    rng = random.Random(seed)

    def text() -> str:
        return " ".join(rng.choices(WORDS, k=rng.randint(1, 9)))

    def example() -> Example:
        others = [text() for _ in range(candidates - 1)]
        reply = text()
        return Example((text(),), (reply, "second label"), (*others, reply), reward="0.5")

    return [
        Dialogue(
            f"file-order-{number}",
            persona=(text(), text()),
            examples=tuple(example() for _ in range(rng.randint(1, 6))),
        )
        for number in range(count)
    ]


DIALOGUES = make_dialogues()
EXAMPLES = sum(len(dialogue.examples) for dialogue in DIALOGUES)
VOCABULARY = Vocabulary.from_counts(dict.fromkeys(WORDS[:50], 1))  # ten words are unknown


def dictionary(track: Track) -> Vocabulary | None:
    return VOCABULARY if track == "ppl" else None


def draw(*texts: str) -> int:
    """A number below 2^64 that hangs on these texts alone."""
    return int.from_bytes(hashlib.sha256("|".join(texts).encode()).digest()[8:16])


class Hashing:
    """Answers at random, but alike for the same input, however it is batched."""

    def respond(self, contexts: Sequence[Context]) -> list[str]:
        return [
            " ".join(random.Random(draw(c.turns[-1].text)).choices(WORDS, k=6)) for c in contexts
        ]

    def score_candidates(
        self, contexts: Sequence[Context], candidates: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        return [
            [draw(context.id, text) / 2**64 for text in texts]
            for context, texts in zip(contexts, candidates, strict=True)
        ]

    def next_word_probabilities(
        self, contexts: Sequence[Context], prefixes: Sequence[Sequence[str]], vocabulary: Vocabulary
    ) -> np.ndarray:
        rows = [
            np.random.default_rng(draw(context.id, *prefix)).random(
                len(vocabulary), dtype=np.float32
            )
            for context, prefix in zip(contexts, prefixes, strict=True)
        ]
        return np.stack(rows)


class Recorder(Hashing):
    """Keeps what it is shown, one entry per call."""

    def __init__(self) -> None:
        self.calls: list[list[tuple[Context, tuple[str, ...]]]] = []

    def respond(self, contexts: Sequence[Context]) -> list[str]:
        self.calls.append([(context, ()) for context in contexts])
        return super().respond(contexts)

    def score_candidates(
        self, contexts: Sequence[Context], candidates: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        self.calls.append([(c, tuple(t)) for c, t in zip(contexts, candidates, strict=True)])
        return super().score_candidates(contexts, candidates)

    def next_word_probabilities(
        self, contexts: Sequence[Context], prefixes: Sequence[Sequence[str]], vocabulary: Vocabulary
    ) -> np.ndarray:
        self.calls.append([(c, tuple(p)) for c, p in zip(contexts, prefixes, strict=True)])
        return super().next_word_probabilities(contexts, prefixes, vocabulary)


@contextmanager
def remote(agent: object, track: Track) -> Iterator[RemoteAgent]:
    """The agent behind a socket pair and the inside's own loop, in a thread."""
    ours, theirs = socket.socketpair()

    def run() -> None:
        link = Link(theirs)
        link.send(Kind.HELLO, 0, {"protocol": "1.0", "harness": "0.1.0", "build": "0" * 64})
        link.receive()
        session = Session(link, track=track, vocabulary=dictionary(track))
        try:
            session.serve(lambda: agent, track=track)
        finally:
            link.close()

    thread = threading.Thread(target=run)
    thread.start()
    with RemoteAgent(ours) as client:
        client.greet(math.inf)
        client.load(
            track,
            vocabulary=dictionary(track),
            load_seconds=10,
            batch_seconds=10,
            bank_seconds=0,
            total_seconds=100,
        )
        yield client
    thread.join(10)
    assert not thread.is_alive()


def timeless(report: Report) -> Report:
    return replace(report, seconds=0.0)
