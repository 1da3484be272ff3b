"""The evaluator's own cost of ppl at ConvAI2's size, over the socket, with all checks.

Run `python tests/bench/bench_ppl_wire.py [--words N] [--runs N]`. The agent returns one block made
beforehand, so what is timed is everything but an agent's compute: requests, inside loop, socket,
checks, losses, report. Beside each run the same bytes are copied once in memory, for a ratio.
Status 1 if the median is above the limit.
"""

import argparse
import os
import random
import statistics
import sys

from behind import behind
from copying import copy_seconds

from harness.dialogue import Dialogue, Example
from harness.evaluation import evaluate
from harness.text import Vocabulary

VOCABULARY = 19_304
WORDS = 100_000
LIMIT_SECONDS = 10.0
TURNS = 8

TRACK_FILE = """
import numpy as np
from harness import eval_ppl

class Constant:
    def __init__(self):
        self.block = np.full((0, 0), 0.0, np.float32)

    def next_word_probabilities(self, contexts, prefixes, vocabulary):
        if len(self.block) < len(contexts):
            rows = np.random.default_rng(0).random((len(contexts), len(vocabulary)), np.float32)
            self.block = rows + np.float32(1e-6)
        return self.block[: len(contexts)]

if __name__ == "__main__":
    eval_ppl(Constant)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--words", type=int, default=WORDS)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    vocabulary = Vocabulary.from_counts({f"w{n}": VOCABULARY - n for n in range(VOCABULARY - 4)})
    dialogues = make_dialogues(options.words, vocabulary)
    seconds, copies = [], []
    for run in range(options.runs):
        with behind("process", TRACK_FILE, "ppl", vocabulary=vocabulary) as agent:
            report = evaluate(agent, dialogues, "ppl", vocabulary=vocabulary)
        assert report.tokens == options.words
        seconds.append(report.seconds)
        copies.append(copy_seconds(4 * VOCABULARY * options.words))
        print(f"run {run + 1}: {seconds[-1]:.2f} s, plain copy {copies[-1]:.2f} s", flush=True)
    median, copy = statistics.median(seconds), statistics.median(copies)
    gigabytes = options.words * VOCABULARY * 4 / 1e9
    print(
        f"ppl over the socket: median {median:.2f} s of {options.runs} for {options.words:,} words "
        f"x {VOCABULARY:,} float32 = {gigabytes:.2f} GB ({gigabytes / median:.2f} GB/s); "
        f"{median / copy:.1f} x a plain memory copy ({copy:.2f} s); "
        f"limit {LIMIT_SECONDS:.0f} s on two cores ({os.cpu_count()} here)"
    )
    sys.exit(median > LIMIT_SECONDS)


def make_dialogues(words: int, vocabulary: Vocabulary) -> list[Dialogue]:
    """Dialogues of `TURNS` replies of 5 to 20 words each, `words` in all."""
    rng = random.Random(0)
    known = vocabulary.words[4:]
    persona = tuple(" ".join(rng.choices(known, k=8)) for _ in range(5))
    examples: list[Example] = []
    while words:
        reply = rng.choices(known, k=min(words, rng.randint(5, 20)))
        words -= len(reply)
        prompt = " ".join(rng.choices(known, k=12))
        examples.append(Example(partner=(prompt,), replies=(" ".join(reply),)))
    return [
        Dialogue(str(start), persona=persona, examples=tuple(examples[start : start + TURNS]))
        for start in range(0, len(examples), TURNS)
    ]


if __name__ == "__main__":
    main()
