"""Train seq2seq: mean cross-entropy of the words of every reply, of both sides of every talk."""

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import replace

from agent import Seq2SeqAgent, Seq2SeqOptions
from model import Shape

from harness.cli.training import Run, main
from harness.data.both_sides import other_side
from harness.dialogue import Dialogue
from harness.errors import UsageError
from harness.torch.generator import ScoringOptions
from harness.torch.learning import Plan, examples
from harness.torch.options import TextOptions, TrainingOptions
from harness.torch.vectors import learn_words

MODERN = Seq2SeqOptions(
    training=TrainingOptions(
        learning_rate=3e-3,
        betas=(0.9, 0.98),
        warmup_updates=100,
        schedule="linear",
        precision="auto",
    ),
    batch_size=48,
)
HISTORICAL = Seq2SeqOptions(
    text=TextOptions(text_truncate=None, persona_prefix=""),
    training=TrainingOptions(
        optimizer="sgd",
        learning_rate=3.0,
        momentum=0.9,
        nesterov=True,
        gradient_clip=0.1,
        schedule="plateau",
    ),
    scoring=ScoringOptions(by="mean"),
    model=Shape(kind="historical", embedding=256, size=1024, layers=2, dropout=0.1),
    batch_size=64,
)
RECIPES: Mapping[bool, tuple[Seq2SeqOptions, Plan]] = {
    False: (MODERN, Plan(updates=1850, valid_every=370, patience=4, name="seq2seq")),
    True: (HISTORICAL, Plan(updates=4000, valid_every=160, patience=8, name="seq2seq, as in 2018")),
}
"""By whether it is trained as in 2018."""


def add(parser: argparse.ArgumentParser) -> None:
    """The options of this baseline."""
    text = "the model and recipe of ConvAI2 (2018), at full size: for a GPU"
    parser.add_argument("--historical", action="store_true", help=text)


def train(run: Run) -> None:
    """Learn from the training split and write the checkpoint."""
    recipe, plan = RECIPES[run.own.historical]
    options = run.options(recipe)
    words = learn_words(run.train, options=options.text)
    agent = Seq2SeqAgent(words, options, device=run.device)
    own = examples(agent, run.train)
    agent.start_from(own)
    told = own if run.own.historical else own + examples(agent, others(run.train))
    run.learn(agent, plan, train=told)


def others(dialogues: Iterable[Dialogue]) -> Iterable[Dialogue]:
    """The partners' sides: as many replies again, their persona known only if the data tell it.

    Where they do not, the partner of a partner has none either: no context that is answered has.
    """
    for dialogue in dialogues:
        try:
            other = other_side(dialogue)
        except UsageError:  # it never speaks
            continue
        yield other if dialogue.partner_persona else replace(other, partner_persona=())


if __name__ == "__main__":
    main(train, add=add)
