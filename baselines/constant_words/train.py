"""Choose the constant reply: the k commonest words, k where F1 over the training set is best."""

from collections import Counter

from harness.cli.training import Run, main
from harness.metrics import f1
from harness.text import normalise

MOST_WORDS = 24
LOOKED_AT = 3000  # replies, spread evenly over the training set


def train(run: Run) -> None:
    """Choose from the training split."""
    replies = [example.replies[0] for dialogue in run.train for example in dialogue.examples]
    counts = Counter(word for reply in replies for word in normalise(reply).split())
    common = sorted(counts, key=lambda word: (-counts[word], word))[:MOST_WORDS]
    sample = replies[:: max(1, len(replies) // LOOKED_AT)]
    constants = [" ".join(common[:length]) for length in range(1, len(common) + 1)]
    reply = max(constants, key=lambda constant: mean_f1(constant, sample), default="hello")
    run.write({"config.json": {"reply": reply}})


def mean_f1(constant: str, replies: list[str]) -> float:
    """The F1 of always saying `constant`."""
    return sum(f1.measure(constant, replies=[reply]) for reply in replies) / len(replies)


if __name__ == "__main__":
    main(train)
