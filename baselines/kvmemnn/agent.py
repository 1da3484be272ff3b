"""The memory network as an agent: it ranks, and says what was replied to something alike.

In chat the partner's last words look for pairs, and of the replies in the nearest hundred it says
the best that it has not said yet. Historical judges them by what the ten nearest replies and the
persona are together, as ConvAI2's baseline did; Modern by the context, the persona and the pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from model import Asked, Historical, MemoryNetwork, Modern, Shape
from negatives import Labels, MarginOptions, margin_loss
from pairs import FILE, Pairs, from_bytes, to_bytes

from harness.dialogue import SILENCE, Context
from harness.text import OWN_PERSONA, PARTNER_PERSONA
from harness.torch.batch import Batch, Loss, Metrics, Observation, Output, stacked
from harness.torch.checkpoint import Checkpoint
from harness.torch.options import TorchOptions, at_least
from harness.torch.ranker import RankerOptions, TorchRankerAgent
from harness.torch.sources import key
from harness.torch.words import padded

CHECKPOINT = Path(__file__).parent / "checkpoint"
LABEL_WIDTH = 64  # words of a label that is remembered where options cut none


@dataclass(frozen=True, kw_only=True)
class MemoryOptions(RankerOptions):
    """A ranker's options and the network's; `pairs`: how many are kept at most."""

    model: Shape = field(default_factory=Shape)
    margin: MarginOptions = field(default_factory=MarginOptions)
    pairs: int = 20_000

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("pairs", self.pairs, 1)


class MemoryAgent(TorchRankerAgent):
    """Ranks by a context and the pairs that are like it; chats by retrieval from the pairs."""

    baseline: ClassVar[str | None] = "kvmemnn"
    options_type: ClassVar[type[TorchOptions]] = MemoryOptions
    options: MemoryOptions
    model: MemoryNetwork

    def build_model(self) -> MemoryNetwork:
        """The network that `model.kind` names."""
        shape, words = self.options.model, len(self.words)
        if shape.kind == "modern":
            return Modern(words, shape)
        width = self.options.text.label_truncate or LABEL_WIDTH
        return Historical(words, shape, labels=Labels(self.options.margin.labels, width))

    # What is read.

    def vectorize(
        self, context: Context, *, labels: Sequence[str] = (), candidates: Sequence[str] = ()
    ) -> Observation:
        """Historical reads nothing before its own last turn, and the persona with its marks."""
        seen = as_in_2018(context) if isinstance(self.model, Historical) else context
        return replace(
            super().vectorize(seen, labels=labels, candidates=candidates), context=context
        )

    def batchify(self, observations: Sequence[Observation]) -> Batch:
        """A batch with what the partner said last, and the persona apart from other memories."""
        batch, text = super().batchify(observations), self.options.text
        reply = self.vectoriser.reply
        heard = [context.turns[-1].text if context.turns else SILENCE for context in batch.contexts]
        own = stacked(
            [
                [reply(line) for line in context.persona[: text.memories] if text.persona != "none"]
                for context in batch.contexts
            ]
        )
        return Asked(
            **{part.name: getattr(batch, part.name) for part in fields(batch)},
            heard=padded([sorted(reply(line)) for line in heard]).to(self.device),
            persona=own.to(self.device) if own is not None else None,
        )

    # Training.

    def compute_loss(self, batch: Batch) -> Loss:
        """The margin loss where Historical trains, else the ranker's cross-entropy."""
        model = self.model
        if not (isinstance(model, Historical) and model.training):
            return super().compute_loss(batch)
        assert batch.label_vec is not None  # `learn` takes labelled examples only
        model.hold_norms()
        model.labels.put(batch.label_vec)
        drawn = model.labels.draw(batch.label_vec, self.options.margin.negatives)
        encoded = model.encode_candidates(drawn.vectors)
        scores = model.score_candidates(batch, drawn.vectors, F.embedding(drawn.places, encoded))
        loss = margin_loss(scores, drawn.counts, margin=self.options.margin.margin)
        best = (scores[:, 1:].masked_fill(~drawn.counts[:, 1:], -2.0) < scores[:, :1]).all(1)
        count = float(len(batch))
        return Loss(
            loss,  # a sum: the batch is so many examples at once, see README.md
            Metrics({"loss": (loss.item(), count), "hits@1": (float(best.sum()), count)}),
        )

    # The memory of pairs.

    def set_pairs(self, texts: Sequence[tuple[str, str]]) -> None:
        """Give the agent what was said and replied, which a checkpoint of it then holds."""
        self.model.pairs = Pairs.of(texts, ids=self.vectoriser.reply).to(self.device)
        self.forget()

    def files(self) -> dict[str, bytes]:
        """The pairs, beside what a ranker has."""
        pairs = self.model.pairs
        return super().files() | ({FILE: to_bytes(pairs)} if pairs is not None else {})

    def restore(self, stored: Checkpoint) -> None:
        """The pairs of a checkpoint."""
        super().restore(stored)
        if FILE in stored.config.get("files", []):
            self.set_pairs(from_bytes(stored.file(FILE), place=str(stored.folder / FILE)))

    # Chat.

    @torch.inference_mode()
    def eval_step(self, batch: Batch) -> Output:
        """Scores of the batch's candidates, or replies from the pairs where it has none."""
        pairs = self.model.pairs
        if batch.candidates is not None or pairs is None:
            return super().eval_step(batch)  # which chats from a list, if it has one
        found = self.model.find(batch, self.options.model.retrieved)
        scores = self.model.score_found(batch, found)  # [B, K]
        order = scores.argsort(dim=1, descending=True, stable=True)
        rows = zip(batch.contexts, found.places.gather(1, order).tolist(), strict=True)
        ranked = [self._fresh_first(context, row, pairs) for context, row in rows]
        return Output([row[0] for row in ranked], ranked)

    def _fresh_first(self, context: Context, row: Sequence[int], pairs: Pairs) -> tuple[str, ...]:
        """Distinct replies in their order; what was said in this talk goes behind all others."""
        texts = list({key(pairs.texts[place][1]): pairs.texts[place][1] for place in row}.items())
        said = {key(turn.text) for turn in context.turns if turn.speaker == "self"}
        if self.options.ranking.block_repeats:
            texts.sort(key=lambda named: named[0] in said)
        return tuple(text for _, text in texts[: self.options.ranking.alternatives])


def as_in_2018(context: Context) -> Context:
    """A context with its own last turn and what followed, and each persona line with its mark."""
    own = [place for place, turn in enumerate(context.turns) if turn.speaker == "self"]
    return replace(
        context,
        turns=context.turns[own[-1] if own else 0 :],
        persona=tuple(OWN_PERSONA + line for line in context.persona),
        partner_persona=tuple(PARTNER_PERSONA + line for line in context.partner_persona),
    )


def make_agent() -> MemoryAgent:
    """The trained agent, as the track files start it."""
    return MemoryAgent.load(CHECKPOINT)
