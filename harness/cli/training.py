"""What every baseline's train.py does with its command line: read options, report errors.

if __name__ == "__main__":
    run(train, steps=400)
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.data import load
from harness.dialogue import Dialogue
from harness.errors import RostrumError, UsageError


@dataclass(frozen=True)
class Options:
    """One training run: where the data lies, where the checkpoint goes, and what makes it repeat.

    The same data, `steps`, `seed` and `threads` give the same weights on the same machine.
    """

    data: Path
    out: Path
    steps: int
    seed: int = 0
    threads: int = 2

    def dialogues(self) -> list[Dialogue]:
        """The training split; `UsageError` if it is absent or holds no example."""
        path = self.data / "train_self_original.txt"
        if not path.is_file():
            raise UsageError(f"{path} does not exist; --data names a folder that holds it")
        dialogues = load(path)
        if not any(dialogue.examples for dialogue in dialogues):
            raise UsageError(f"{path} holds no example to learn from")
        return dialogues


def run(train: Callable[[Options], None], *, steps: int) -> None:
    """Train as the command line says; an error of ours becomes one sentence and its exit code.

    `steps` is the baseline's own number of steps, taken where the command line names none.
    """
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the training split")
    parser.add_argument("--out", type=Path, default=Path("checkpoint"), help="checkpoint to write")
    parser.add_argument("--steps", type=_count, default=steps, help="steps to take (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of all chance (%(default)s)")
    parser.add_argument("--threads", type=_count, default=2, help="threads to use (%(default)s)")
    try:
        train(Options(**vars(parser.parse_args())))
    except RostrumError as error:
        print(f"train: {error.message}", file=sys.stderr)
        sys.exit(error.exit_code)


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not a positive number")
    return value
