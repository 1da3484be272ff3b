"""TorchRankerAgent: chooses among replies, given with the question or kept in a list.

An own ranker is a `RankerModel` and four lines of agent that build it; see `docs/torch.md`.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.dialogue import Context
from harness.errors import UsageError
from harness.torch import encodings, sources
from harness.torch.agent import TorchAgent
from harness.torch.bank import Bank
from harness.torch.batch import Batch, Loss, Metrics, Observation, Output
from harness.torch.checkpoint import Checkpoint
from harness.torch.encodings import LISTED, Encodings
from harness.torch.options import TorchOptions, at_least
from harness.torch.sources import FROM_BATCH, Fixed, Pool, Source, key, unlabelled
from harness.torch.words import Words


class RankerModel(nn.Module, ABC):
    """Scores candidates of a batch. Shapes: B rows, C candidates, L words, D of your choice."""

    def encode_candidates(self, vectors: Tensor) -> Tensor | None:
        """Candidates `[C, L]` as `[C, D]`, without their contexts: encoded once, kept, reused.

        None, as here, where a model reads a candidate only together with its context.
        """
        return None

    def forget(self) -> None:
        """Drop what was computed from the weights alone and kept; called when they have moved."""

    @abstractmethod
    def score_candidates(self, batch: Batch, vectors: Tensor, encodings: Tensor | None) -> Tensor:
        """Scores `[B, C]`, higher is better.

        `vectors` are `[C, L]` where all rows have the same candidates, else `[B, C, L]`;
        `encodings` what `encode_candidates` made of them, `[C, D]` or `[B, C, D]`.
        """


def products(contexts: Tensor, encodings: Tensor) -> Tensor:
    """The score of a dual encoder: `[B, D]` times `[C, D]` or `[B, C, D]` is `[B, C]`."""
    if encodings.dim() == 2:
        return contexts @ encodings.T
    return torch.einsum("bd,bcd->bc", contexts, encodings)


@dataclass(frozen=True, kw_only=True)
class RankingOptions:
    """Where candidates come from (`harness.torch.sources`), and what is chosen.

    `candidates` in training, `eval_candidates` in validation; candidates that come with a
    question are always what is ranked. `fixed_candidates`: a file with one reply a line.
    `encodings` of a list: `reuse` those stored beside the file if they are of these weights and
    this list, else store new ones; `replace` them always; or the path of a file that must fit.
    `negatives`: wrong candidates per training batch (or row, for inline), None for all.
    `block_repeats`: what this side has said in this talk is not said again. `alternatives`: how
    many `text_candidates` a reply has.
    """

    candidates: Source = "inline"
    eval_candidates: Source = "inline"
    fixed_candidates: str | None = None
    encodings: str = "reuse"
    negatives: int | None = None
    block_repeats: bool = True
    alternatives: int = 10

    def __post_init__(self) -> None:
        at_least("ranking.negatives", 1 if self.negatives is None else self.negatives, 1)
        at_least("ranking.alternatives", self.alternatives, 1)


@dataclass(frozen=True, kw_only=True)
class RankerOptions(TorchOptions):
    """The options of a ranker."""

    ranking: RankingOptions = field(default_factory=RankingOptions)


class TorchRankerAgent(TorchAgent):
    """Ranks candidates for the hits track, and answers with the best reply of its list.

    An own agent defines `build_model`. `fixed` is its list of replies: `set_fixed` gives it one,
    else the file that `ranking.fixed_candidates` names is read when it is needed.
    """

    options_type: ClassVar[type[TorchOptions]] = RankerOptions
    options: RankerOptions
    model: RankerModel

    def __init__(
        self,
        words: Words,
        options: RankerOptions | None = None,
        *,
        device: str | torch.device = "cpu",
    ) -> None:
        super().__init__(words, options, device=device)
        self.encodings = Encodings(self.options.ranking)
        self.bank = Bank(_BANK * self.options.cache)
        self._fixed: Fixed | None = None
        self._vocabulary: Fixed | None = None

    @abstractmethod
    def build_model(self) -> RankerModel:
        """The model, with fresh weights; called once."""

    @property
    def reads_candidates(self) -> bool:
        """Whether a source of the options is made of them."""
        ranking = self.options.ranking
        return not {"inline", "batch-all"}.isdisjoint((ranking.candidates, ranking.eval_candidates))

    def compute_loss(self, batch: Batch) -> Loss:
        """Cross-entropy of the right reply among the candidates, its mean rank, and hits@1.

        A candidate that equals the right reply is no wrong one and does not count.
        """
        options, training = self.options.ranking, self.model.training
        pool = self._pool(batch, options.candidates if training else options.eval_candidates)
        if pool.targets is None:
            raise UsageError("a loss needs labels; these examples have none")
        if training and options.negatives is not None:
            pool = sources.sampled(pool, negatives=options.negatives)
        pool = pool.to(self.device)
        assert pool.targets is not None
        scores = self._scores(batch, pool).float()
        loss = F.cross_entropy(scores, pool.targets)
        return Loss(loss, _metrics(loss, scores, targets=pool.targets))

    def score_candidates(
        self, contexts: Sequence[Context], candidates: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """One score per candidate per context; encodings of candidates are kept in a bank."""
        pairs = zip(self.observe(contexts), candidates, strict=True)
        asked = [
            Observation(one.context, one.text, candidates=tuple(row), memories=one.memories)
            for one, row in pairs
        ]
        answers = zip(self.answer(asked), candidates, strict=True)
        return [list(answer.scores) or [0.0] * len(row) for answer, row in answers]

    @torch.inference_mode()
    def eval_step(self, batch: Batch) -> Output:
        """Scores of the batch's candidates, or the best replies of the list where it has none."""
        if batch.candidates is None:
            return self._choose(batch)
        scores = self._asked(batch).float()
        order = scores.argsort(dim=1, descending=True, stable=True).tolist()
        rows = zip(scores.tolist(), order, batch.candidates, strict=True)
        scored, ranked = [], []
        for row, places, own in rows:
            count = len(own)
            best = places if count == len(places) else [at for at in places if at < count]
            scored.append(row[:count])
            ranked.append([own[place] for place in best])
        return Output([row[0] if row else "" for row in ranked], ranked, scores=scored)

    def _asked(self, batch: Batch) -> Tensor:
        """Scores `[B, C]` of each row's candidates; beyond a row's own they mean nothing."""
        assert batch.candidates is not None
        found = self.bank.of(
            batch.candidates,
            ids=self.vectoriser.reply,
            encode=lambda vectors: self.encode_candidates(vectors.to(self.device)),
        )
        if found is not None:
            return self.model.score_candidates(batch, found.vectors, found.encodings)
        pool = sources.inline(self._with_ids(unlabelled(batch)))
        return self._scores(batch, pool.to(self.device))

    def _with_ids(self, batch: Batch) -> Batch:
        """The batch with its candidates in ids, where it has them as texts only."""
        rows = tuple(
            replace(row, candidate_vecs=tuple(map(self.vectoriser.reply, row.candidates)))
            for row in batch.observations
        )
        return replace(batch, observations=rows)

    def encode_candidates(self, vectors: Tensor) -> Tensor | None:
        """The model's encodings of texts `[N, L]`, made in pieces where no gradient is kept."""
        if torch.is_grad_enabled():
            return self.model.encode_candidates(vectors)
        parts = [self.model.encode_candidates(part) for part in torch.split(vectors, _PIECE)]
        made = [part for part in parts if part is not None]
        return torch.cat(made) if made else None

    # The list of replies.

    @property
    def fixed(self) -> Fixed:
        """The list of replies to choose from; `UsageError` where the agent has none."""
        if self._fixed is None:
            path = self.options.ranking.fixed_candidates
            if path is None:
                raise UsageError(
                    "this ranker has no replies to choose from; name a file with one reply a line "
                    "in ranking.fixed_candidates, or call set_fixed"
                )
            self._fixed = Fixed.of(encodings.read_lines(Path(path)), vectoriser=self.vectoriser)
        return self._fixed

    def set_fixed(self, texts: Sequence[str]) -> None:
        """Give the agent its list of replies, which a checkpoint of it then holds."""
        self._fixed = Fixed.of(texts, vectoriser=self.vectoriser)
        self.encodings.forget()

    def forget(self) -> None:
        """The weights have moved: encodings are of the past."""
        self.encodings.forget()
        self.bank.forget()
        self.model.forget()

    @torch.inference_mode()
    def get_ready(self) -> None:
        """Encode the list, so that a checkpoint holds its encodings."""
        self.model.eval()
        if self._fixed is not None:
            self._known(self._fixed)

    def files(self) -> dict[str, bytes]:
        """The list and, where they are known, its encodings."""
        if self._fixed is None:
            return {}
        return encodings.to_files(self._fixed.texts, self.encodings)

    def restore(self, stored: Checkpoint) -> None:
        """The list of a checkpoint, in place of the file that the options name."""
        if LISTED in stored.config.get("files", []):
            texts = encodings.listed(stored.file(LISTED), place=str(stored.folder / LISTED))
            self.set_fixed(texts)
            self.encodings.restored(stored)

    # Pools and their scores.

    def _pool(self, batch: Batch, source: Source) -> Pool:
        if source in FROM_BATCH:
            return FROM_BATCH[source](batch)
        return sources.from_list(batch, self._list(source))

    def _list(self, source: Source) -> Fixed:
        if source != "vocabulary":
            return self.fixed
        self._vocabulary = self._vocabulary or Fixed.words(self.words)
        return self._vocabulary

    def _scores(self, batch: Batch, pool: Pool, known: Tensor | None = None) -> Tensor:
        """Scores `[B, C]`, -inf where a candidate does not count."""
        encoded = self.encode_candidates(pool.vectors) if known is None else known
        own = pool.own(encoded) if encoded is not None else None
        scores = self.model.score_candidates(batch, pool.own_vectors(), own)
        if pool.counts is None:
            return scores
        return scores.masked_fill(~pool.counts, float("-inf"))

    def _choose(self, batch: Batch) -> Output:
        source: Source = self.options.ranking.eval_candidates
        source = source if source == "vocabulary" else "fixed"
        fixed = self._list(source)
        known = self._known(fixed) if source == "fixed" else None
        scores = self._scores(batch, fixed.pool.to(self.device), known).float()
        if self.options.ranking.block_repeats:
            self._block(scores, batch, fixed)
        count = min(self.options.ranking.alternatives, len(fixed.texts))
        best = scores.sort(dim=1, descending=True, stable=True).indices[:, :count].tolist()
        ranked = [[fixed.texts[place] for place in row] for row in best]
        return Output([row[0] for row in ranked], ranked)

    def _block(self, scores: Tensor, batch: Batch, fixed: Fixed) -> None:
        """Put what a row's side has said behind all else, in its order."""
        for row, context in enumerate(batch.contexts):
            said = {key(turn.text) for turn in context.turns if turn.speaker == "self"}
            columns = [column for text in said for column in fixed.columns.get(text, ())]
            if columns and len(columns) < len(fixed.texts):
                scores[row, columns] = float("-inf")

    def _known(self, fixed: Fixed) -> Tensor | None:
        """The encodings of the list `[N, D]`, made when they are first needed."""
        return self.encodings.of(
            fixed,
            make=lambda: self.encode_candidates(fixed.pool.vectors.to(self.device)),
            fingerprint=lambda: encodings.fingerprint(self.model, self.words, fixed),
            device=self.device,
        )


_PIECE = 512  # texts that are encoded at a time

_BANK = 8  # texts of candidates that are kept, for each context that is (`cache`)


def _metrics(loss: Tensor, scores: Tensor, *, targets: Tensor) -> Metrics:
    """Sums over the rows; candidates that tie with the right reply come before it by half."""
    own = scores.detach().gather(1, targets[:, None])
    above = (scores > own).sum(1)
    level = (scores == own).sum(1) - 1
    rank = 1 + above + level / 2
    count = float(len(targets))
    return Metrics(
        {
            "loss": (loss.item() * count, count),
            "mean_rank": (rank.sum().item(), count),
            "hits@1": ((rank == 1).sum().item(), count),
        }
    )
