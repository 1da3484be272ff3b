"""seq2seq in two ratios: ppl word by word against all at once, a beam of 5 against greedy search.

Run `python tests/bench/bench_seq2seq.py [--dialogues N] [--runs N]`. The baseline's model at its
full size, with weights as they are drawn and talks of random words of usual lengths; one thread.

ppl: the batched protocol, over the socket with all checks, asks for the distribution before each
word of the replies; teacher-forced, the same model reads whole replies at once and gives only
the likelihood of their words (and ends, which are not counted). Both begin with the dialogues. The
bar: the protocol has at least half the words a second.
Beam: replies of exactly 12 words to the same contexts, by the processor's time. The bar: at most
4 times greedy's. Status 1 if one is missed.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from behind import behind

from harness.dialogue import Dialogue, Example
from harness.evaluation import evaluate
from harness.text import Vocabulary
from harness.torch.generation.options import SearchOptions
from harness.torch.learning import examples, validate
from harness.torch.vectors import learn_words

SEQ2SEQ = Path(__file__).parents[2] / "baselines" / "seq2seq"
VOCABULARY, TURNS, LENGTH = 4_400, 4, 12
FORCED_BAR, BEAM_BAR = 0.5, 4.0

TRACK_FILE = """
import sys
from pathlib import Path
sys.path.insert(0, {folder!r})
import torch
torch.set_num_threads(1)
from agent import make_agent
from harness import eval_ppl

if __name__ == "__main__":
    eval_ppl(lambda: make_agent(Path({checkpoint!r})))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dialogues", type=int, default=64)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    dialogues = make_dialogues(options.dialogues)
    agent = make_agent(dialogues)
    missed = protocol(agent, dialogues, runs=options.runs) < FORCED_BAR
    missed |= beam(agent, dialogues, runs=options.runs) > BEAM_BAR
    sys.exit(missed)


def make_dialogues(count: int) -> list[Dialogue]:
    """Talks of `TURNS` examples, replies of 5 to 20 words, five persona sentences."""
    rng = random.Random(0)
    known = [f"w{n}" for n in range(VOCABULARY)]

    def text(least: int, most: int) -> str:
        return " ".join(rng.choices(known, k=rng.randint(least, most)))

    return [
        Dialogue(
            str(number),
            persona=tuple(text(5, 10) for _ in range(5)),
            examples=tuple(Example((text(8, 16),), (text(5, 20),)) for _ in range(TURNS)),
        )
        for number in range(count)
    ]


def make_agent(dialogues: list[Dialogue]) -> Any:  # Any: of a submission folder
    """An untrained agent that knows all words."""
    module = load("agent")
    every = Dialogue("all", persona=(" ".join(f"w{n}" for n in range(VOCABULARY)),))
    options = module.Seq2SeqOptions(batch_size=64)
    return module.Seq2SeqAgent(learn_words([*dialogues, every], options=options.text), options)


def load(name: str) -> ModuleType:
    sys.path.insert(0, str(SEQ2SEQ))
    return __import__(name)


def protocol(agent: Any, dialogues: list[Dialogue], *, runs: int) -> float:  # Any: as above
    """The words a second of the protocol, over those of teacher forcing."""
    vocabulary = Vocabulary.build(dialogues)
    with tempfile.TemporaryDirectory() as folder:
        agent.save(Path(folder) / "checkpoint")
        code = TRACK_FILE.format(folder=str(SEQ2SEQ), checkpoint=f"{folder}/checkpoint")

        asked: list[float] = []
        forced: list[float] = []
        with behind("process", code, "ppl", vocabulary=vocabulary) as remote:
            evaluate(remote, dialogues[:8], "ppl", vocabulary=vocabulary)  # warms up
            for _ in range(runs):  # in turns, so that both meet the same noise
                report = evaluate(remote, dialogues, "ppl", vocabulary=vocabulary)
                asked.append(report.seconds)
                forced.append(seconds(lambda: validate(agent, examples(agent, dialogues))))
    tokens = report.tokens or 0
    speeds = tokens / statistics.median(asked), tokens / statistics.median(forced)
    ratio = speeds[0] / speeds[1]
    print(
        f"ppl: protocol {speeds[0]:,.0f} words/s, teacher-forced {speeds[1]:,.0f} words/s, ratio "
        f"{ratio:.2f} (bar {FORCED_BAR}); {tokens:,} words, {len(vocabulary):,} in the "
        f"dictionary, one thread, median of {runs}",
        flush=True,
    )
    return ratio


def beam(agent: Any, dialogues: list[Dialogue], *, runs: int) -> float:  # Any: as above
    """A beam's time over greedy's."""
    contexts = [talk.context(3, context_id=talk.id) for talk in dialogues[:32]]
    spent: dict[str, list[float]] = {"greedy": [], "beam": []}
    for run in range(runs + 1):
        for kind, times in spent.items():
            search = SearchOptions(inference=kind, min_length=LENGTH, max_length=LENGTH)  # type: ignore[arg-type]  # one of its values
            agent.options = replace(agent.options, search=search)
            took = seconds(lambda: agent.respond(contexts), clock=time.process_time)
            if run:  # the first warms up
                times.append(took)
    greedy, wide = (statistics.median(times) for times in spent.values())
    print(
        f"beam of 5: {wide * 1e3:.0f} ms, greedy {greedy * 1e3:.0f} ms for {len(contexts)} replies "
        f"of {LENGTH} words: {wide / greedy:.1f} times (bar {BEAM_BAR:.0f}), median of {runs}"
    )
    return wide / greedy


def seconds(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """How long it takes by a clock."""
    start = clock()
    work()
    return clock() - start


if __name__ == "__main__":
    main()
