"""Count the words of the training replies."""

import json
from collections import Counter

from harness.cli.training import Options, run
from harness.text import split_words


def train(options: Options) -> None:
    """Count the training split and write vocabulary.json, the commonest words first."""
    examples = (example for dialogue in options.dialogues() for example in dialogue.examples)
    counts = Counter(word for example in examples for word in split_words(example.replies[0]))
    rows = sorted(counts.items(), key=lambda row: (-row[1], row[0]))
    options.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(rows, ensure_ascii=False)
    (options.out / "vocabulary.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(train, steps=1)
