"""Retrieval by rare words in common: how far one comes without learning anything.

A candidate is ranked by its cosine with what was said last and the persona (the baseline of
Zhang et al. 2018). A reply is what was said in the training context that is nearest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from vectors import Index, Vector, Weigher, joined, product

from harness import Context, stored
from harness.errors import UsageError
from harness.text import normalise

CHECKPOINT = Path(__file__).parent / "checkpoint"

PERSONA_IN_RANKING, PERSONA_IN_RETRIEVAL = 1.0, 0.3
"""The share of the persona in a query, chosen on the validation split."""

KEPT = 4096
"""Vectors of candidates that are kept; sets give the same replies again and again."""


@dataclass(frozen=True)
class Talk:
    """One training dialogue: the persona, and pairs of what was heard and what was replied."""

    persona: tuple[str, ...]
    turns: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Learned:
    """The training dialogues."""

    talks: tuple[Talk, ...]


class RetrievalAgent:
    """Ranks and retrieves by TF-IDF."""

    def __init__(self, learned: Learned) -> None:
        pairs = [(talk.persona, *turn) for talk in learned.talks for turn in talk.turns]
        self.replies = [reply for _, _, reply in pairs]
        self.keys = [normalise(reply) for reply in self.replies]
        self.weigher = Weigher(text for _, *turn in pairs for text in turn)
        self.index = Index([self._query(p, heard, PERSONA_IN_RETRIEVAL) for p, heard, _ in pairs])
        self.candidates: dict[str, Vector] = {}

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The agent of a checkpoint."""
        learned = stored.read(Learned, folder, baseline="tfidf-retrieval")
        if not any(talk.turns for talk in learned.talks):
            raise UsageError(f"{folder} holds no reply to retrieve; train again with other data")
        return cls(learned)

    def respond(self, contexts: Sequence[Context]) -> list[str]:
        """The reply of the nearest training context that was not said in this talk before."""
        return [self._retrieve(context) for context in contexts]

    def score_candidates(
        self, contexts: Sequence[Context], candidates: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """The cosine of each candidate with the last turn and the persona."""
        return [
            self._rank(self._asked(context, PERSONA_IN_RANKING), row)
            for context, row in zip(contexts, candidates, strict=True)
        ]

    def _retrieve(self, context: Context) -> str:
        said = {normalise(turn.text) for turn in context.turns if turn.speaker == "self"}
        products = self.index.products(self._asked(context, PERSONA_IN_RETRIEVAL))
        order = np.argsort(-products, kind="stable")
        unsaid = (place for place in order.tolist() if self.keys[place] not in said)
        return self.replies[next(unsaid, int(order[0]))]

    def _rank(self, query: Vector, candidates: Sequence[str]) -> list[float]:
        return [product(self._candidate(text), query) for text in candidates]

    def _candidate(self, text: str) -> Vector:
        if text not in self.candidates:
            if len(self.candidates) >= KEPT:
                self.candidates.clear()
            self.candidates[text] = self.weigher.vector(text)
        return self.candidates[text]

    def _asked(self, context: Context, persona: float) -> Vector:
        last = context.turns[-1].text if context.turns else ""
        return self._query(context.persona, last, persona)

    def _query(self, persona: Sequence[str], last: str, weight: float) -> Vector:
        vector = self.weigher.vector
        return joined(vector(last), vector(" ".join(persona)), weight=weight)


def make_agent() -> RetrievalAgent:
    """The agent, as the track files start it."""
    return RetrievalAgent.load(CHECKPOINT)
