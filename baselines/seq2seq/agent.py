"""Seq2seq as an agent of all three tracks.

f1 decodes greedily; ppl carries the decoder's state from one prefix to the next; hits ranks a
candidate by how much likelier this context makes it than other contexts do (pointwise mutual
information: plain likelihood prefers whatever is usual, and ranks less than half as well).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cache import Decoding, Recent, states
from columns import Columns
from model import MARKS, Config, Lexicon, Memory, Seq2Seq
from numpy.typing import NDArray

from harness import Context, Turn, Vocabulary
from harness.text import split_words
from harness.torch import checkpoint
from harness.torch.words import END, PAD, START, UNKNOWN

CHECKPOINT = Path(__file__).parent / "checkpoint"
MAX_WORDS = 24  # of a reply
MAX_CANDIDATE = 64  # words of a candidate that are read
ROWS = 160  # replies scored at a time

Reply = tuple[str, ...]


class Seq2SeqAgent:
    """Holds the model, bounded caches (`cache` contexts), and contexts to compare with."""

    def __init__(self, folder: Path = CHECKPOINT, *, cache: int = 2048) -> None:
        stored = checkpoint.load(folder, baseline="seq2seq")
        self.model = Seq2Seq(stored.words, Config(**stored.config["model"]))
        stored.into(self.model)
        self.decodings: Recent[str, Decoding] = Recent(cache)
        self.usual: Recent[Reply, float] = Recent(20 * cache)
        self.columns: Columns | None = None
        with torch.inference_mode():
            self.background = self._encode([restored(it) for it in stored.config["background"]])

    @torch.inference_mode()
    def score_candidates(
        self, contexts: Sequence[Context], candidates: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """ln p(candidate | context) less its mean over the background contexts."""
        replies = [[tuple(split_words(c)[:MAX_CANDIDATE]) for c in row] for row in candidates]
        usual = self._usual([reply for row in replies for reply in row])
        flat = [(number, reply) for number, row in enumerate(replies) for reply in row]
        likely = iter(self._likelihoods(self._encode(contexts), flat))
        return [[next(likely) - usual[reply] for reply in row] for row in replies]

    @torch.inference_mode()
    def respond(self, contexts: Sequence[Context]) -> list[str]:
        """Greedy replies of 1 to `MAX_WORDS` words."""
        memory = self._encode(contexts)
        lexicon = Lexicon(self.model.words, [word for s in memory.sources for word in s.words])
        never = [PAD, START, UNKNOWN, *lexicon.places(list(MARKS.values()))]
        replies: list[list[str]] = [[] for _ in contexts]
        inputs, state, running = (
            torch.full((len(contexts), 1), START),
            None,
            set(range(len(contexts))),
        )
        for length in range(MAX_WORDS):
            step = self.model.decode(memory, inputs, state)
            weights = self.model.distribution(memory, step, lexicon)
            weights[:, never if length else [*never, END]] = 0
            chosen = [lexicon.words[best] for best in weights.argmax(1).tolist()]
            running -= {row for row in running if chosen[row] == lexicon.words[END]}
            for row in running:
                replies[row].append(chosen[row])
            if not running:
                break
            inputs, state = torch.tensor(self.model.words.numbers(chosen))[:, None], step.state
        return [" ".join(reply) for reply in replies]

    @torch.inference_mode()
    def next_word_probabilities(
        self, contexts: Sequence[Context], prefixes: Sequence[Sequence[str]], vocabulary: Vocabulary
    ) -> NDArray[np.float32]:
        """The model's distribution over the official words, each row of sum 1."""
        if self.columns is None or self.columns.vocabulary is not vocabulary:
            self.columns = Columns(self.model.words, vocabulary)
        rows = np.zeros((len(contexts), len(vocabulary)), dtype=np.float32)
        inputs = [(START, *self.model.words.numbers(prefix)) for prefix in prefixes]
        begun = [d.towards(ids) for d, ids in zip(self._begun(contexts), inputs, strict=True)]
        unread = [ids[len(d.read) :] for d, ids in zip(begun, inputs, strict=True)]
        for length in sorted({len(ids) for ids in unread}):  # one length at a time: no padding
            alike = [number for number, ids in enumerate(unread) if len(ids) == length]
            memory = Memory.join([begun[number].memory for number in alike])
            state = states([begun[number] for number in alike])
            step = self.model.decode(memory, torch.tensor([unread[n] for n in alike]), state)
            shares = self.model.distribution(memory, step, self.columns.lexicon)
            rows[alike] = self.columns.official(shares).numpy()
            for row, number in enumerate(alike):
                after = begun[number].after(inputs[number], step, row=row)
                self.decodings.put(contexts[number].id, after)
        return rows

    def _begun(self, contexts: Sequence[Context]) -> list[Decoding]:
        """What is known of each context, or a new beginning where another has its id."""
        found = [self.decodings.get(context.id) for context in contexts]
        known = [d if d and d.context == c else None for d, c in zip(found, contexts, strict=True)]
        new = [context for context, decoding in zip(contexts, known, strict=True) if not decoding]
        memories = iter(self._encode(new).split() if new else [])
        return [
            decoding or Decoding.begin(context, next(memories))
            for context, decoding in zip(contexts, known, strict=True)
        ]

    def _usual(self, replies: Sequence[Reply]) -> dict[Reply, float]:
        """The mean of ln p(reply) over the background contexts."""
        found = {reply: self.usual.get(reply) for reply in replies}
        new = [reply for reply, value in found.items() if value is None]
        kept = {reply: value for reply, value in found.items() if value is not None}
        count = len(self.background.sources)
        flat = [(number, reply) for reply in new for number in range(count)]
        values = self._likelihoods(self.background, flat)
        for place, reply in enumerate(new):
            kept[reply] = sum(values[place * count : (place + 1) * count]) / count
            self.usual.put(reply, kept[reply])
        return kept

    def _likelihoods(self, memory: Memory, rows: Sequence[tuple[int, Reply]]) -> list[float]:
        """ln p of each reply, end included, in the context of its number."""
        order = sorted(range(len(rows)), key=lambda place: len(rows[place][1]))
        values = [0.0] * len(rows)
        for start in range(0, len(order), ROWS):
            places = order[start : start + ROWS]
            part = memory.rows([rows[place][0] for place in places])
            sums = self.model.log_likelihood(part, [rows[place][1] for place in places]).sum(1)
            for place, value in zip(places, sums.tolist(), strict=True):
                values[place] = value
        return values

    def _encode(self, contexts: Sequence[Context]) -> Memory:
        return self.model.encode([self.model.source(context) for context in contexts])


def restored(stored: dict[str, Any]) -> Context:  # Any: JSON that train.py wrote
    """The context that `dataclasses.asdict` wrote."""
    turns = tuple(Turn(**turn) for turn in stored["turns"])
    return Context(stored["id"], tuple(stored["persona"]), turns=turns)
