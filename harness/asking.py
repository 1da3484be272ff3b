"""Asking an agent for a batch of examples: one way a track, every answer checked here.

Each answer is worth a `Gain`; what a record or a journal holds beyond that is made only where one
is kept.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from harness.agent import (
    CandidateScorer,
    NextWordPredictor,
    Responder,
    Track,
    check_replies,
    check_scores,
)
from harness.disguise import Disguise
from harness.metrics import f1, hits, perplexity
from harness.metrics.gain import Gain
from harness.rows import Base, check_rows, declared_base
from harness.schedule import Item
from harness.text import Vocabulary, split_words

AnyAgent = Responder | CandidateScorer | NextWordPredictor


class Answer(NamedTuple):
    """What one example brought: its gain, and what its record tells beside it.

    hits: `answer` is the best-ranked candidate, `rank` the reply's place from 1. f1: `answer` is
    the reply. ppl: `losses` holds the nats of each official word, None where it is not scored.
    """

    gain: Gain
    answer: str | None = None
    rank: int | None = None
    losses: tuple[float | None, ...] | None = None


Asker = Callable[[Sequence[Item]], list[Answer]]
"""Asks for the examples of one batch; one answer per item."""


class Detail(NamedTuple):
    """What is kept beside the gains: the replies for a profile, answers for records."""

    profile: bool
    records: bool


def asker(
    agent: AnyAgent,
    track: Track,
    *,
    vocabulary: Vocabulary | None,
    disguise: Disguise,
    zero: str,
    detail: Detail,
) -> Asker:
    """How this agent is asked on this track."""
    if track == "hits":
        scorer = cast(CandidateScorer, agent)
        return lambda batch: _hits(scorer, batch, disguise=disguise, detail=detail)
    if track == "f1":
        responder = cast(Responder, agent)
        return lambda batch: _f1(responder, batch, detail=detail)
    assert vocabulary is not None
    predictor = cast(NextWordPredictor, agent)
    base = declared_base(agent, vocabulary)  # before the first question, and once
    return lambda batch: _ppl(
        predictor, batch, vocabulary=vocabulary, base=base, zero=zero, detail=detail
    )


def _f1(agent: Responder, batch: Sequence[Item], *, detail: Detail) -> list[Answer]:
    replies = check_replies(agent.respond([item.context for item in batch]), count=len(batch))
    return [
        _replied(item, reply, detail=detail) for item, reply in zip(batch, replies, strict=True)
    ]


def _replied(item: Item, reply: str, *, detail: Detail) -> Answer:
    found = f1.overlap(reply, replies=item.example.replies)
    said = reply if detail.profile else None
    gain = Gain(found.f1, more=(found.precision, found.recall), reply=said)
    return Answer(gain, answer=reply if detail.records else None)


def _hits(
    agent: CandidateScorer, batch: Sequence[Item], *, disguise: Disguise, detail: Detail
) -> list[Answer]:
    lists = [disguise.shuffled(item.example.candidates, name=item.context.id) for item in batch]
    scores = agent.score_candidates([item.context for item in batch], lists)
    rows = check_scores(scores, sizes=[len(candidates) for candidates in lists])
    return [
        _ranked(item, row, candidates=candidates, detail=detail)
        for item, candidates, row in zip(batch, lists, rows, strict=True)
    ]


def _ranked(
    item: Item, row: NDArray[np.float64], *, candidates: Sequence[str], detail: Detail
) -> Answer:
    rank = hits.rank(row, candidates=candidates, replies=item.example.replies)
    if not detail.records:
        return Answer(hits.gain(rank))
    # The first of the best, as the rank has it: equal scores keep the order.
    return Answer(hits.gain(rank), answer=candidates[int(np.argmax(row))], rank=rank)


def _ppl(
    agent: NextWordPredictor,
    batch: Sequence[Item],
    *,
    vocabulary: Vocabulary,
    base: Base | None,
    zero: str,
    detail: Detail,
) -> list[Answer]:
    """Step s asks for the word at place s of all replies that have one; then it is revealed."""
    replies = [tuple(split_words(item.example.replies[0])) for item in batch]
    lengths = np.array([*map(len, replies)], dtype=np.int64)
    longest = int(lengths.max())
    columns = _columns(replies, lengths, index=vocabulary.index)
    losses = np.full(columns.shape, np.nan)
    contexts = [item.context for item in batch]
    for step in range(longest):
        places = np.flatnonzero(lengths > step)
        asked = places.tolist()
        answer = agent.next_word_probabilities(
            [contexts[place] for place in asked],
            [replies[place][:step] for place in asked],
            vocabulary,
        )
        rows = check_rows(answer, count=len(places), vocabulary_size=len(vocabulary), base=base)
        (scored,) = np.nonzero(columns[places, step] >= 0)
        places = places[scored]
        weights = rows.at(scored, columns[places, step])
        losses[places, step] = perplexity.losses(weights, rows.sums[scored], zero=zero)
    return [
        _surprised(row[: len(words)], detail=detail)
        for row, words in zip(losses.tolist(), replies, strict=True)
    ]


def _columns(
    replies: Sequence[Sequence[str]], lengths: NDArray[np.int64], *, index: Mapping[str, int]
) -> NDArray[np.int64]:
    """The column of each word, int64 `[replies, longest]`; -1 where it is unknown, or no word."""
    columns = np.full((len(replies), lengths.max()), -1)
    is_word = np.arange(columns.shape[1]) < lengths[:, np.newaxis]
    columns[is_word] = [index.get(word, -1) for words in replies for word in words]
    return columns


def _surprised(nats: list[float], *, detail: Detail) -> Answer:
    """What a reply's words cost; NaN stands for a word that is not scored."""
    whole = math.fsum(nats)
    if not math.isnan(whole) and not detail.records:  # mostly: every word is scored
        return Answer(Gain(whole, weight=float(len(nats))))
    lost = [loss for loss in nats if not math.isnan(loss)]
    gain = Gain(math.fsum(lost), weight=float(len(lost)), skipped=len(nats) - len(lost))
    if not detail.records:
        return Answer(gain)
    return Answer(gain, losses=tuple(None if math.isnan(loss) else loss for loss in nats))
