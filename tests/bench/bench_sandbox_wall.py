"""What a sandbox costs an agent that computes: the same torch agent in this process and in a cell.

Run `python tests/bench/bench_sandbox_wall.py [--sandbox process|docker|bubblewrap ...]`. A small
transformer ranks 20 candidates for each of 1,000 dialogues, on one thread everywhere. The time is
`evaluate`'s, so start-up is apart. Each run in a cell stands
between two in this process, and the ratio is that to their mean; the median of the ratios has the
bar. `process` is a child without a sandbox: what the socket alone costs. Status 1 above the bar.
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
    alone: list[float] = []
    ratios: dict[str, list[float]] = {place: [] for place in options.sandbox}
    here(dialogues)  # torch's first calls
    for run in range(options.runs):
        for place in options.sandbox:
            before, theirs, after = here(dialogues), there(place, dialogues), here(dialogues)
            assert theirs.totals == before.totals
            alone += [before.seconds, after.seconds]
            ratios[place].append(2 * theirs.seconds / (before.seconds + after.seconds))
            print(
                f"run {run + 1}: in-process {before.seconds:.2f} s, "
                f"{place} {theirs.seconds:.2f} s, in-process {after.seconds:.2f} s: "
                f"{ratios[place][-1]:.3f}",
                flush=True,
            )
    examples = options.dialogues * TURNS
    median = statistics.median(alone)
    print(
        f"in-process: {median:.2f} s for {options.dialogues:,} dialogues, {examples:,} examples, "
        f"{median / examples * 1000:.2f} ms each (from {min(alone):.2f} to {max(alone):.2f} s)"
    )
    for place, found in ratios.items():
        print(
            f"{place}: median ratio {statistics.median(found):.3f} of {options.runs} "
            f"({min(found):.3f} to {max(found):.3f}); bar {BAR}"
        )
    sys.exit(any(statistics.median(found) > BAR for found in ratios.values()))


def here(dialogues: list[Dialogue]) -> Report:
    """The agent in this process."""
    space: dict[str, object] = {"__name__": "agent"}
    exec(TRACK_FILE, space)
    made = space["Ranker"]
    assert callable(made)
    return evaluate(made(), dialogues, "hits", data_name="bench")


def there(place: str, dialogues: list[Dialogue]) -> Report:
    """The agent in a cell, warmed up as the one here is: by the same sizes of batches, because
    torch prepares its kernels for each."""
    with behind(place, TRACK_FILE + END, "hits") as agent:
        evaluate(agent, dialogues, "hits", data_name="bench")
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
