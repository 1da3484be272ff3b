"""Train the memory network: cross-entropy over the replies of a batch, a fixed number of steps.

The training pairs themselves are kept: they are the key-value memory that the agent looks into.
"""

from dataclasses import asdict

from model import Config, MemoryNetwork

from harness.cli.training import Options, run
from harness.torch import checkpoint
from harness.torch.training import batches, fit, pairs, prepare
from harness.torch.words import Words

STEPS, BATCH, RATE = 500, 256, 3e-3
MAX_PAIRS = 20_000  # the most training pairs that are kept


def train(options: Options) -> None:
    """Learn from the training split and write the checkpoint."""
    examples = pairs(options.dialogues())
    prepare(seed=options.seed, threads=options.threads)
    texts = (text for context, reply in examples for text in (*context.persona, reply))
    heard = (context.turns[-1].text for context, _ in examples)
    words = Words.build([*texts, *heard], minimum=2)
    model = MemoryNetwork(words, Config())
    questions = [model.question(context) for context, _ in examples]
    replies = [words.ids(reply) for _, reply in examples]
    fit(
        model,
        lambda batch: model.loss([questions[i] for i in batch], [replies[i] for i in batch]),
        batches(len(examples), size=BATCH, seed=options.seed),
        steps=options.steps,
        rate=RATE,
        name="kvmemnn",
    )
    kept = [(context.turns[-1].text, reply) for context, reply in examples]
    config = {"model": asdict(model.config), "pairs": list(dict.fromkeys(kept))[:MAX_PAIRS]}
    checkpoint.save(options.out, weights=model.state_dict(), config=config, words=words)


if __name__ == "__main__":
    run(train, steps=STEPS)
