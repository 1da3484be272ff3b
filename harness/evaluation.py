"""The evaluation: all dialogues of a set advance together, one turn at a time.

The reply of turn t becomes history of turn t+1 only when all answers of turn t are in, and batches
are cut inside a turn, so no agent sees a label before it has answered for it, in its own dialogue
or in another. Names and orders that an agent sees are keyed hashes: the place of a dialogue in the
file, or of the reply among the candidates, is in none. The agent may live in this process or be a
`harness.remote.client.RemoteAgent`: the path is the same and every answer is checked here.
"""

import hmac
import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Protocol, cast

import numpy as np

from harness.agent import (
    CandidateScorer,
    NextWordPredictor,
    Responder,
    Track,
    check_probabilities,
    check_replies,
    check_scores,
)
from harness.data import jsonl
from harness.dialogue import Context, Dialogue, Example
from harness.errors import UsageError
from harness.metrics import f1, hits, perplexity
from harness.report import Report, Signature, Total
from harness.statistics import score
from harness.text import Vocabulary, split_words

PUBLIC_SECRET = b"rostrum public"
"""The key of names and orders on public data; a hidden set has a secret one."""

BATCH_SIZE = 64

AnyAgent = Responder | CandidateScorer | NextWordPredictor


class Progress(Protocol):
    """Told after each batch how many of how many examples are answered."""

    def __call__(self, done: int, total: int, /) -> None: ...


def evaluate(
    agent: AnyAgent,
    dialogues: Sequence[Dialogue],
    track: Track,
    *,
    vocabulary: Vocabulary | None = None,
    secret: bytes = PUBLIC_SECRET,
    data_name: str | None = None,
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
    zero: str = "infinite",
    sandbox: str = "in-process",
    progress: Progress | None = None,
    agent_facts: Mapping[str, str] | None = None,
) -> Report:
    """Ask the agent for every example of the dialogues and score its answers.

    `secret` keys the names and orders that the agent sees; it does not change what is asked.
    `data_name` names the set in the signature (a hidden one's is salted); by default it is the
    sha256 of the set's canonical JSONL. `seed` draws the interval. ppl needs `vocabulary` and
    takes `zero`, what a probability of zero costs. `agent_facts` are kept in the report.

    `UsageError` where the data cannot be scored on this track; `SubmissionError` where an answer
    is not valid; whatever the agent raises in this process.
    """
    _check(dialogues, track, vocabulary=vocabulary, batch_size=batch_size)
    start = time.monotonic()
    asker = _asker(agent, track, vocabulary=vocabulary, secret=secret, zero=zero)
    tallies = [_Tally() for _ in dialogues]
    total = sum(len(dialogue.examples) for dialogue in dialogues)
    done = 0
    for batch in _batches(dialogues, track, secret=secret, size=batch_size):
        for item, gained in zip(batch, asker(batch), strict=True):
            tallies[item.dialogue].add(gained)
        done += len(batch)
        if progress is not None:
            progress(done, total)
    totals = tuple(Total(tally.value, tally.weight) for tally in tallies)
    signature = Signature(
        track=track,
        data=data_name if data_name is not None else jsonl.digest(dialogues),
        k=1 if track == "hits" else None,
        candidates=_candidates(dialogues) if track == "hits" else None,
        zero=zero if track == "ppl" else None,
        vocabulary=vocabulary.sha256 if track == "ppl" and vocabulary else None,
        seed=seed,
    )
    report = Report(
        track=track,
        score=score(track, totals, examples=total, seed=seed),
        signature=str(signature),
        sandbox=sandbox,
        totals=totals,
        seconds=time.monotonic() - start,
        agent=dict(agent_facts or {}),
    )
    return _with_words(report, tallies, vocabulary) if vocabulary and track == "ppl" else report


@dataclass(frozen=True, slots=True)
class _Item:
    """One example to ask for: `dialogue` is its dialogue's place in the set, never shown."""

    dialogue: int
    example: Example
    context: Context


@dataclass(frozen=True, slots=True)
class _Gain:
    """What one example adds to its dialogue."""

    value: float
    weight: float = 1.0
    skipped: int = 0


@dataclass(slots=True)
class _Tally:
    """What one dialogue has gained so far."""

    value: float = 0.0
    weight: float = 0.0
    skipped: int = 0

    def add(self, gain: _Gain) -> None:
        self.value += gain.value
        self.weight += gain.weight
        self.skipped += gain.skipped


def _with_words(report: Report, tallies: Sequence[_Tally], vocabulary: Vocabulary) -> Report:
    """The report of ppl, which also counts words."""
    return replace(
        report,
        tokens=int(sum(tally.weight for tally in tallies)),
        unknown=sum(tally.skipped for tally in tallies),
        vocabulary=len(vocabulary),
    )


class _Asker(Protocol):
    """Asks an agent for the examples of one batch; one gain per item."""

    def __call__(self, batch: Sequence[_Item], /) -> list[_Gain]: ...


def _batches(
    dialogues: Sequence[Dialogue], track: Track, *, secret: bytes, size: int
) -> Iterator[list[_Item]]:
    """The examples in the order of asking; a turn's contexts are made when the turn begins."""
    order = sorted(
        range(len(dialogues)), key=lambda place: _hash(secret, "dialogue", dialogues[place].id)
    )
    for turn in count():
        order = [place for place in order if len(dialogues[place].examples) > turn]
        if not order:
            return
        for start in range(0, len(order), size):
            yield [
                _item(dialogues[place], place, turn, track=track, secret=secret)
                for place in order[start : start + size]
            ]


def _item(dialogue: Dialogue, place: int, turn: int, *, track: Track, secret: bytes) -> _Item:
    name = _hash(secret, track, dialogue.id, turn)
    return _Item(place, dialogue.examples[turn], dialogue.context(turn, context_id=name))


def _asker(
    agent: AnyAgent, track: Track, *, vocabulary: Vocabulary | None, secret: bytes, zero: str
) -> _Asker:
    if track == "hits":
        return lambda batch: _hits(cast(CandidateScorer, agent), batch, secret=secret)
    if track == "f1":
        return lambda batch: _f1(cast(Responder, agent), batch)
    assert vocabulary is not None
    return lambda batch: _ppl(
        cast(NextWordPredictor, agent), batch, vocabulary=vocabulary, zero=zero
    )


def _f1(agent: Responder, batch: Sequence[_Item]) -> list[_Gain]:
    replies = check_replies(agent.respond([item.context for item in batch]), count=len(batch))
    return [
        _Gain(f1.measure(reply, replies=item.example.replies))
        for item, reply in zip(batch, replies, strict=True)
    ]


def _hits(agent: CandidateScorer, batch: Sequence[_Item], *, secret: bytes) -> list[_Gain]:
    lists = [_shuffled(item, secret=secret) for item in batch]
    answer = agent.score_candidates([item.context for item in batch], lists)
    rows = check_scores(answer, sizes=[len(candidates) for candidates in lists])
    return [
        _Gain(hits.measure(row, candidates=candidates, replies=item.example.replies))
        for item, candidates, row in zip(batch, lists, rows, strict=True)
    ]


def _shuffled(item: _Item, *, secret: bytes) -> tuple[str, ...]:
    """The candidates in an order that hangs on their texts alone, not on which is the reply."""
    return tuple(
        sorted(
            item.example.candidates,
            key=lambda text: _hash(secret, "candidate", item.context.id, text),
        )
    )


def _ppl(
    agent: NextWordPredictor, batch: Sequence[_Item], *, vocabulary: Vocabulary, zero: str
) -> list[_Gain]:
    """Step s asks for the word at place s of all replies that have one; then it is revealed."""
    replies = [split_words(item.example.replies[0]) for item in batch]
    losses: list[list[float]] = [[] for _ in batch]
    for step in range(max(map(len, replies))):
        asked = [place for place, words in enumerate(replies) if len(words) > step]
        answer = agent.next_word_probabilities(
            [batch[place].context for place in asked],
            [tuple(replies[place][:step]) for place in asked],
            vocabulary,
        )
        rows = np.ascontiguousarray(answer) if isinstance(answer, np.ndarray) else answer
        sums = check_probabilities(rows, count=len(asked), vocabulary_size=len(vocabulary))
        scored = [
            (row, column)
            for row, place in enumerate(asked)
            if (column := vocabulary.index.get(replies[place][step])) is not None
        ]
        places, columns = [row for row, _ in scored], [column for _, column in scored]
        nats = perplexity.losses(rows[places, columns], sums[places], zero=zero)
        for row, loss in zip(places, nats.tolist(), strict=True):
            losses[asked[row]].append(loss)
    return [
        _Gain(math.fsum(lost), weight=len(lost), skipped=len(words) - len(lost))
        for lost, words in zip(losses, replies, strict=True)
    ]


def _hash(secret: bytes, *parts: str | int) -> str:
    """A name that tells nothing of its parts to who does not hold the secret, 32 hex digits."""
    message = json.dumps(parts, ensure_ascii=True).encode("ascii")
    return hmac.digest(secret, message, "sha256").hex()[:32]


def _check(
    dialogues: Sequence[Dialogue], track: Track, *, vocabulary: Vocabulary | None, batch_size: int
) -> None:
    if batch_size < 1:
        raise UsageError(f"batch size {batch_size} is not at least 1")
    if len({dialogue.id for dialogue in dialogues}) != len(dialogues):
        raise UsageError("two dialogues of the set have the same id; give each its own")
    if track == "ppl" and vocabulary is None:
        raise UsageError("ppl needs the dictionary; give it with --dictionary")
    for dialogue in dialogues:
        for number, example in enumerate(dialogue.examples, 1):
            if track == "hits" and not example.candidates:
                raise UsageError(
                    f"dialogue {dialogue.id!r}, reply {number} has no candidates; "
                    "hits needs them on every example"
                )


def _candidates(dialogues: Sequence[Dialogue]) -> int | None:
    """How many candidates each example has, None if they differ."""
    sizes = {len(example.candidates) for dialogue in dialogues for example in dialogue.examples}
    return sizes.pop() if len(sizes) == 1 else None
