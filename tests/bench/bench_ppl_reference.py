"""The evaluator's ppl against the original's method, for the same word-frequency agent.

Run `python tests/bench/bench_ppl_reference.py [--sandbox process|docker|bubblewrap]`. The original
asked for one word of one example at a time: the agent returned a dictionary from every word to
its weight, Python added the weights of all words, looked the target up and took the logarithm.
It is written here from that description and timed on a sample. Ours runs at ConvAI2's size over
the socket with every check on, with dense rows and with sparse ones, until the last answer is
scored (the original gave no interval). The three must agree on the sample's perplexity.

The bars are on the clock: examples a second of the original's method on the sample, beside ours
over the whole set, the agent's compute included on both sides. Sparse rows are small, so there a
whole turn is one request; smaller batches are measured beside it, without a bar. The intervals
are printed apart, and so is the evaluator's own processor time. The bytes of the dense rows are
also copied once in memory. Status 1 below a bar.
"""

import argparse
import math
import random
import statistics
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from behind import PLACES, behind
from copying import copy_seconds

from harness.dialogue import Dialogue, Example
from harness.evaluation import evaluate
from harness.text import Vocabulary, split_words

WORDS = 19_304
EXAMPLES = 7_801
PER_DIALOGUE = 8
SAMPLE = 24
RUNS = (("dense", 64), ("sparse", 64), ("sparse", 256), ("sparse", 1000))
"""Form of the rows and examples a batch: of 64 dense rows the block stays in the cache."""
BOOST = 10_000.0
BARS = {("dense", 64): 12.0, ("sparse", 1000): 200.0}

AGENT = """
import numpy as np
from harness import eval_ppl
from harness.rows import SparseRows
from harness.text import split_words

class WordFrequency:
    def __init__(self):
        self.row = None
        self.said = {}

    def base_row(self, vocabulary):
        if self.row is None:
            counts = np.arange(len(vocabulary), 0, -1, dtype=np.float64)
            self.row = (counts ** 2 / 1000).astype(np.float32)
        return self.row

    def columns(self, contexts, vocabulary):
        # Of each context the words that were just said, looked up once for all its prefixes.
        if len(self.said) > 10_000:
            self.said.clear()
        for context in contexts:
            if context.id not in self.said:
                said = vocabulary.index.keys() & split_words(context.turns[-1].text)
                columns = sorted(map(vocabulary.index.__getitem__, said))
                self.said[context.id] = np.array(columns, dtype=np.int32)
        return [self.said[context.id] for context in contexts]
"""

DENSE = f"""
    def next_word_probabilities(self, contexts, prefixes, vocabulary):
        rows = np.empty((len(contexts), len(vocabulary)), np.float32)
        rows[:] = self.base_row(vocabulary)
        for row, columns in zip(rows, self.columns(contexts, vocabulary)):
            row[columns] += np.float32({BOOST})
        return rows
"""

SPARSE = f"""
    def next_word_probabilities(self, contexts, prefixes, vocabulary):
        found = self.columns(contexts, vocabulary)
        starts = np.zeros(len(found) + 1, np.int64)
        np.cumsum([len(columns) for columns in found], out=starts[1:])
        columns = np.concatenate(found)
        return SparseRows(starts, columns, self.row[columns] + np.float32({BOOST}))
"""

HIDDEN = AGENT.replace("base_row", "own_row")  # without the method nothing is declared
FORMS = {"dense": HIDDEN + DENSE.replace("base_row", "own_row"), "sparse": AGENT + SPARSE}
END = "\nif __name__ == '__main__':\n    eval_ppl(WordFrequency)\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sandbox", choices=PLACES, default="process")
    parser.add_argument("--examples", type=int, default=EXAMPLES)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    vocabulary = Vocabulary.from_counts({f"w{n}": WORDS - n for n in range(WORDS - 4)})
    dialogues = make_dialogues(options.examples, vocabulary)
    few = make_dialogues(SAMPLE, vocabulary)
    originals: list[Cost] = []
    costs: dict[Run, list[Cost]] = {run: [] for run in RUNS}
    copies: list[float] = []
    for number in range(options.runs):
        originals.append(original(few, vocabulary))
        print(f"run {number + 1}: original {SAMPLE / originals[-1].clock:.1f}/s", end="")
        for run in RUNS:
            small = ask(run, few, vocabulary, place=options.sandbox)
            assert math.isclose(small.value, originals[-1].value, rel_tol=1e-6)
            costs[run].append(ask(run, dialogues, vocabulary, place=options.sandbox))
            rate = options.examples / costs[run][-1].clock
            print(f", {run[0]} {run[1]}: {rate:,.0f}/s", end="", flush=True)
        copies.append(copy_seconds(4 * WORDS * costs[RUNS[0]][-1].words))
        print()
    print(
        f"{options.examples:,} examples, {costs[RUNS[0]][0].words:,} words; the original's method: "
        f"median {SAMPLE / statistics.median(cost.clock for cost in originals):.1f} examples/s"
    )
    met = [told(run, found, originals, examples=options.examples) for run, found in costs.items()]
    copy = statistics.median(copies)
    dense = statistics.median(cost.clock for cost in costs[RUNS[0]])
    print(
        f"dense rows are {costs[RUNS[0]][0].words * WORDS * 4 / 1e9:.2f} GB; a plain memory copy "
        f"of them takes {copy:.2f} s, {copy / dense:.0%} of the dense run's {dense:.2f} s"
    )
    sys.exit(not all(met))


Run = tuple[str, int]


class Cost(NamedTuple):
    """Of one run until its last answer was scored: perplexity, scored words, seconds by the clock
    and of this process's processor time; and the seconds of the intervals after it."""

    value: float
    words: int
    clock: float
    processor: float
    intervals: float = 0.0


def told(run: Run, found: Sequence[Cost], originals: Sequence[Cost], *, examples: int) -> bool:
    """Print the medians of one run; whether its bar is met."""
    times = examples / SAMPLE
    pairs = list(zip(found, originals, strict=True))
    ratios = [theirs.clock * times / ours.clock for ours, theirs in pairs]
    ratio, bar = statistics.median(ratios), BARS.get(run)
    seconds = statistics.median(cost.clock for cost in found)
    own = statistics.median(cost.processor for cost in found) / examples * 1e6
    intervals = statistics.median(cost.intervals for cost in found)
    print(
        f"{run[0]}, batches of {run[1]}: {examples / seconds:,.0f} examples/s, {ratio:.1f} x "
        f"by the clock ({min(ratios):.1f} to {max(ratios):.1f}); the evaluator's own {own:.0f} us "
        f"of {seconds / examples * 1e6:.0f} an example; intervals {intervals:.2f} s more; "
        + (f"bar {bar:.0f} x" if bar else "no bar")
    )
    return bar is None or ratio >= bar


def ask(run: Run, dialogues: list[Dialogue], vocabulary: Vocabulary, *, place: str) -> Cost:
    """What the agent with rows of this form costs, asked in batches of this size."""
    form, batch_size = run
    with behind(place, FORMS[form] + END, "ppl", vocabulary=vocabulary) as agent:
        last = (0.0, 0.0)

        def progress(done: int, total: int | None, /) -> None:
            nonlocal last
            last = (time.perf_counter(), time.process_time())

        clock, processor = time.perf_counter(), time.process_time()
        report = evaluate(
            agent,
            dialogues,
            "ppl",
            vocabulary=vocabulary,
            data_name="bench",
            batch_size=batch_size,
            progress=progress,
        )
        end = time.perf_counter()
    assert report.tokens is not None
    spent = (last[0] - clock, last[1] - processor, end - last[0])
    return Cost(report.score.value, report.tokens, *spent)


def original(dialogues: list[Dialogue], vocabulary: Vocabulary) -> Cost:
    """What the original's method costs, one word at a time."""
    counts = (np.arange(len(vocabulary), 0, -1, dtype=np.float64) ** 2 / 1000).astype(np.float32)
    frequencies = dict(zip(vocabulary.words, map(float, counts), strict=True))
    clock, processor = time.perf_counter(), time.process_time()
    losses = []
    for dialogue in dialogues:
        for example in dialogue.examples:
            for word in split_words(example.replies[0]):
                weights = frequencies_after(frequencies, split_words(example.partner[-1]))
                if word not in frequencies:
                    continue
                total = 0.0
                for key in vocabulary.words:
                    total += weights.get(key, 0.0)
                losses.append(-math.log(weights[word] / total))
    clock, processor = time.perf_counter() - clock, time.process_time() - processor
    return Cost(math.exp(math.fsum(losses) / len(losses)), len(losses), clock, processor)


def frequencies_after(frequencies: dict[str, float], words: Sequence[str]) -> dict[str, float]:
    """The original's agent: all frequencies, those of the words just said raised."""
    weights = dict(frequencies)
    for word in set(words) & weights.keys():
        weights[word] += BOOST
    return weights


def make_dialogues(examples: int, vocabulary: Vocabulary) -> list[Dialogue]:
    """Dialogues of `PER_DIALOGUE` replies of 6 to 18 words, common words more often."""
    rng = random.Random(0)
    known = vocabulary.words[4:]
    weights = [1 / rank for rank in range(1, len(known) + 1)]

    def text(least: int, most: int) -> str:
        return " ".join(rng.choices(known, weights, k=rng.randint(least, most)))

    made = [Example((text(6, 18),), (text(6, 18),)) for _ in range(examples)]
    persona = tuple(text(6, 10) for _ in range(5))
    return [
        Dialogue(str(start), persona=persona, examples=tuple(made[start : start + PER_DIALOGUE]))
        for start in range(0, examples, PER_DIALOGUE)
    ]


if __name__ == "__main__":
    main()
