"""Beam search: the best hypotheses of each context, all contexts together.

At each step the `beam_size` best continuations of a context stay, ends among them; a hypothesis
that ended is rescored by its length and set aside. A context is done as soon as nothing it still
holds can reach its `n_best`-th finished score, and no sooner.

Shapes: B contexts still searched, W live hypotheses of each (the same number for all; one that
does not live has total -infinity), V words.
"""

from dataclasses import dataclass
from typing import Generic

import torch
from torch import Tensor

from harness.torch.generation.decoder import Decoder, S
from harness.torch.generation.graph import Graph, Trace, draw
from harness.torch.generation.options import Hypothesis, SearchOptions, Task
from harness.torch.generation.rules import NEVER, Rules


@dataclass(frozen=True)
class Beam:
    """What was found for one context: up to `n_best` hypotheses, the best first."""

    hypotheses: tuple[Hypothesis, ...]
    trace: Trace | None = None

    def graph(self, words: tuple[str, ...]) -> Graph:
        """The beam drawn, kept and dropped hypotheses with their ln p; `words` by id.

        ValueError where the search was not asked to keep a trace.
        """
        if self.trace is None:
            raise ValueError("no trace was kept: search with trace=True")
        return draw(self.trace, self.hypotheses, words)


def beam_search(
    decoder: Decoder[S],
    state: S,
    *,
    task: Task,
    options: SearchOptions,
    trace: bool = False,
    stop_early: bool = True,
) -> list[Beam]:
    """A beam for each row of the state. `stop_early` is there for tests: it changes no result."""
    search = _Search.begin(state, task=task, options=options, traces=trace, stop_early=stop_early)
    while len(search.whose):
        search.advance(decoder)
    return [
        Beam(tuple(search.best(context)), search.traces[context] if trace else None)
        for context in range(len(task))
    ]


@dataclass
class _Search(Generic[S]):
    """All beams between two steps."""

    task: Task
    options: SearchOptions
    rules: Rules
    stop_early: bool
    state: S
    whose: Tensor  # [B], the context of each beam
    total: Tensor  # [B, W], ln p so far
    said: Tensor  # [B, W, t]
    read: Tensor  # [B * W]
    finished: list[list[Hypothesis]]  # of every context, best first
    traces: list[Trace]

    @classmethod
    def begin(
        cls, state: S, *, task: Task, options: SearchOptions, traces: bool, stop_early: bool
    ) -> "_Search[S]":
        count, device = len(task), task.device
        return cls(
            task=task,
            options=options,
            rules=Rules(options, task),
            stop_early=stop_early,
            state=state,
            whose=torch.arange(count, device=device),
            total=torch.zeros((count, 1), dtype=torch.float64, device=device),
            said=torch.zeros((count, 1, 0), dtype=torch.long, device=device),
            read=torch.full((count,), task.start, device=device),
            finished=[[] for _ in range(count)],
            traces=[Trace() for _ in range(count)] if traces else [],
        )

    def best(self, context: int) -> list[Hypothesis]:
        """The finished hypotheses of a context that count."""
        return self.finished[context][: self.options.n_best]

    def advance(self, decoder: Decoder[S]) -> None:
        """One word more for every beam."""
        width = self.total.shape[1]
        likely, self.state = decoder.step(self.read, self.state)
        rows = self.whose.repeat_interleave(width)
        allowed = self.rules.apply(likely, self.said.flatten(0, 1), rows)
        gains = allowed.view(len(self.whose), width, -1)
        total, parent, token = self._continuations(gains)
        self._record(total, parent=parent, token=token)
        size = self.options.beam_size
        total, parent, token = total[:, :size], parent[:, :size], token[:, :size]
        ended = (token == self.task.end) & (total > NEVER)
        self._set_aside(ended, total, parent)
        total = total.masked_fill(token == self.task.end, NEVER)
        going = self._going(total)
        self._go_on(decoder, going, total=total, parent=parent, token=token)

    def _continuations(self, gains: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The best continuations of each context by falling ln p, with parent and token.

        Of the same shape `[B, N]`; N is `beam_size`, and as many again where they are drawn. No
        hypothesis has more than N among the best N of all, so each is asked for its own first.
        """
        words = gains.shape[2]
        wanted = self.options.beam_size * (2 if self.traces else 1)
        each, token = gains.topk(min(wanted, words), dim=2)  # [B, W, n]
        sums = (self.total[:, :, None] + each).flatten(1)
        total, place = sums.topk(min(wanted, sums.shape[1]), dim=1)
        return total, place // each.shape[2], token.flatten(1).gather(1, place)

    def _set_aside(self, ended: Tensor, total: Tensor, parent: Tensor) -> None:
        """Rescore the hypotheses that ended and write them down."""
        beam, slot = ended.nonzero(as_tuple=True)
        if not len(beam):
            return
        penalty = self.options.penalty(self.said.shape[2] + 1)
        tokens = self.said[beam, parent[beam, slot]].tolist()
        contexts = self.whose[beam].tolist()
        for context, said, value in zip(contexts, tokens, total[beam, slot].tolist(), strict=True):
            self.finished[context].append(Hypothesis(tuple(said), value, value / penalty))
        for context in set(contexts):
            self.finished[context].sort(key=lambda hypothesis: -hypothesis.score)

    def _going(self, total: Tensor) -> Tensor:
        """The beams that may still find something better."""
        read = self.said.shape[2] + 1
        going = []
        best = zip(self.whose.tolist(), total.amax(1).tolist(), strict=True)
        for place, (context, value) in enumerate(best):
            if value == NEVER or (self.stop_early and self._settled(context, value, read=read)):
                continue
            going.append(place)
        return torch.tensor(going, dtype=torch.long, device=self.whose.device)

    def _settled(self, context: int, value: float, *, read: int) -> bool:
        """Whether no live hypothesis of this context can enter its best."""
        found = self.best(context)
        if len(found) < self.options.n_best:
            return False
        return self.options.best_ahead(value, read=read) <= found[-1].score

    def _go_on(
        self, decoder: Decoder[S], going: Tensor, *, total: Tensor, parent: Tensor, token: Tensor
    ) -> None:
        """Move to the hypotheses that live, in the beams that go on."""
        before = self.total.shape[1]
        total, parent, token = total[going], parent[going], token[going]
        lives = total > NEVER
        order = torch.argsort(~lives, dim=1, stable=True)
        width = int(lives.sum(1).max()) if len(going) else 0
        order = order[:, :width]
        parent, token = parent.gather(1, order), token.gather(1, order)
        said = self.said[going[:, None], parent]  # [B, W, t]
        self.said = torch.cat([said, token[:, :, None]], dim=2)
        self.total, self.whose = total.gather(1, order), self.whose[going]
        self.read = token.flatten()
        if len(going):
            rows = (going[:, None] * before + parent).flatten()
            self.state = decoder.reorder(self.state, rows)

    def _record(self, total: Tensor, *, parent: Tensor, token: Tensor) -> None:
        """Write the step into the traces of the contexts."""
        if not self.traces:
            return
        steps = zip(
            self.whose.tolist(), parent.tolist(), token.tolist(), total.tolist(), strict=True
        )
        for context, parents, tokens, totals in steps:
            self.traces[context].add(
                parents, tokens, totals=totals, size=self.options.beam_size, end=self.task.end
            )
