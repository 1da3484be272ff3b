"""The evaluator's ppl against the original's method, for the same word-frequency agent.

Run `python tests/bench/bench_ppl_reference.py [--sandbox process|docker|bubblewrap]`. The original
asked for one word of one example at a time: the agent returned a dictionary from every word to
its weight, Python added the weights of all words, looked the target up and took the logarithm.
It is written here from that description and timed on a sample. Ours runs at ConvAI2's size over
the socket with every check on, with dense rows and with sparse ones, until the last answer is
scored (the original gave no interval). The three must agree on the sample's perplexity.

The dense bar is on the clock, the agent's compute included on both sides. The sparse bar is on
the evaluator's own cost, in processor time on both sides; the clock's ratio, with the inside and
the agent in it, is printed beside it. The bytes of the dense rows are also copied once in memory.
Status 1 below a bar.
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

from harness.dialogue import Dialogue, Example
from harness.evaluation import evaluate
from harness.text import Vocabulary, split_words

WORDS = 19_304
EXAMPLES = 7_801
PER_DIALOGUE = 8
SAMPLE = 24
BATCH = {"dense": 64, "sparse": 1000}
"""Dense rows of 64 stay in the cache; sparse ones are small, so a whole turn is one request."""
BOOST = 10_000.0
BARS = {"dense": 12.0, "sparse": 200.0}
BLOCK_BYTES = 256 << 20

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

    def columns(self, context, vocabulary):
        if context.id not in self.said:
            if len(self.said) > 1000:
                self.said.clear()
            words = split_words(context.turns[-1].text)
            known = {vocabulary.index[word] for word in words if word in vocabulary.index}
            columns = np.array(sorted(known), dtype=np.int32)
            self.said[context.id] = columns, self.row[columns] + np.float32(BOOST)
        return self.said[context.id]
""".replace("BOOST", str(BOOST))

DENSE = """
    def next_word_probabilities(self, contexts, prefixes, vocabulary):
        rows = np.empty((len(contexts), len(vocabulary)), np.float32)
        rows[:] = self.base_row(vocabulary)
        for row, context in zip(rows, contexts):
            columns, weights = self.columns(context, vocabulary)
            row[columns] = weights
        return rows
"""

SPARSE = """
    def next_word_probabilities(self, contexts, prefixes, vocabulary):
        found = [self.columns(context, vocabulary) for context in contexts]
        starts = np.zeros(len(found) + 1, np.int64)
        np.cumsum([len(columns) for columns, _ in found], out=starts[1:])
        columns, weights = (np.concatenate(parts) for parts in zip(*found))
        return SparseRows(starts, columns, weights)
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
    costs: dict[str, list[Cost]] = {form: [] for form in FORMS}
    copies: list[float] = []
    for run in range(options.runs):
        originals.append(original(few, vocabulary))
        print(f"run {run + 1}: original {SAMPLE / originals[-1].clock:.1f}/s", end="", flush=True)
        for form in FORMS:
            small = ask(form, few, vocabulary, place=options.sandbox)
            assert math.isclose(small.value, originals[-1].value, rel_tol=1e-6)
            costs[form].append(ask(form, dialogues, vocabulary, place=options.sandbox))
            clock = options.examples / costs[form][-1].clock
            own = options.examples / costs[form][-1].processor
            print(f", {form} {clock:,.0f}/s (own {own:,.0f}/s)", end="", flush=True)
        copies.append(copy_seconds(costs["dense"][-1].words))
        print()
    met = [told(form, found, originals, examples=options.examples) for form, found in costs.items()]
    words, copy = costs["dense"][0].words, statistics.median(copies)
    dense = statistics.median(cost.clock for cost in costs["dense"])
    print(
        f"dense rows are {words * WORDS * 4 / 1e9:.2f} GB; a plain memory copy of them takes "
        f"{copy:.2f} s, {copy / dense:.0%} of the dense run's {dense:.2f} s"
    )
    sys.exit(not all(met))


class Cost(NamedTuple):
    """Of one run until its last answer was scored: perplexity, scored words, seconds by the clock
    and of this process's processor time."""

    value: float
    words: int
    clock: float
    processor: float


def told(form: str, found: Sequence[Cost], originals: Sequence[Cost], *, examples: int) -> bool:
    """Print one form's medians; whether its bar is met."""
    times = examples / SAMPLE
    pairs = list(zip(found, originals, strict=True))
    clock = statistics.median(theirs.clock * times / ours.clock for ours, theirs in pairs)
    own = statistics.median(theirs.processor * times / ours.processor for ours, theirs in pairs)
    each = statistics.median(cost.processor for cost in found) / examples * 1e6
    rate = SAMPLE / statistics.median(cost.clock for cost in originals)
    print(
        f"{form}, batches of {BATCH[form]}: {examples:,} examples, {found[0].words:,} words; "
        f"{clock:.1f} x the original's method by the clock ({rate:.1f} examples/s); "
        f"the evaluator's own cost {each:.0f} us an example, {own:.0f} x; "
        f"bar {BARS[form]:.0f} {'by the clock' if form == 'dense' else 'for its own cost'}"
    )
    return (clock if form == "dense" else own) >= BARS[form]


def ask(form: str, dialogues: list[Dialogue], vocabulary: Vocabulary, *, place: str) -> Cost:
    """What the agent with rows of this form costs."""
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
            batch_size=BATCH[form],
            progress=progress,
        )
    assert report.tokens is not None
    return Cost(report.score.value, report.tokens, last[0] - clock, last[1] - processor)


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


def copy_seconds(words: int) -> float:
    """Seconds to copy the dense rows' bytes in memory, in blocks too large for the caches."""
    source = np.full(BLOCK_BYTES, 1, np.uint8)
    target = np.full(BLOCK_BYTES, 2, np.uint8)
    rest = words * WORDS * 4
    start = time.perf_counter()
    while rest > 0:
        count = min(rest, BLOCK_BYTES)
        np.copyto(target[:count], source[:count])
        rest -= count
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
