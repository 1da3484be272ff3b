"""The bag-of-words ranker: training against the same model written plainly, and evaluation.

Run `python tests/bench/bench_ranker.py [--runs N]`. Talks are made up at ConvAI2's sizes. The plain
model looks up, projects and averages each word of each padded text; ours projects every word of the
vocabulary once a batch and adds up bags. Both are trained by the same agent, on the same batches,
in turns, and must give the same scores. Evaluation is `harness.evaluate` from the first question to
the report, with 20 candidates, by an agent that has seen none of them. All figures are of one
thread, in seconds of its processor. Status 1 if a figure is under its bar.
"""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from itertools import islice
from types import ModuleType
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  the field's name
from torch import Tensor, nn

from baselines.commands import folder
from harness import evaluate
from harness.dialogue import Dialogue, Example
from harness.torch.batch import Batch, present
from harness.torch.learning import examples
from harness.torch.ranker import RankerModel, TorchRankerAgent, products
from harness.torch.training import bucketed
from harness.torch.vectors import learn_words
from harness.torch.words import PAD

sys.path.insert(0, str(folder("ranker")))

DIALOGUES, EXAMPLES, CANDIDATES, WORDS = 600, 14, 20, 3_000
FASTER, PER_SECOND = 5.0, 10_000.0
UPDATES = 6


class Plain(RankerModel):
    """The ranker as one would first write it, with the weights of the other."""

    def __init__(self, ranker: Any) -> None:  # Any: the Ranker of a flat folder
        super().__init__()
        self.ranker = ranker
        self.dropout = nn.Dropout(float(ranker.dropout))

    def mean(self, ids: Tensor) -> Tensor:
        """Texts `[..., L]` as the mean of their words `[..., D]`."""
        own, real = self.ranker, ids.ne(PAD)[..., None]
        words = torch.tanh(own.hidden(self.dropout(own.embedding(ids))))
        words = words * own.weight[ids].exp() * real
        mean: Tensor = words.sum(-2) / real.sum(-2).clamp(min=1)
        return mean

    def encode_candidates(self, vectors: Tensor) -> Tensor:
        return F.normalize(self.ranker.reply(self.mean(vectors)), dim=-1)

    def score_candidates(self, batch: Batch, vectors: Tensor, encodings: Tensor | None) -> Tensor:
        assert encodings is not None
        assert batch.memory_vecs is not None
        own, there = self.ranker, present(batch.memory_vecs)
        question = own.question(self.mean(batch.text_vec))
        memory = self.mean(batch.memory_vecs)  # [B, M, D]
        sought = F.normalize(own.seek(question), dim=-1)
        match = torch.einsum("bd,bmd->bm", sought, F.normalize(memory, dim=-1))
        match = match * own.sharpness.exp()
        match = match.masked_fill(~there, -1e4).softmax(-1)
        kinds = own.kind(own.kinds(batch.memory_vecs))
        found = torch.einsum("bm,bmd->bd", match, own.found(memory) + kinds)
        scores = products(F.normalize(question + found, dim=-1), encodings)
        return scores * own.temperature.exp()


def talks(chance: random.Random) -> list[Dialogue]:
    """Talks of ConvAI2's sizes over words whose frequency falls with their rank."""
    names = [f"word{number}" for number in range(WORDS)]
    weights = [1 / (rank + 10) for rank in range(WORDS)]

    def said(low: int, high: int) -> str:
        return " ".join(chance.choices(names, weights, k=chance.randint(low, high)))

    replies = [said(5, 20) for _ in range(DIALOGUES * EXAMPLES)]
    return [
        Dialogue(
            id=str(number),
            persona=tuple(said(5, 10) for _ in range(5)),
            examples=tuple(
                Example((said(5, 20),), (reply,), (*chance.sample(replies, CANDIDATES - 1), reply))
                for reply in replies[number * EXAMPLES : (number + 1) * EXAMPLES]
            ),
        )
        for number in range(DIALOGUES)
    ]


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def training(agents: ModuleType, recipes: ModuleType, data: list[Dialogue], *, runs: int) -> bool:
    """Print the speed of both models; whether ours is faster by the bar."""
    options = recipes.RECIPES["bow"].options
    words = learn_words(data, options=options.text)
    ours, plain = agents.RankerAgent(words, options), agents.RankerAgent(words, options)
    plain.model = Plain(plain.model)
    observed = examples(ours, [replace(t, examples=t.examples) for t in data])
    order = bucketed([len(one.text) for one in observed], size=options.batch_size, seed=0)
    batches = [ours.batchify([observed[n] for n in places]) for places in islice(order, UPDATES)]
    agree(ours, plain, batches[0])
    spent: dict[str, list[float]] = {"ours": [], "plain": []}
    for run in range(runs + 1):
        for name, agent in {"ours": ours, "plain": plain}.items():
            took = seconds(lambda agent=agent: [agent.train_step(b) for b in batches])
            if run:  # the first warms up
                spent[name].append(took)
    count = sum(map(len, batches))
    speed = {name: count / statistics.median(took) for name, took in spent.items()}
    ratio = speed["ours"] / speed["plain"]
    print(
        f"training: {speed['ours']:,.0f} examples/s, plainly {speed['plain']:,.0f}, ratio "
        f"{ratio:.1f} (bar {FASTER:.0f}); {len(words):,} words, batches of {options.batch_size}, "
        f"one thread, median of {runs}",
        flush=True,
    )
    return ratio >= FASTER


def agree(ours: TorchRankerAgent, plain: TorchRankerAgent, batch: Batch) -> None:
    """Both models say the same: what is compared is speed alone."""
    losses = [agent.valid_step(batch).mean("loss") for agent in (ours, plain)]
    assert abs(losses[0] - losses[1]) < 1e-4, losses


def evaluation(agents: ModuleType, recipes: ModuleType, data: list[Dialogue], *, runs: int) -> bool:
    """Print how many examples a second an evaluation answers; whether it is the bar."""
    options = recipes.RECIPES["bow"].options
    words = learn_words(data, options=options.text)
    spent = []
    for _ in range(runs):
        agent = agents.RankerAgent(words, options)
        spent.append(seconds(lambda agent=agent: evaluate(agent, data, "hits")))
    count = sum(len(talk.examples) for talk in data)
    speed = count / statistics.median(spent)
    print(
        f"evaluation: {speed:,.0f} examples/s (bar {PER_SECOND:,.0f}); {count:,} examples, "
        f"{CANDIDATES} candidates each, one thread, median of {runs}"
    )
    return speed >= PER_SECOND


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    torch.set_num_threads(1)
    agents, recipes = import_module("agent"), import_module("recipes")
    data = talks(random.Random(0))
    fast = training(agents, recipes, data, runs=runs)
    sys.exit(not (evaluation(agents, recipes, data, runs=runs) and fast))


if __name__ == "__main__":
    main()
