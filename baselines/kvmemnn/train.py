"""Train the memory network: by the margin loss of 2018, or with --modern by cross-entropy.

The training pairs themselves are kept: they are the key-value memory that the agent looks into.
"""

import argparse

from agent import MemoryAgent, MemoryOptions
from model import Shape
from pairs import pairs_of

from harness.cli.training import Run, main
from harness.torch.learning import Plan
from harness.torch.options import TextOptions, TrainingOptions
from harness.torch.ranker import RankingOptions
from harness.torch.vectors import learn_words

HISTORICAL = MemoryOptions(
    text=TextOptions(persona="memories"),
    training=TrainingOptions(optimizer="sgd", learning_rate=0.1, gradient_clip=0.0),
    batch_size=256,
)
MODERN = MemoryOptions(
    text=TextOptions(persona="memories", history="memories", person_tokens=True),
    training=TrainingOptions(
        learning_rate=3e-3, betas=(0.9, 0.98), schedule="linear", warmup_updates=30
    ),
    ranking=RankingOptions(candidates="batch"),
    model=Shape(kind="modern", size=192, dropout=0.4, share=0.5),
    batch_size=256,
)
PLANS = {
    False: Plan(updates=1400, valid_every=200, select="hits@1", name="kvmemnn"),
    True: Plan(updates=300, valid_every=50, patience=3, select="hits@1", name="kvmemnn"),
}


def add(parser: argparse.ArgumentParser) -> None:
    """The baseline's own option."""
    parser.add_argument("--modern", action="store_true", help="in-batch cross-entropy, as of today")


def train(run: Run) -> None:
    """Learn from the training split and write the checkpoint."""
    options = run.options(MODERN if run.own.modern else HISTORICAL)
    words = learn_words(run.train, options=options.text, minimum=2)
    agent = MemoryAgent(words, options, device=run.device)
    agent.set_pairs(pairs_of(run.train, limit=options.pairs))
    run.learn(agent, PLANS[run.own.modern])


if __name__ == "__main__":
    main(train, add=add)
