"""Train lm: mean cross-entropy of every word of whole talks, one talk being one sequence."""

import argparse
import random
from collections.abc import Mapping

from agent import LanguageAgent, LanguageOptions, whole
from model import Shape

from harness.cli.training import Run, main
from harness.dialogue import Context
from harness.errors import UsageError
from harness.torch.learning import Plan
from harness.torch.options import TrainingOptions
from harness.torch.vectors import learn_words

RECIPES: Mapping[str, tuple[LanguageOptions, Plan]] = {
    "lstm": (
        LanguageOptions(
            model=Shape(kind="lstm", size=256, states=512, layers=1, dropout=0.4),
            training=TrainingOptions(
                learning_rate=4e-3, warmup_updates=50, schedule="linear", precision="auto"
            ),
            batch_size=16,
        ),
        Plan(updates=260, valid_every=65, name="lm"),
    ),
    "transformer": (
        LanguageOptions(
            model=Shape(kind="transformer", size=256, heads=4, layers=2, dropout=0.1),
            training=TrainingOptions(
                learning_rate=3e-3, warmup_updates=50, schedule="linear", precision="auto"
            ),
            batch_size=8,
        ),
        Plan(updates=450, valid_every=75, name="lm"),
    ),
    # 2018's: two layers of 200, plain gradient descent at 20, clipped to .25, a quarter of the
    # rate once a validation is no better; it read windows of 35 words, this one whole talks
    "historical": (
        LanguageOptions(
            model=Shape(kind="lstm", size=200, states=200, layers=2, dropout=0.2, tied=False),
            training=TrainingOptions(
                optimizer="sgd",
                learning_rate=20.0,
                gradient_clip=0.25,
                schedule="plateau",
                plateau_patience=0,
                plateau_decay=0.25,
            ),
            batch_size=16,
        ),
        Plan(updates=600, valid_every=50, name="lm"),
    ),
}

BACKGROUND = 4  # contexts kept to tell what a reply says of its context from how usual it is


def add(parser: argparse.ArgumentParser) -> None:
    """The options of this baseline."""
    kinds = [kind for kind in RECIPES if kind != "historical"]
    parser.add_argument("--kind", choices=kinds, help="lstm, unless said otherwise")
    parser.add_argument("--historical", action="store_true", help="the language model of 2018")


def train(run: Run) -> None:
    """Learn from the training split and write the checkpoint."""
    if run.own.historical and run.own.kind == "transformer":
        raise UsageError("the language model of 2018 is an LSTM; leave --kind or --historical out")
    name = "historical" if run.own.historical else run.own.kind or "lstm"
    recipe, plan = RECIPES[name]
    options = run.options(recipe)
    words = learn_words(run.train, options=options.text, minimum=2)
    agent = LanguageAgent(words, options, device=run.device)
    examples = whole(agent, run.train)
    if name != "historical":
        agent.start_from_frequency(examples)
    agent.set_background(drawn(run))
    run.learn(agent, plan, train=examples, valid=whole(agent, run.valid))


def drawn(run: Run) -> list[Context]:
    """Some contexts of the training set."""
    places = [(talk, number) for talk in run.train for number in range(len(talk.examples))]
    chosen = random.Random(run.seed).sample(places, min(BACKGROUND, len(places)))  # noqa: S311
    return [talk.context(number, context_id=f"{talk.id}/{number}") for talk, number in chosen]


if __name__ == "__main__":
    main(train, add=add)
