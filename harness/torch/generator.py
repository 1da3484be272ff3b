"""TorchGeneratorAgent: writes its replies word by word, in all three tracks.

An own generator is a `TorchGeneratorModel` and four lines of agent that build it; see
`docs/torch.md`.
"""

import json
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.dialogue import Context
from harness.errors import UsageError
from harness.text import Vocabulary
from harness.torch.agent import TorchAgent
from harness.torch.batch import Batch, Ids, Loss, Metrics, Output
from harness.torch.checkpoint import Checkpoint
from harness.torch.generation.beam import Beam
from harness.torch.generation.columns import Columns
from harness.torch.generation.decoder import ModelDecoder, TorchGeneratorModel
from harness.torch.generation.forced import Likelihood, decode_forced, likelihoods
from harness.torch.generation.kept import Kept, Place
from harness.torch.generation.options import Hypothesis, SearchOptions, Task
from harness.torch.generation.search import search
from harness.torch.options import TorchOptions, at_least
from harness.torch.recent import Recent
from harness.torch.typed import from_json, to_json
from harness.torch.vectors import MARKS
from harness.torch.words import END, PAD, START, UNKNOWN, Words

State = Any
"""What one model encodes and carries: a tree of tensors of the model's own making."""

BACKGROUND = "background.json"


@dataclass(frozen=True, kw_only=True)
class ScoringOptions:
    """How given candidates are ranked.

    `by`: ln p of their words, the mean or the sum, or how much likelier this context makes them
    than the background does (pmi: ln p(reply | context) less its mean over the background
    contexts that `set_background` gave; needs no length penalty, and ranks far better than the
    likelihood, which prefers whatever is usual). `background`: how much of that mean is taken
    away, the lambda of Li et al. 2016, equation 10 (1 is pmi, 0 the sum); a background of few
    contexts tells little of a rare reply, and a part of it ranks better. `with_end`: the end
    counts as a word.
    """

    by: Literal["mean", "sum", "pmi"] = "mean"
    background: float = 1.0
    with_end: bool = False

    def __post_init__(self) -> None:
        at_least("scoring.background", self.background, 0)


@dataclass(frozen=True, kw_only=True)
class GeneratorOptions(TorchOptions):
    """The options of a generator.

    `kept_states` bounds the decoder states that stay between prefixes, in rows: each holds what
    was encoded of a context, the larger part, and the decoder's cache.
    """

    search: SearchOptions = field(default_factory=SearchOptions)
    scoring: ScoringOptions = field(default_factory=ScoringOptions)
    kept_states: int = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("kept_states", self.kept_states, 0)


class TorchGeneratorAgent(TorchAgent):
    """Replies by search (f1, chat), ranks by likelihood (hits), gives distributions (ppl).

    An own agent defines `build_model`.
    """

    options_type: ClassVar[type[TorchOptions]] = GeneratorOptions
    label_end: ClassVar[bool] = True
    options: GeneratorOptions
    model: TorchGeneratorModel[State, State]

    def __init__(
        self,
        words: Words,
        options: GeneratorOptions | None = None,
        *,
        device: str | torch.device = "cpu",
    ) -> None:
        super().__init__(words, options, device=device)
        self.background: tuple[Context, ...] = ()
        self._encoded_background: State = None
        self._usual: Recent[Ids, float] = Recent(20 * self.options.cache)
        self._kept: Kept[State] = Kept(self.options.kept_states)
        self._columns: Columns | None = None

    @abstractmethod
    def build_model(self) -> TorchGeneratorModel[State, State]:
        """The model, with fresh weights; called once."""

    # Training.

    def compute_loss(self, batch: Batch) -> Loss:
        """Mean cross-entropy of the replies' words, their ends included."""
        if batch.label_vec is None or batch.label_lengths is None:
            raise UsageError("a loss needs labels; these examples have none")
        likely = decode_forced(
            self.model,
            self.model.encode(batch),
            batch.label_vec,
            lengths=batch.label_lengths,
            start=START,
        )
        words = int(batch.label_lengths.sum())
        total = -likely.sum()
        return Loss(total / words, Metrics({"loss": (total.item(), float(words))}))

    # Replies.

    def eval_step(self, batch: Batch) -> Output:
        """Scores of the batch's candidates, or replies where it has none."""
        if batch.candidates is not None:
            return Output(scores=self._rank(batch))
        found = [beam.hypotheses for beam in self.search(batch)]
        texts = [[self.text(one) for one in hypotheses] for hypotheses in found]
        return Output([row[0] for row in texts], texts)

    def search(self, batch: Batch, *, trace: bool = False) -> list[Beam]:
        """What `options.search` finds for each row of a batch."""
        task = Task(
            keys=[context.id for context in batch.contexts],
            start=START,
            end=END,
            blocked=self.silent,
            context=_heard(batch),
            device=self.device,
        )
        decoder = ModelDecoder(self.model)
        state = decoder.begin(self.model.encode(batch), len(batch), device=self.device)
        return search(decoder, state, task=task, options=self.options.search, trace=trace)

    @torch.inference_mode()
    def beam(self, context: Context) -> Beam:
        """The beam of one context with its trace: `agent.beam(c).graph(agent.words.words).svg`."""
        self.model.eval()
        if self.options.search.inference != "beam":
            raise UsageError("only a beam can be drawn; set search.inference to beam")
        return self.search(self.batchify(self.observe([context])), trace=True)[0]

    def text(self, hypothesis: Hypothesis) -> str:
        """The words of a hypothesis, single spaces between them."""
        return " ".join(self.words.words[token] for token in hypothesis.tokens)

    @cached_property
    def silent(self) -> tuple[int, ...]:
        """Ids that are never said: padding, start, unknown words, marks."""
        marks = [number for number in self.words.numbers(MARKS) if number != UNKNOWN]
        return (PAD, START, UNKNOWN, *marks)

    # Ranking.

    def set_background(self, contexts: Sequence[Context]) -> None:
        """Contexts, of the training set say, that tell what is usual; a checkpoint holds them."""
        self.background = tuple(contexts)
        self.forget()

    def _rank(self, batch: Batch) -> list[list[float]]:
        assert batch.candidate_vecs is not None
        rows = [
            (number, self._scored(reply))
            for number, replies in enumerate(batch.candidate_vecs)
            for reply in replies
        ]
        found = self._likelihoods(self.model.encode(batch), rows)
        by = self.options.scoring.by
        scores = [one.mean if by == "mean" else one.total for one in found]
        if by == "pmi":
            usual, part = (
                self._usually([reply for _, reply in rows]),
                self.options.scoring.background,
            )
            scores = [s - part * usual[reply] for s, (_, reply) in zip(scores, rows, strict=True)]
        left = iter(scores)
        return [[next(left) for _ in replies] for replies in batch.candidate_vecs]

    def _scored(self, reply: Ids) -> Ids:
        """The tokens of a candidate that count."""
        ends = reply[-1:] == (END,) and not self.options.scoring.with_end
        return reply[:-1] if ends else reply

    def _usually(self, replies: Sequence[Ids]) -> dict[Ids, float]:
        """The mean of ln p(reply) over the background contexts."""
        found = {reply: self._usual.get(reply) for reply in replies}
        new = [reply for reply, value in found.items() if value is None]
        known = {reply: value for reply, value in found.items() if value is not None}
        count = len(self.background)
        rows = [(number, reply) for reply in new for number in range(count)]
        values = [one.total for one in self._likelihoods(self._encode_background(), rows)]
        for place, reply in enumerate(new):
            known[reply] = sum(values[place * count : (place + 1) * count]) / count
            self._usual.put(reply, known[reply])
        return known

    def _encode_background(self) -> State:
        if not self.background:
            raise UsageError(
                "scoring.by is pmi, and this agent has no background to compare with; give it "
                "some contexts of the training set with set_background"
            )
        if self._encoded_background is None:
            observed = [self.vectorize(context) for context in self.background]
            self._encoded_background = self.model.encode(self.batchify(observed))
        return self._encoded_background

    def _likelihoods(self, encoded: State, rows: Sequence[tuple[int, Ids]]) -> list[Likelihood]:
        return likelihoods(self.model, encoded, rows, start=START, device=self.device)

    # Distributions.

    @torch.inference_mode()
    def next_word_probabilities(
        self, contexts: Sequence[Context], prefixes: Sequence[Sequence[str]], vocabulary: Vocabulary
    ) -> NDArray[np.float32]:
        """The model's distribution over the official words, each row of sum 1."""
        self.model.eval()
        columns = self._official(vocabulary)
        rows = np.full((len(contexts), len(vocabulary)), 1 / len(vocabulary), dtype=np.float32)
        inputs = [self._read(prefix) for prefix in prefixes]
        for places, state, read in self._states(contexts, inputs):
            encoded, cache = state
            tokens = torch.tensor([inputs[at][read:] for at in places], device=self.device)
            hidden, cache = self.model.decode(tokens, encoded, cache)
            likely = self.model.next_words(hidden[:, -1], encoded)
            rows[places] = columns.official(likely).cpu().numpy()
            asked, reads = [contexts[at] for at in places], [inputs[at] for at in places]
            self._kept.put(asked, reads, (encoded, cache))
        return rows

    def _states(
        self, contexts: Sequence[Context], inputs: Sequence[Ids]
    ) -> Iterator[tuple[list[int], State, int]]:
        """Places whose replies can be read on together, their state, and what it has read."""
        found = [self._kept.find(c, ids) for c, ids in zip(contexts, inputs, strict=True)]
        groups: dict[tuple[int, int], list[int]] = {}
        for place, (kept, ids) in enumerate(zip(found, inputs, strict=True)):
            groups.setdefault((len(kept.read) if kept else 0, len(ids)), []).append(place)
        size = self.options.batch_size
        parts = [
            (r, g[s : s + size]) for (r, _), g in groups.items() for s in range(0, len(g), size)
        ]
        # all states are taken before any is put: keeping one may drop another
        known = [self._take(found, part) if read else None for read, part in parts]
        for (read, part), state in zip(parts, known, strict=True):
            if state is not None:
                yield part, state, read
                continue
            observed = self.observe([contexts[place] for place in part])
            if any(map(self.is_valid, observed)):
                batch = self.batchify(observed)
                places = [part[row] for row in batch.valid_indices]
                yield places, (self.model.encode(batch), None), 0

    def _take(self, found: Sequence[Place | None], part: Sequence[int]) -> State:
        places = [kept for at in part if (kept := found[at]) is not None]
        return self._kept.take(places, device=self.device)

    def _read(self, prefix: Sequence[str]) -> Ids:
        """What the decoder reads of a prefix; a mark that it spells is an unknown word."""
        return (START, *map(self._sayable.get, prefix, repeat(UNKNOWN)))

    @cached_property
    def _sayable(self) -> dict[str, int]:
        """The ids of all words but marks."""
        never = {*self.silent, END}
        return {word: id_ for word, id_ in self.words.index.items() if id_ not in never}

    def _official(self, vocabulary: Vocabulary) -> Columns:
        if self._columns is None or self._columns.vocabulary is not vocabulary:
            self._columns = Columns(self.words, vocabulary, device=self.device)
        return self._columns

    # What is kept.

    def forget(self) -> None:
        """The weights or the background have changed: states and likelihoods are of the past."""
        self._kept.clear()
        self._usual.clear()
        self._encoded_background = None

    def files(self) -> dict[str, bytes]:
        """The background contexts."""
        if not self.background:
            return {}
        stored = json.dumps(to_json(_Background(self.background)), ensure_ascii=False)
        return {BACKGROUND: stored.encode("utf-8")}

    def restore(self, stored: Checkpoint) -> None:
        """The background contexts of a checkpoint."""
        if BACKGROUND not in stored.config.get("files", []):
            return
        place = str(stored.folder / BACKGROUND)
        try:
            value = json.loads(stored.file(BACKGROUND))
        except ValueError as error:
            raise UsageError(
                f"{place} is damaged: it is not JSON; train again", code="bad_checkpoint"
            ) from error
        self.set_background(from_json(_Background, value, place=place).contexts)


@dataclass(frozen=True)
class _Background:
    contexts: tuple[Context, ...]


def _heard(batch: Batch) -> Tensor:
    """The words of each row's text and memories `[B, S]`, -1 where nothing is."""
    parts = [batch.text_vec]
    if batch.memory_vecs is not None:
        parts.append(batch.memory_vecs.flatten(1))
    gap = torch.full_like(batch.text_vec[:, :1], PAD)
    heard = torch.cat([part for one in parts for part in (one, gap)], dim=1)
    return heard.masked_fill(heard == PAD, -1)
