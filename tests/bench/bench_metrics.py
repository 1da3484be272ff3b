"""What the metrics and their statistics cost on one core, each beside the plain way to write it.

Run `python tests/bench/bench_metrics.py [--runs N]`. Timed are F1 of fresh strings (both sides
normalised), the rank of a reply among 20 candidates, the intervals of three metrics over 1,000
dialogues, and the comparison of two runs. The plain ways are three regular expressions and two
counters a pair, 20 normalised candidates, and a Python loop over resamples (of which fewer are
timed, and scaled). Medians of this process's own time on the processor, so that what else the
machine does counts little; status 1 if a bar is missed.
"""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse
import random
import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.comparison import compare
from harness.metrics import f1, hits
from harness.metrics.catalogue import CATALOGUE
from harness.report import Report, Score, Total
from harness.statistics import Rows, estimates
from harness.text import answer_words

PAIRS = 20_000
ASKED = 5_000
CANDIDATES = 20
DIALOGUES = 1000
RESAMPLES = 10_000
PLAIN_RESAMPLES = 200

PUNCTUATION = re.compile(r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]")
ARTICLES = re.compile(r"\b(?:a|an|the)\b")
SPEECH = (
    "i you the a an my to do like have is it what are that in of for love your am and not cool "
    "so me don't with how work just music dogs live about no really play was can it's good but "
    "there cats watch enjoy family that's sounds movies cooking summer vegetarian basketball"
)


@dataclass(frozen=True)
class Figure:
    """One line of the result: `seconds` for `count` things, the plain way's for as many."""

    name: str
    text: str
    seconds: float
    plain: float
    met: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    found = [overlap(runs), ranks(runs), intervals(runs), comparison(runs)]
    for figure in found:
        ratio = figure.plain / figure.seconds
        verdict = "met" if figure.met else "MISSED"
        print(
            f"{figure.name}: {figure.text}; {ratio:.1f} x as fast as the plain way; bar {verdict}"
        )
    sys.exit(not all(figure.met for figure in found))


def overlap(runs: int) -> Figure:
    rng = random.Random(0)
    pairs = [(sentence(rng), sentence(rng)) for _ in range(PAIRS)]
    assert all(f1.measure(a, replies=[b]) == plain_f1(a, b) for a, b in pairs[:1000])
    cached = [(a, answer_words(b)) for a, b in pairs]
    own = median(lambda: [f1.overlap(a, replies=(b,)) for a, b in pairs], runs=runs)
    known = median(lambda: [f1.of_words(answer_words(a), b) for a, b in cached], runs=runs)
    plain = median(lambda: [plain_f1(a, b) for a, b in pairs], runs=runs)
    rate = PAIRS / own
    return Figure(
        "F1",
        f"{rate:,.0f} pairs/s, both sides fresh ({PAIRS / known:,.0f} with the label's words "
        f"kept); plain {PAIRS / plain:,.0f}; at least 150,000",
        own,
        plain,
        rate >= 150_000,
    )


def ranks(runs: int) -> Figure:
    rng = random.Random(1)
    asked = []
    for _ in range(ASKED):
        candidates = [sentence(rng) for _ in range(CANDIDATES)]
        scores = np.array([rng.random() for _ in candidates])
        asked.append((scores, candidates, (rng.choice(candidates),)))
    assert all(hits.rank(s, candidates=c, replies=r) == plain_rank(s, c, r) for s, c, r in asked)
    own = median(
        lambda: [hits.gain(hits.rank(s, candidates=c, replies=r)) for s, c, r in asked], runs=runs
    )
    plain = median(lambda: [plain_rank(s, c, r) for s, c, r in asked], runs=runs)
    each = own / ASKED * 1e6
    return Figure(
        "hits",
        f"{each:.1f} us an example to rank the reply among {CANDIDATES} candidates; "
        f"plain {plain / ASKED * 1e6:.1f} us; at most 15",
        own,
        plain,
        each <= 15,
    )


def intervals(runs: int) -> Figure:
    rng = np.random.default_rng(2)
    sizes = rng.integers(5, 12, size=DIALOGUES).astype(float)
    names = ("hits@1", "f1", "ppl")
    rows = [
        Rows(CATALOGUE[name], np.stack([rng.random(DIALOGUES) * sizes, sizes], axis=1))
        for name in names
    ]
    own = median(lambda: estimates(rows, n=int(sizes.sum()), resamples=RESAMPLES), runs=runs)
    plain = median(lambda: plain_intervals(rows), runs=1) * RESAMPLES / PLAIN_RESAMPLES
    return Figure(
        "intervals",
        f"{own:.2f} s for {RESAMPLES:,} resamples of {DIALOGUES:,} dialogues, three metrics; "
        f"plain {plain:.1f} s; at most 2 s",
        own,
        plain,
        own <= 2,
    )


def comparison(runs: int) -> Figure:
    rng = np.random.default_rng(3)
    sizes = rng.integers(5, 12, size=DIALOGUES)
    one, other = (report(rng.binomial(sizes, rate), sizes) for rate in (0.5, 0.52))
    own = median(lambda: compare(one, other, resamples=RESAMPLES), runs=runs)
    plain = median(lambda: plain_comparison(one, other), runs=1) * RESAMPLES / PLAIN_RESAMPLES
    return Figure(
        "comparison",
        f"{own:.2f} s for {RESAMPLES:,} resamples and as many exchanges of {DIALOGUES:,} "
        f"dialogues; plain {plain:.1f} s; at most 2 s",
        own,
        plain,
        own <= 2,
    )


def sentence(rng: random.Random) -> str:
    """About 46 characters, as a reply of Persona-Chat has."""
    words = rng.choices(SPEECH.split(), k=rng.randint(5, 15))
    return " ".join(words).capitalize() + rng.choice([".", " .", "!", "?", ""])


def median(task: Callable[[], object], *, runs: int) -> float:
    seconds = []
    for _ in range(runs):
        start = time.process_time()
        task()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds)


def plain_words(text: str) -> list[str]:
    return ARTICLES.sub(" ", PUNCTUATION.sub(" ", text.lower())).split()


def plain_f1(reply: str, label: str) -> float:
    words, wanted = plain_words(reply), plain_words(label)
    common = (Counter(words) & Counter(wanted)).total()
    if common == 0:
        return 0.0
    precision, recall = common / len(words), common / len(wanted)
    return 2 * precision * recall / (precision + recall)


def plain_rank(scores: np.ndarray, candidates: list[str], replies: tuple[str, ...]) -> int | None:
    wanted = {" ".join(plain_words(reply)) for reply in replies}
    known = [" ".join(plain_words(text)) in wanted for text in candidates]
    order = np.argsort(-scores, kind="stable").tolist()
    return next((rank for rank, place in enumerate(order, 1) if known[place]), None)


def plain_intervals(rows: list[Rows]) -> None:
    rng = random.Random(0)
    tables = [totals.tolist() for _, totals in rows]
    for _ in range(PLAIN_RESAMPLES):
        drawn = rng.choices(range(DIALOGUES), k=DIALOGUES)
        for table in tables:
            sum(table[place][0] for place in drawn) / sum(table[place][1] for place in drawn)


def plain_comparison(one: Report, other: Report) -> None:
    rng = random.Random(0)
    pairs = [
        ((a.value, a.weight), (b.value, b.weight))
        for a, b in zip(one.totals, other.totals, strict=True)
    ]
    for _ in range(PLAIN_RESAMPLES):
        plain_difference([rng.choice(pairs) for _ in pairs])
        plain_difference([pair[::-1] if rng.random() < 0.5 else pair for pair in pairs])


def plain_difference(pairs: list[tuple[tuple[float, float], tuple[float, float]]]) -> float:
    means = [sum(pair[i][0] for pair in pairs) / sum(pair[i][1] for pair in pairs) for i in (0, 1)]
    return means[0] - means[1]


def report(values: np.ndarray, sizes: np.ndarray) -> Report:
    return Report(
        track="hits",
        score=Score(0.0, 0.0, 0.0, n=int(sizes.sum())),
        signature="track:hits|data:bench",
        totals=tuple(Total(float(v), float(n)) for v, n in zip(values, sizes, strict=True)),
    )


if __name__ == "__main__":
    main()
