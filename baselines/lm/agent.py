"""The language model as an agent of all three tracks.

f1 by search, ppl by the distribution over the official dictionary, hits by how much likelier this
context makes a reply than other contexts do (pointwise mutual information).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import torch
from model import LanguageModel, Past, Shape, State, build
from torch import Tensor

from harness.dialogue import Dialogue
from harness.errors import UsageError
from harness.torch.batch import Batch, Loss, Metrics, Observation
from harness.torch.generator import GeneratorOptions, ScoringOptions, TorchGeneratorAgent
from harness.torch.options import TextOptions, TorchOptions
from harness.torch.vectors import PARTNER_TOKEN, SELF_TOKEN
from harness.torch.words import END, START, UNKNOWN, padded

CHECKPOINT = Path(__file__).parent / "checkpoint"


@dataclass(frozen=True, kw_only=True)
class LanguageOptions(GeneratorOptions):
    """A generator's options and the model's shape.

    A text is the persona, then all turns; a Transformer keeps a lot of each state, so few states.
    """

    text: TextOptions = field(
        default_factory=lambda: TextOptions(
            text_truncate=768, person_tokens=True, persona_prefix="persona "
        )
    )
    scoring: ScoringOptions = field(default_factory=lambda: ScoringOptions(by="pmi"))
    model: Shape = field(default_factory=Shape)
    kept_states: int = 128


class LanguageAgent(TorchGeneratorAgent):
    """Reads the context as one text and goes on with it."""

    options_type: ClassVar[type[TorchOptions]] = LanguageOptions
    baseline: ClassVar[str | None] = "lm"
    options: LanguageOptions
    model: LanguageModel[State] | LanguageModel[Past]

    def build_model(self) -> LanguageModel[State] | LanguageModel[Past]:
        """The model of `options.model`."""
        own = self.words.index.get(SELF_TOKEN, UNKNOWN)
        return build(len(self.words), self.options.model, own=own)

    def compute_loss(self, batch: Batch) -> Loss:
        """Mean cross-entropy of every turn's words and ends, those of the text included.

        Both speakers' turns are learned from; reported as `loss` is that of the own ones, as what
        other generators report.
        """
        if batch.labels is None:
            raise UsageError("a loss needs labels; these examples have none")
        inputs, targets, spoken, own = self.turns(batch)
        hidden = self.model.read(inputs)
        likely = -torch.nn.functional.cross_entropy(
            self.model.output(hidden[spoken]), targets[spoken], reduction="none"
        )
        mine = own[spoken]
        total = (-likely[mine].sum().item(), float(mine.sum()))
        return Loss(-likely.mean(), Metrics({"loss": total}))

    def turns(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Whole texts with their replies: inputs, targets, where a turn's words follow, and own.

        `[B, T]` each. Where a turn ends the target is `END`, while the next input is the mark of
        who speaks next. A persona has no targets, nor has a turn whose mark is cut off.
        """
        rows = batch.observations
        inputs = padded([(*row.text, START, *row.label[:-1]) for row in rows]).to(self.device)
        last = padded([(*row.text[1:], START, *row.label) for row in rows]).to(self.device)
        speakers = self.words.numbers([SELF_TOKEN, PARTNER_TOKEN])
        heads = torch.isin(inputs, inputs.new_tensor([START, *speakers]))
        targets = last.masked_fill(torch.isin(last, inputs.new_tensor([START, *speakers])), END)
        places = torch.arange(inputs.shape[1], device=self.device)
        head = places.where(heads, -1).cummax(1).values  # [B, T], -1 before the first turn
        lengths = [len(row.text) + len(row.label) for row in rows]
        real = places < inputs.new_tensor(lengths)[:, None]
        own = inputs.gather(1, head.clamp(min=0)) != speakers[1]
        return inputs, targets, real & (head >= 0), own

    def start_from_frequency(self, observations: Sequence[Observation]) -> None:
        """Set the output bias to the log frequency of the words that are said, plus one each."""
        counts: Counter[int] = Counter()
        for one in observations:
            counts.update(one.text)
            counts.update(one.label)
        marks = self.words.numbers([SELF_TOKEN, PARTNER_TOKEN])
        counts[END] += sum(counts.pop(mark, 0) for mark in marks)
        seen = torch.tensor([counts[number] + 1.0 for number in range(len(self.words))])
        self.model.bias.data = (seen / seen.sum()).log().to(self.device)


def whole(agent: LanguageAgent, dialogues: Iterable[Dialogue]) -> list[Observation]:
    """Each dialogue as one example: the last, whose text holds all turns before it."""
    return [
        agent.vectorize(
            talk.context(len(talk.examples) - 1, context_id=talk.id),
            labels=talk.examples[-1].replies,
        )
        for talk in dialogues
        if talk.examples
    ]


def make_agent(folder: Path = CHECKPOINT) -> LanguageAgent:
    """The trained agent, as the track files start it."""
    return LanguageAgent.load(folder)
