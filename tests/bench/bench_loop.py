"""The harness's own cost of an example, in this process and over the socket, at ConvAI2's size.

Run `python tests/bench/bench_loop.py [--dialogues N] [--runs N]`. The agents answer from what was
made beforehand, and what they take is measured in the same run and taken off. Beside each run the
same examples are written as JSON and read again, for a ratio: what any harness pays that keeps
its agent apart. The bar is on asking, checking, scoring and adding up; the intervals, drawn once
at the end of a report, cost by the dialogue, have a bar of their own and are printed apart. At the
end: in whose modules the time goes. Status 1 if a median is above its bar.
"""

import argparse
import cProfile
import json
import os
import pstats
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from behind import behind

from harness.agent import Track
from harness.dialogue import Context, Dialogue, Example
from harness.evaluation import evaluate
from harness.report import Report

DIALOGUES = 1_000
CANDIDATES = 20
BARS = {"in-process": 40e-6, "remote": 80e-6}
"""Seconds an example."""

AGENT = """
import time
import numpy as np

class Prepared:
    def __init__(self):
        self.seconds = 0.0
        self.scores = np.random.default_rng(0).random((4096, 20)).tolist()
        self.replies = ["i like to walk my two dogs in the park , you ?"] * 4096

    def score_candidates(self, contexts, candidates):
        start = time.perf_counter()
        answer = self.scores[: len(contexts)]
        self.seconds += time.perf_counter() - start
        return answer

    def respond(self, contexts):
        start = time.perf_counter()
        answer = self.replies[: len(contexts)]
        self.seconds += time.perf_counter() - start
        return answer
"""
TRACK_FILE = """
import atexit, pathlib
import harness
{agent}
def make():
    agent = Prepared()
    atexit.register(lambda: pathlib.Path({seconds!r}).write_text(str(agent.seconds)))
    return agent

harness.eval_{track}(make)
"""


@dataclass(frozen=True)
class Figure:
    """Seconds an example: of a run without its agent, of its intervals, of plain JSON beside it."""

    own: float
    intervals: float
    floor: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dialogues", type=int, default=DIALOGUES)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    dialogues = make_dialogues(options.dialogues)
    missed = False
    for track in ("hits", "f1"):
        for place, bar in BARS.items():
            measured = here if place == "in-process" else there
            figures = [measured(dialogues, track) for _ in range(options.runs)]
            own = statistics.median(figure.own for figure in figures)
            floor = statistics.median(figure.floor for figure in figures)
            missed |= own > bar
            print(
                f"{track:<5}{place:<11} median {own * 1e6:5.1f} us an example of {options.runs} "
                f"runs ({min(f.own for f in figures) * 1e6:.1f} at best), and intervals "
                f"{statistics.median(f.intervals for f in figures) * 1e6:.1f}; JSON there and back "
                f"{floor * 1e6:.1f} us, ratio {own / floor:.2f}; bar {bar * 1e6:.0f} us",
                flush=True,
            )
    for track in ("hits", "f1"):
        print(f"{track:<5}in-process, own time by module: {shares(dialogues, track)}")
    print(f"{sum(len(d.examples) for d in dialogues):,} examples; {os.cpu_count()} cores here")
    sys.exit(missed)


def make_dialogues(count: int, *, seed: int = 0) -> list[Dialogue]:
    """Dialogues of 5 persona sentences and 7 or 8 replies, 20 candidates of about 11 words each.

    The distractors are other dialogues' replies, as in ConvAI2.
    """
    rng = random.Random(seed)
    words = ["".join(rng.choices("abcdefghijklmnopqrst", k=rng.randint(1, 7))) for _ in range(8000)]
    words += ["the", "a", ".", ",", "i'm", "?"] * 300

    def text(low: int, high: int) -> str:
        return " ".join(rng.choices(words, k=rng.randint(low, high)))

    sizes = [rng.choice((7, 8, 8, 8, 8)) for _ in range(count)]
    replies = [text(7, 15) for _ in range(sum(sizes))]
    unused = iter(replies)

    def example() -> Example:
        reply = next(unused)
        return Example((text(7, 15),), (reply,), (*rng.sample(replies, CANDIDATES - 1), reply))

    return [
        Dialogue(
            str(number),
            persona=tuple(text(5, 10) for _ in range(5)),
            examples=tuple(example() for _ in range(size)),
        )
        for number, size in enumerate(sizes)
    ]


def here(dialogues: Sequence[Dialogue], track: Track) -> Figure:
    """One run in this process, as by hand."""
    agent = prepared()
    clock = Clock()
    report = evaluate(agent, dialogues, track, schedule="refill", progress=clock)
    return clock.figure(report, agent.seconds, floor=floor_seconds(dialogues, track))


def there(dialogues: Sequence[Dialogue], track: Track) -> Figure:
    """One run over the socket, as in a sandbox; from the first question to the report."""
    with tempfile.TemporaryDirectory() as folder:
        took = Path(folder) / "seconds"
        text = TRACK_FILE.format(agent=AGENT, track=track, seconds=str(took))
        with behind("process", text, track) as agent:
            clock = Clock()
            report = evaluate(agent, dialogues, track, progress=clock)
        seconds = float(took.read_text())
        return clock.figure(report, seconds, floor=floor_seconds(dialogues, track))


class Clock:
    """Knows when the last batch was answered: what follows are the intervals."""

    def __init__(self) -> None:
        self.start = self.answered = time.perf_counter()

    def __call__(self, done: int, total: int | None) -> None:
        self.answered = time.perf_counter()

    def figure(self, report: Report, agent_seconds: float, *, floor: float) -> Figure:
        """The figures of a run of which the agent took `agent_seconds`."""
        asking = self.answered - self.start - agent_seconds
        intervals = report.seconds + self.start - self.answered
        count = report.score.n
        return Figure(asking / count, max(intervals, 0.0) / count, floor / count)


def prepared():  # type: ignore[no-untyped-def]  # a class made from the text above
    names: dict[str, type] = {}
    exec(compile(AGENT, "agent", "exec"), names)
    return names["Prepared"]()


def floor_seconds(dialogues: Sequence[Dialogue], track: Track) -> float:
    """Seconds to write each example's context (and candidates) as JSON and read it again."""
    contexts: list[tuple[Context, Sequence[str]]] = [
        (dialogue.context(turn, context_id="0" * 32), example.candidates)
        for dialogue in dialogues
        for turn, example in enumerate(dialogue.examples)
    ]
    start = time.perf_counter()
    for context, candidates in contexts:
        turns = [(turn.speaker, turn.text) for turn in context.turns]
        document = {"id": context.id, "persona": context.persona, "turns": turns}
        if track == "hits":
            document["candidates"] = candidates
        json.loads(json.dumps(document))
    return time.perf_counter() - start


def shares(dialogues: Sequence[Dialogue], track: Track) -> str:
    """Where a run in this process spends its time: each module's own share, by the profiler."""
    profile = cProfile.Profile()
    agent = prepared()
    profile.runcall(evaluate, agent, dialogues, track, schedule="refill")
    spent: Counter[str] = Counter()
    for (file, _, function), row in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]  # typeshed has no stats
        module = Path(file).stem if "harness" in file else "built-in and library"
        spent[module if file != "~" else _builtin(function)] += row[2]
    whole = sum(spent.values())
    return ", ".join(f"{name} {value / whole:.0%}" for name, value in spent.most_common(10))


def _builtin(function: str) -> str:
    for name in ("hmac", "shake", "json", "encode", "sorted", "sub", "split", "numpy"):
        if name in function:
            return f"<{name}>"
    return "<other built-in>"


if __name__ == "__main__":
    np.seterr(all="raise")
    main()
