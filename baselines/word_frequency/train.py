"""Count the words of the training replies."""

from collections import Counter

from harness.cli.training import Run, main
from harness.text import split_words


def train(run: Run) -> None:
    """Count the training split, the commonest words first."""
    examples = (example for dialogue in run.train for example in dialogue.examples)
    counts = Counter(word for example in examples for word in split_words(example.replies[0]))
    rows = sorted(counts.items(), key=lambda row: (-row[1], row[0]))
    run.write({"config.json": {"counts": dict(rows)}})


if __name__ == "__main__":
    main(train)
