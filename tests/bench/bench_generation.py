"""Incremental decoding against the naive way, which reads the whole prefix again at each word.

Run `python tests/bench/bench_generation.py [--words N] [--runs N] [--vocabulary N]`. A
Transformer of the size of the field's (2 layers, 256 wide, source of 64 words) writes replies of
exactly N words to 32 contexts, on one thread: by greedy search and by a beam of 5, each in
both ways. Both ways encode once, and compute the output layer for the last word only; the
replies must be the same. The bar: incremental is at least 2 times as fast at 24 words.
Status 1 if it is missed.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F  # noqa: N812  the field's name
from torch import Tensor, nn

from harness.dialogue import Context
from harness.torch.batch import Batch, Observation, batchify
from harness.torch.generation.decoder import ModelDecoder, TorchGeneratorModel
from harness.torch.generation.options import SearchOptions, Task
from harness.torch.generation.search import search
from harness.torch.words import END, PAD, START, UNKNOWN

CONTEXTS, SOURCE = 32, 64
SIZE, LAYERS, HEADS = 256, 2, 4
BAR = 2.0
CPU = torch.device("cpu")

Layer = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Heard:
    """What is attended over: keys and values of each layer, `[B, heads, S, size]`."""

    layers: tuple[Layer, ...]


class Transformer(TorchGeneratorModel[Heard, tuple[Layer, ...]]):
    """Pre-norm layers with a cache of keys and values; the encoder is bare embeddings."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, SIZE)
        self.places = nn.Embedding(256, SIZE)
        self.own = nn.ModuleList(nn.Linear(SIZE, 3 * SIZE) for _ in range(LAYERS))
        self.ask = nn.ModuleList(nn.Linear(SIZE, SIZE) for _ in range(LAYERS))
        self.told = nn.ModuleList(nn.Linear(SIZE, 2 * SIZE) for _ in range(LAYERS))
        self.up = nn.ModuleList(nn.Linear(SIZE, 4 * SIZE) for _ in range(LAYERS))
        self.down = nn.ModuleList(nn.Linear(4 * SIZE, SIZE) for _ in range(LAYERS))

    def encode(self, batch: Batch) -> Heard:
        source = self.embedding(batch.text_vec)
        pairs = (told(source).chunk(2, dim=-1) for told in self.told)
        return Heard(tuple((_heads(key), _heads(value)) for key, value in pairs))

    def decode(
        self, tokens: Tensor, encoded: Heard, cache: tuple[Layer, ...] | None
    ) -> tuple[Tensor, tuple[Layer, ...]]:
        read = 0 if cache is None else cache[0][0].shape[2]
        x = self.embedding(tokens) + self.places.weight[read : read + tokens.shape[1]]
        after = []
        for layer in range(LAYERS):
            query, key, value = map(_heads, self.own[layer](_norm(x)).chunk(3, dim=-1))
            if cache is not None:
                key = torch.cat([cache[layer][0], key], dim=2)
                value = torch.cat([cache[layer][1], value], dim=2)
            after.append((key, value))
            x = x + _attend(query, key, value, causal=cache is None)
            query = _heads(self.ask[layer](_norm(x)))
            x = x + _attend(query, *encoded.layers[layer], causal=False)
            x = x + self.down[layer](torch.relu(self.up[layer](_norm(x))))
        return _norm(x), tuple(after)

    def output(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.embedding.weight)


def _heads(x: Tensor) -> Tensor:
    return x.unflatten(2, (HEADS, -1)).transpose(1, 2)


def _attend(query: Tensor, key: Tensor, value: Tensor, *, causal: bool) -> Tensor:
    found = F.scaled_dot_product_attention(query, key, value, is_causal=causal)
    return found.transpose(1, 2).flatten(2)


def _norm(x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:])


@dataclass(frozen=True)
class Whole:
    """A naive decoder's state: what was encoded, whose, and all that was read `[R, t]`."""

    encoded: Heard
    whose: Tensor
    read: Tensor


class Naive:
    """The same model, asked for the whole prefix at each step."""

    def __init__(self, model: Transformer) -> None:
        self.model = model

    def begin(self, encoded: Heard, count: int) -> Whole:
        return Whole(encoded, torch.arange(count), torch.zeros((count, 0), dtype=torch.long))

    def step(self, tokens: Tensor, state: Whole) -> tuple[Tensor, Whole]:
        read = torch.cat([state.read, tokens[:, None]], dim=1)
        hidden, _ = self.model.decode(read, state.encoded, None)
        return self.model.output(hidden[:, -1]).log_softmax(-1), replace(state, read=read)

    def reorder(self, state: Whole, rows: Tensor) -> Whole:
        whose, encoded = state.whose[rows], state.encoded
        if not torch.equal(whose, state.whose):
            encoded = self.model.reorder_encoder_states(encoded, rows)
        return Whole(encoded, whose, state.read[rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--words", type=int, default=24)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--vocabulary", type=int, default=8_000)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = Transformer(options.vocabulary).eval()
    texts = torch.randint(4, options.vocabulary, (CONTEXTS, SOURCE)).tolist()
    batch = batchify([Observation(Context(str(n)), tuple(t)) for n, t in enumerate(texts)])
    task = Task([str(n) for n in range(CONTEXTS)], START, END, blocked=(PAD, START, UNKNOWN))
    missed = False
    with torch.inference_mode():
        for name, asked in kinds(options.words).items():
            ways = ways_of(model, batch, task=task, asked=asked)
            missed |= compare(name, ways, runs=options.runs, words=options.words) < BAR
    sys.exit(missed)


def kinds(words: int) -> dict[str, SearchOptions]:
    exact = {"min_length": words, "max_length": words}
    return {
        "greedy": SearchOptions(inference="greedy", **exact),
        "beam 5": SearchOptions(inference="beam", beam_size=5, **exact),
    }


Way = Callable[[], list[tuple[int, ...]]]


def ways_of(
    model: Transformer, batch: Batch, *, task: Task, asked: SearchOptions
) -> dict[str, Way]:
    """The two ways as functions that give the best reply of each context."""

    def incremental() -> list[tuple[int, ...]]:
        decoder = ModelDecoder(model)
        state = decoder.begin(model.encode(batch), CONTEXTS, device=CPU)
        found = search(decoder, state, task=task, options=asked)
        return [beam.hypotheses[0].tokens for beam in found]

    def naive() -> list[tuple[int, ...]]:
        decoder = Naive(model)
        state = decoder.begin(model.encode(batch), CONTEXTS)
        found = search(decoder, state, task=task, options=asked)
        return [beam.hypotheses[0].tokens for beam in found]

    return {"incremental": incremental, "naive": naive}


def compare(name: str, ways: dict[str, Way], *, runs: int, words: int) -> float:
    """Print medians and their ratio; runs alternate, so that both meet the same noise."""
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    replies = {}
    for run in range(runs + 1):
        for way, answer in ways.items():
            start = time.perf_counter()
            replies[way] = answer()
            if run:  # the first warms up
                seconds[way].append(time.perf_counter() - start)
    alike = sum(a == b for a, b in zip(*replies.values(), strict=True))
    speed = {way: CONTEXTS * words / statistics.median(spent) for way, spent in seconds.items()}
    ratio = speed["incremental"] / speed["naive"]
    print(
        f"{name}: incremental {speed['incremental']:,.0f} words/s, naive {speed['naive']:,.0f} "
        f"words/s, ratio {ratio:.1f} (bar {BAR:.0f}); {words} words, {CONTEXTS} contexts, one "
        f"thread, median of {runs}; the same replies for {alike} of {CONTEXTS}",
        flush=True,
    )
    return ratio


if __name__ == "__main__":
    main()
