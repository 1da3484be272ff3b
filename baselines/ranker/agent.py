"""The ranker as an agent: it ranks given replies, and answers with the best it was trained on."""

from collections.abc import Sequence
from pathlib import Path

import torch
from model import Config, Ranker

from harness import Context
from harness.text import normalise
from harness.torch import checkpoint

CHECKPOINT = Path(__file__).parent / "checkpoint"


class RankerAgent:
    """Scores a reply by its cosine with the context; chats by retrieving a training reply."""

    def __init__(self, folder: Path = CHECKPOINT) -> None:
        stored = checkpoint.load(folder, baseline="ranker")
        self.model = Ranker(stored.words, Config(**stored.config["model"]))
        stored.into(self.model)
        self.replies: list[str] = stored.config["replies"]
        self.keys = [normalise(reply) for reply in self.replies]
        with torch.inference_mode():
            self.table = self.model.table()
            self.bank = self._encode(self.replies)  # [replies, D]

    @torch.inference_mode()
    def score_candidates(
        self, contexts: Sequence[Context], candidates: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """The cosine of each candidate with its context."""
        vectors = self._contexts(contexts)
        return [
            (self._encode(replies) @ vector).tolist()
            for vector, replies in zip(vectors, candidates, strict=True)
        ]

    @torch.inference_mode()
    def respond(self, contexts: Sequence[Context]) -> list[str]:
        """The training reply nearest to each context that was not said in it before."""
        return [
            self._first_unsaid(context, (self.bank @ vector).argsort(descending=True, stable=True))
            for context, vector in zip(contexts, self._contexts(contexts), strict=True)
        ]

    def _contexts(self, contexts: Sequence[Context]) -> torch.Tensor:
        return self.model.encode_contexts(self.table, [self.model.slots(c) for c in contexts])

    def _encode(self, replies: Sequence[str]) -> torch.Tensor:
        return self.model.encode_replies(self.table, [self.model.words.ids(r) for r in replies])

    def _first_unsaid(self, context: Context, order: torch.Tensor) -> str:
        said = {normalise(turn.text) for turn in context.turns if turn.speaker == "self"}
        best = (i for i in order[: len(said) + 1].tolist() if self.keys[i] not in said)
        return self.replies[next(best, int(order[0]))]
