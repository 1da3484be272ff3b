"""What persona detection adds to the profile of a run on f1, beside the rest of the profile.

Run `python tests/bench/bench_persona.py [--runs N]`. A tally takes in 300 dialogues of eight
answers of some ten words, each with a persona of five sentences of its own. Timed are all that the
profile measures (BLEU, chrF, distinct-n, length; without intervals), then all that looks for the
personas, lineups included, and the likeness of a lineup beside the plain way to write it. Medians
of this process's own time on the processor; status 1 if a bar is missed.
"""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse
import math
import random
import statistics
import sys
import time
from collections.abc import Callable

from harness.dialogue import Dialogue, Example
from harness.metrics.detection import Detection
from harness.metrics.lineups import Crowd, Lineups
from harness.metrics.persona import Persona, Weights, likeness, stems
from harness.metrics.profile import Profile

DIALOGUES = 300
REPLIES = 8
SHARE = 0.35
"""The most that detection may cost, of the rest of the profile."""
TIMES = 8.0
"""How many times as fast as the plain way a lineup is looked at, at least."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    dialogues = made()
    examples = DIALOGUES * REPLIES
    rest = median(lambda: profiled(dialogues), runs=runs) / examples
    own = median(lambda: detected(dialogues), runs=runs) / examples
    met = own <= SHARE * rest
    print(
        f"persona detection: {1e6 * own:.0f} us an example, {own / rest:.2f} of the rest of the "
        f"profile ({1e6 * rest:.0f} us); at most {SHARE}; bar {'met' if met else 'MISSED'}"
    )
    sys.exit(not (looked(dialogues, runs=runs) and met))


def looked(dialogues: list[Dialogue], *, runs: int) -> bool:
    crowd = Crowd.of(dialogues)
    lineups = Lineups(crowd)
    asked = []
    for one in dialogues:
        others = lineups.others(one.persona, name=one.id)
        assert others is not None
        asked.append(([e.replies[0] for e in one.examples], (one.persona, *others)))
    for said, personas in asked[:20]:
        own, plain = (
            likeness(said, personas, weights=crowd.weights),
            plainly(said, personas, crowd.weights),
        )
        assert all(math.isclose(a, b) for a, b in zip(own, plain, strict=True))
    fast = median(lambda: [likeness(s, p, weights=crowd.weights) for s, p in asked], runs=runs)
    slow = median(lambda: [plainly(s, p, crowd.weights) for s, p in asked], runs=runs)
    met = slow >= TIMES * fast
    print(
        f"likeness: {1e6 * fast / len(asked):.0f} us a lineup of 20, {slow / fast:.1f} x as fast "
        f"as the plain way; at least {TIMES}; bar {'met' if met else 'MISSED'}"
    )
    return met


def made() -> list[Dialogue]:
    """Talks in words whose frequencies fall as those of a language do."""
    rng = random.Random(0)
    words = [f"{rng.getrandbits(30):x}w" for _ in range(4000)]
    weights = [1 / (rank + 5) for rank in range(len(words))]

    def text(least: int, most: int) -> str:
        return " ".join(rng.choices(words, weights, k=rng.randint(least, most)))

    return [
        Dialogue(
            str(number),
            tuple(text(5, 10) for _ in range(5)),
            (),
            tuple(Example(("hi",), (text(5, 15),)) for _ in range(REPLIES)),
        )
        for number in range(DIALOGUES)
    ]


def profiled(dialogues: list[Dialogue]) -> None:
    profile = Profile()
    for place, one in enumerate(dialogues):
        for example, given in zip(one.examples, reversed(one.examples), strict=True):
            profile.add(place, example.replies[0], replies=given.replies)


def detected(dialogues: list[Dialogue]) -> None:
    detection = Detection()
    for place, one in enumerate(dialogues):
        for example in one.examples:
            detection.add(place, example.replies[0], dialogue=one)
    assert len(list(detection.found())) == DIALOGUES


def plainly(said: list[str], personas: tuple[Persona, ...], weights: Weights) -> list[float]:
    """The rule by the letter: one pair of texts at a time."""
    return [
        math.fsum(max(overlap(sentence, reply, weights) for reply in said) for sentence in persona)
        for persona in personas
    ]


def overlap(sentence: str, reply: str, weights: Weights) -> float:
    one, other = stems(sentence), stems(reply)
    shared: int = sum(map(weights.of_stem, one & other))
    return shared**2 / (len(one) * len(other))


def median(task: Callable[[], object], *, runs: int) -> float:
    seconds = []
    for _ in range(runs):
        start = time.process_time()
        task()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
