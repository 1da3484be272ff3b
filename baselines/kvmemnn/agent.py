"""The memory network as an agent: it looks up how people replied to something alike.

The query finds the training texts nearest to it; the replies that followed the ten best, taken
together, are a second query. A candidate's score is its cosine with the first plus a tenth of
that with the second. Without candidates, the replies of the hundred best are the candidates.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from model import Config, MemoryNetwork, Question
from torch import Tensor

from harness import Context
from harness.text import normalise
from harness.torch import checkpoint

CHECKPOINT = Path(__file__).parent / "checkpoint"
READ, RETRIEVED, SECOND = 10, 100, 0.1


class MemoryAgent:
    """Scores replies by two cosines; chats by re-ranking retrieved replies."""

    def __init__(self, folder: Path = CHECKPOINT) -> None:
        stored = checkpoint.load(folder, baseline="kvmemnn")
        self.model = MemoryNetwork(stored.words, Config(**stored.config["model"]))
        stored.into(self.model)
        texts, replies = zip(*stored.config["pairs"], strict=True)
        self.replies: tuple[str, ...] = replies
        self.said = [normalise(reply) for reply in self.replies]
        with torch.inference_mode():
            self.table = self.model.table()
            self.keys = self._keys(texts)  # [pairs, D]
            self.values = self._encode(self.replies)  # [pairs, D]

    @torch.inference_mode()
    def score_candidates(
        self, contexts: Sequence[Context], candidates: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """The cosine of each candidate with the context, and with what followed such contexts."""
        return [
            (self._encode(replies) @ self._target(query, self._nearest(query))).tolist()
            for query, replies in zip(self._queries(contexts), candidates, strict=True)
        ]

    @torch.inference_mode()
    def respond(self, contexts: Sequence[Context]) -> list[str]:
        """The best of the retrieved replies that this side has not said before."""
        return [
            self._retrieve(context, query)
            for context, query in zip(contexts, self._queries(contexts), strict=True)
        ]

    def _retrieve(self, context: Context, query: Tensor) -> str:
        nearest = self._nearest(query)
        scores = self.values[nearest] @ self._target(query, nearest)
        ranked = nearest[scores.argsort(descending=True, stable=True)].tolist()
        before = {normalise(turn.text) for turn in context.turns if turn.speaker == "self"}
        fresh = (place for place in ranked if self.said[place] not in before)
        chosen: int = next(fresh, ranked[0])
        return self.replies[chosen]

    def _nearest(self, query: Tensor) -> Tensor:
        """The numbers of the training pairs whose text is nearest to the query, best first."""
        return (self.keys @ query).argsort(descending=True, stable=True)[:RETRIEVED]

    def _target(self, query: Tensor, nearest: Tensor) -> Tensor:
        return query + SECOND * F.normalize(self.values[nearest[:READ]].mean(0), dim=-1)

    def _queries(self, contexts: Sequence[Context]) -> Tensor:
        questions = [self.model.question(context) for context in contexts]
        return self.model.encode_queries(self.table, questions)

    def _keys(self, texts: Sequence[str]) -> Tensor:
        """Training texts as queries without a persona `[texts, D]`."""
        questions = [Question(self.model.words.ids(text), []) for text in texts]
        return self.model.encode_queries(self.table, questions)

    def _encode(self, texts: Sequence[str]) -> Tensor:
        return self.model.encode_replies(self.table, [self.model.words.ids(t) for t in texts])
