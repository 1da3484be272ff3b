"""Find what is commonly said first, for a partner who waits to be spoken to."""

from collections import Counter

from harness.cli.training import Run, main


def train(run: Run) -> None:
    """Take the commonest first reply of the training split."""
    first = Counter(dialogue.examples[0].replies[0] for dialogue in run.train if dialogue.examples)
    opening = min(first, key=lambda reply: (-first[reply], reply))
    run.write({"config.json": {"opening": opening}})


if __name__ == "__main__":
    main(train)
