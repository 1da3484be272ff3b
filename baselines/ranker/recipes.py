"""How each encoder is trained: its options and its plan, found on the validation set."""

from dataclasses import dataclass

from agent import Options
from model import Shape

from harness.torch.learning import Plan
from harness.torch.options import TextOptions, TrainingOptions
from harness.torch.ranker import RankingOptions


@dataclass(frozen=True)
class Recipe:
    """Options and plan; without a plan there is nothing to train."""

    options: Options
    plan: Plan | None = None


def _trained(shape: Shape, *, rate: float, updates: int) -> Recipe:
    """The last turn asks, all else is memory; a batch's replies are each other's wrong answers."""
    return Recipe(
        Options(
            text=TextOptions(
                persona="memories", history="memories", person_tokens=True, memories=16
            ),
            training=TrainingOptions(
                learning_rate=rate,
                betas=(0.9, 0.98),
                schedule="linear",
                warmup_updates=40,
                precision="fp32" if shape.encoder == "bow" else "auto",
            ),
            ranking=RankingOptions(candidates="batch"),
            model=shape,
            batch_size=256,
        ),
        Plan(updates=updates, valid_every=50, patience=6, select="hits@1", name="ranker"),
    )


RECIPES = {
    "tfidf": Recipe(
        Options(
            text=TextOptions(persona="memories", history="memories", history_size=1),
            model=Shape(encoder="tfidf"),
        )
    ),
    "bow": _trained(Shape(encoder="bow"), rate=3e-3, updates=600),
    "lstm": _trained(Shape(encoder="lstm"), rate=3e-3, updates=450),
    "transformer": _trained(Shape(encoder="transformer"), rate=2e-3, updates=500),
}
