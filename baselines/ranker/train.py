"""Train the ranker: cross-entropy over the replies of a batch, a fixed number of steps."""

from dataclasses import asdict

from model import Config, Ranker

from harness.cli.training import Options, run
from harness.text import normalise
from harness.torch import checkpoint
from harness.torch.training import batches, fit, pairs, prepare
from harness.torch.words import Words

STEPS, BATCH, RATE = 400, 256, 3e-3
MAX_REPLIES = 20_000  # of the training set, kept to answer from


def train(options: Options) -> None:
    """Learn from the training split and write the checkpoint."""
    examples = pairs(options.dialogues())
    prepare(seed=options.seed, threads=options.threads)
    texts = (text for context, reply in examples for text in (*context.persona, reply))
    heard = (context.turns[-1].text for context, _ in examples)
    words = Words.build([*texts, *heard], minimum=2)
    model = Ranker(words, Config())
    contexts = [model.slots(context) for context, _ in examples]
    replies = [words.ids(reply) for _, reply in examples]
    fit(
        model,
        lambda batch: model.loss([contexts[i] for i in batch], [replies[i] for i in batch]),
        batches(len(examples), size=BATCH, seed=options.seed),
        steps=options.steps,
        rate=RATE,
        name="ranker",
    )
    said = {normalise(reply): reply for _, reply in examples}
    config = {"model": asdict(model.config), "replies": list(said.values())[:MAX_REPLIES]}
    checkpoint.save(options.out, weights=model.state_dict(), config=config, words=words)


if __name__ == "__main__":
    run(train, steps=STEPS)
