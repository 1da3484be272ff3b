"""What a sandbox costs an agent that computes: the same torch agent in this process and in a cell.

Run `python tests/bench/bench_sandbox_wall.py [--sandbox process|docker|bubblewrap ...]`. A small
transformer ranks 20 candidates for each of 1,000 dialogues, on one thread everywhere. The time is
`evaluate`'s, so start-up is apart. Runs are interleaved; the ratio is that of each run to the run
in this process beside it, and its median has the bar. Status 1 above it.
"""

import argparse
import os
import random
import statistics
import sys

os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OMP_WAIT_POLICY="PASSIVE")

from behind import PLACES, behind  # threads are counted when torch is imported

from harness.dialogue import Dialogue, Example  # likewise
from harness.evaluation import evaluate  # likewise
from harness.report import Report  # likewise

DIALOGUES = 1_000
TURNS = 2
CANDIDATES = 20
BAR = 1.05

TRACK_FILE = """
import torch
from harness import eval_hits

class Ranker:
    def __init__(self):
        torch.manual_seed(0)
        torch.set_num_threads(1)
        self.words = torch.nn.Embedding(5000, 96)
        layer = torch.nn.TransformerEncoderLayer(96, 4, 192, batch_first=True, dropout=0.0)
        self.encoder = torch.nn.TransformerEncoder(layer, 1, enable_nested_tensor=False).eval()

    def ids(self, text, length):
        ids = [sum(map(ord, word)) % 4999 + 1 for word in text.split()[-length:]]
        return ids + [0] * (length - len(ids))

    @torch.inference_mode()
    def score_candidates(self, contexts, candidates):
        said = torch.tensor([self.ids(context.turns[-1].text, 16) for context in contexts])
        queries = self.encoder(self.words(said)).mean(1)
        flat = torch.tensor([self.ids(text, 8) for texts in candidates for text in texts])
        answers = self.encoder(self.words(flat)).mean(1)
        sizes = [len(texts) for texts in candidates]
        parts = answers.split(sizes)
        return [(part @ query).tolist() for part, query in zip(parts, queries)]
"""
END = "\nif __name__ == '__main__':\n    eval_hits(Ranker)\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    choices = [place for place in PLACES if place != "process"]
    parser.add_argument("--sandbox", choices=PLACES, nargs="+", default=choices)
    parser.add_argument("--dialogues", type=int, default=DIALOGUES)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    dialogues = make_dialogues(options.dialogues)
    seconds: dict[str, list[float]] = {"in-process": []}
    ratios: dict[str, list[float]] = {place: [] for place in options.sandbox}
    here(dialogues[:50])  # torch's first calls
    for run in range(options.runs):
        ours = here(dialogues)
        seconds["in-process"].append(ours.seconds)
        for place in options.sandbox:
            theirs = there(place, dialogues)
            assert theirs.totals == ours.totals
            seconds.setdefault(place, []).append(theirs.seconds)
            ratios[place].append(theirs.seconds / ours.seconds)
        print(f"run {run + 1}: " + ", ".join(f"{k} {v[-1]:.2f} s" for k, v in seconds.items()))
    examples = options.dialogues * TURNS
    alone = statistics.median(seconds["in-process"])
    print(
        f"in-process: {alone:.2f} s for {options.dialogues:,} dialogues, {examples:,} examples, "
        f"{alone / examples * 64 * 1000:.1f} ms a batch of 64; median of {options.runs}"
    )
    for place, found in ratios.items():
        ratio = statistics.median(found)
        print(f"{place}: {statistics.median(seconds[place]):.2f} s, ratio {ratio:.3f}; bar {BAR}")
    sys.exit(any(statistics.median(found) > BAR for found in ratios.values()))


def here(dialogues: list[Dialogue]) -> Report:
    """The agent in this process."""
    space: dict[str, object] = {"__name__": "agent"}
    exec(TRACK_FILE, space)
    made = space["Ranker"]
    assert callable(made)
    return evaluate(made(), dialogues, "hits", data_name="bench")


def there(place: str, dialogues: list[Dialogue]) -> Report:
    """The agent in a cell, warmed up as the one here is."""
    with behind(place, TRACK_FILE + END, "hits") as agent:
        evaluate(agent, dialogues[:50], "hits", data_name="bench")
        return evaluate(agent, dialogues, "hits", data_name="bench")


def make_dialogues(count: int) -> list[Dialogue]:
    """Dialogues of `TURNS` examples with `CANDIDATES` candidates each."""
    rng = random.Random(0)
    words = [f"word{number}" for number in range(5000)]

    def text() -> str:
        return " ".join(rng.choices(words, k=rng.randint(6, 14)))

    def example() -> Example:
        candidates = tuple(text() for _ in range(CANDIDATES))
        return Example((text(),), (candidates[-1],), candidates)

    persona = tuple(text() for _ in range(5))
    return [
        Dialogue(str(number), persona=persona, examples=tuple(example() for _ in range(TURNS)))
        for number in range(count)
    ]


if __name__ == "__main__":
    main()
