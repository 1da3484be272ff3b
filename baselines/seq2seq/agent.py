"""Seq2seq as an agent of all three tracks.

f1 by search (greedy, or a beam that repeats no n-gram), ppl by the distribution over the official
dictionary, hits by how much likelier this context makes a reply than other contexts do (pointwise
mutual information: plain likelihood prefers whatever is usual, and ranks half as well).
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import torch
from historical import Original
from model import Seq2Seq, Shape

from harness.errors import UsageError
from harness.torch.batch import Observation
from harness.torch.generator import GeneratorOptions, ScoringOptions, TorchGeneratorAgent
from harness.torch.options import TextOptions, TorchOptions

CHECKPOINT = Path(__file__).parent / "checkpoint"
BACKGROUND = 16
"""Training contexts kept to tell what a reply says of its context from how usual it is."""


@dataclass(frozen=True, kw_only=True)
class Seq2SeqOptions(GeneratorOptions):
    """A generator's options and the model's shape; the end of the talk is the text."""

    text: TextOptions = field(
        default_factory=lambda: TextOptions(
            text_truncate=48, person_tokens=True, persona="memories"
        )
    )
    scoring: ScoringOptions = field(
        default_factory=lambda: ScoringOptions(by="pmi", background=0.75)
    )
    model: Shape = field(default_factory=Shape)


class Seq2SeqAgent(TorchGeneratorAgent):
    """Reads a context, writes a reply."""

    options_type: ClassVar[type[TorchOptions]] = Seq2SeqOptions
    baseline: ClassVar[str | None] = "seq2seq"
    options: Seq2SeqOptions
    model: Seq2Seq | Original

    def build_model(self) -> Seq2Seq | Original:
        """The model of `options.model`."""
        shape = self.options.model
        if shape.kind == "historical":
            return Original(len(self.words), shape)
        if shape.size % 2:
            raise UsageError(f"model.size is {shape.size}; it must be even, half looks each way")
        return Seq2Seq(len(self.words), shape)

    def start_from(self, examples: Sequence[Observation]) -> None:
        """What training begins with: which words are usual, and contexts to compare with.

        The output bias becomes the log frequency of the replies' words, plus one each.
        """
        drawn = random.Random(self.options.seed)  # noqa: S311  a choice, not a secret
        some = drawn.sample(list(examples), min(BACKGROUND, len(examples)))
        self.set_background([one.context for one in some])
        if isinstance(self.model, Seq2Seq):
            counts = Counter(number for one in examples for number in one.label)
            seen = torch.tensor([counts[number] + 1.0 for number in range(len(self.words))])
            self.model.bias.data = (seen / seen.sum()).log().to(self.device)


def make_agent(folder: Path = CHECKPOINT) -> Seq2SeqAgent:
    """The trained agent, as the track files start it."""
    return Seq2SeqAgent.load(folder)
