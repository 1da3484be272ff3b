"""What a submission waits for when its agent is empty: from accepted to scored, three tracks.

Run `python tests/bench/bench_attempt.py [--sandbox docker|bubblewrap] [--runs N]`. Site, broker and
database are the embedded default, worker and beat the real processes with the real periods; the
hidden set has 1,000 examples, the agent computes nothing. Each run is another team's first
submission, so its tree is fetched and its preflight held. One line a run says where the seconds
went. Status 1 if the median is above the limit.
"""

import argparse
import os
import statistics
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integration"))
from stage import PERIODS, Stage, good

from harness.data import fbdialog, sample
from harness.dialogue import Dialogue
from leaderboard import hints, ledger
from leaderboard.states import Queue, State
from worker.sandbox.choose import pick

LIMIT_SECONDS = 15.0
EXAMPLES = 1_000

AGENT = """\
import numpy as np

class Agent:
    def respond(self, contexts):
        return ["hello" for _ in contexts]

    def score_candidates(self, contexts, candidates):
        return [[0.0] * len(row) for row in candidates]

    def next_word_probabilities(self, contexts, prefixes, vocabulary):
        return np.ones((len(contexts), len(vocabulary)), dtype=np.float32)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sandbox", choices=["docker", "bubblewrap"], default=None)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    sandbox = options.sandbox or pick()
    with tempfile.TemporaryDirectory(prefix="rostrum-bench-") as folder:
        seconds = _measured(Path(folder) / "stage", sandbox, runs=options.runs)
    median = statistics.median(seconds)
    print(f"median of {len(seconds)}: {median:.1f} s (limit {LIMIT_SECONDS:g} s)")
    sys.exit(median > LIMIT_SECONDS)


def _measured(base: Path, sandbox: str, *, runs: int) -> list[float]:
    stage = Stage.build(base, sandbox, load=20.0, batch=20.0)
    for period in PERIODS:
        stage.variables.pop(period, None)
    stage.rostrum("worker", "--prepare", "--sandbox", sandbox)
    examples = _import_hidden(stage)
    print(f"{sandbox}: 3 tracks of {examples} examples, {os.cpu_count()} cores")
    os.environ["ROSTRUM_HOME"] = stage.variables["ROSTRUM_HOME"]
    try:
        stage.start("worker")
        stage.start("beat")
        return [_run(stage, number) for number in range(runs)]
    finally:
        stage.close()


def _import_hidden(stage: Stage) -> int:
    """The hidden set of this many examples, in the place of the stage's small one."""
    made, chosen, count = sample.make(7), list[Dialogue](), 0
    for dialogue in (*made.test, *made.valid):
        if count < EXAMPLES:
            chosen.append(dialogue)
            count += len(dialogue.examples)
    file = stage.base / "data" / "thousand.txt"
    fbdialog.write(file, chosen)
    stage.rostrum("admin", "data", "import", str(file), "--role", "test", "--hidden")
    return count


def _run(stage: Stage, number: int) -> float:
    """One submission; prints what its states took, in seconds, and returns their sum."""
    team = stage.team(f"team-{number}", good("hits", "f1", "ppl", agent=AGENT))
    attempt = stage.submit(team)
    hints.send(Queue.PREFLIGHT, attempt)  # as the site does
    end = stage.wait(attempt, State.SCORED, State.FAILED)
    assert end is State.SCORED, stage.shown(attempt)["verdict"]
    moments = ledger.timeline(stage.db, attempt)
    spans = [
        f"{before.target.value} {(after.at - before.at).total_seconds():.2f}"
        for before, after in pairwise(moments)
    ]
    total = (moments[-1].at - moments[0].at).total_seconds()
    print(f"  {total:.2f} s: {', '.join(spans)}", flush=True)
    return total


if __name__ == "__main__":
    main()
