"""Train seq2seq: mean cross-entropy of the reply's words, a fixed number of steps."""

import random
from collections import Counter
from dataclasses import asdict
from typing import Any

import torch
from model import MARKS, Config, Seq2Seq

from harness.cli.training import Options, run
from harness.dialogue import Context
from harness.text import split_words
from harness.torch import checkpoint
from harness.torch.training import bucketed, fit, pairs, prepare
from harness.torch.words import END, UNKNOWN, Words

STEPS, BATCH, RATE = 450, 32, 4e-3
BACKGROUND = 4  # contexts kept to tell what a reply says of its context from how usual it is


def train(options: Options) -> None:
    """Learn from the training split and write the checkpoint."""
    examples = pairs(options.dialogues())
    prepare(seed=options.seed, threads=options.threads)
    replies = [split_words(reply) for _, reply in examples]
    texts = [text for c, reply in examples for text in (*c.persona, c.turns[-1].text, reply)]
    words = Words.build(texts, minimum=2, extra=tuple(MARKS.values()))
    rare = len({word for reply in replies for word in reply if word not in words.index})
    model = Seq2Seq(words, Config(rare=max(1, rare)))
    start_from_frequency(model, replies)
    sources = [model.source(context) for context, _ in examples]

    def loss(batch: list[int]) -> torch.Tensor:
        said = [replies[i] for i in batch]
        total = model.log_likelihood(model.encode([sources[i] for i in batch]), said).sum()
        return -total / sum(len(reply) + 1 for reply in said)

    lengths = [len(reply) for reply in replies]
    order = bucketed(lengths, size=BATCH, seed=options.seed)
    fit(model, loss, order, steps=options.steps, rate=RATE, name="seq2seq")
    config = {"model": asdict(model.config), "background": background(examples, options.seed)}
    checkpoint.save(options.out, weights=model.state_dict(), config=config, words=words)


def start_from_frequency(model: Seq2Seq, replies: list[list[str]]) -> None:
    """Set the output bias to the log frequency of the replies' words, add-one smoothed."""
    counts = Counter(model.words.index.get(word, UNKNOWN) for reply in replies for word in reply)
    counts[END] = len(replies)
    seen = torch.tensor([counts[i] + 1.0 for i in range(len(model.words))])
    model.bias.data = (seen / seen.sum()).log()


def background(examples: list[tuple[Context, str]], seed: int) -> list[dict[str, Any]]:  # Any: JSON
    """Contexts drawn from the training set, as `dataclasses.asdict` writes them."""
    drawn = random.Random(seed).sample(examples, min(BACKGROUND, len(examples)))  # noqa: S311
    return [asdict(context) for context, _ in drawn]


if __name__ == "__main__":
    run(train, steps=STEPS)
