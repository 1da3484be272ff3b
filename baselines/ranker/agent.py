"""The ranker as an agent: it ranks given replies, and answers with the best of its training's."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from model import Ranker, Shape
from replies import sayable
from tfidf import TfIdf

from harness.dialogue import Dialogue, Example
from harness.errors import UsageError
from harness.torch.options import TorchOptions
from harness.torch.pretrained import Pretrained, fill
from harness.torch.ranker import RankerModel, RankerOptions, TorchRankerAgent
from harness.torch.vectors import PARTNER_TOKEN, SELF_TOKEN

CHECKPOINT = Path(__file__).parent / "checkpoint"


@dataclass(frozen=True, kw_only=True)
class Options(RankerOptions):
    """A ranker's options with the shape of its model."""

    model: Shape = field(default_factory=Shape)


class RankerAgent(TorchRankerAgent):
    """A dual encoder, or TF-IDF, as `options.model.encoder` says."""

    baseline: ClassVar[str | None] = "ranker"
    options_type: ClassVar[type[TorchOptions]] = Options
    options: Options

    def build_model(self) -> RankerModel:
        """The model of the options."""
        shape = self.options.model
        if shape.encoder == "tfidf":
            return TfIdf(len(self.words), share=shape.share)
        partner, own = self.words.numbers((PARTNER_TOKEN, SELF_TOKEN))
        return Ranker(len(self.words), shape, marks=(partner, own))

    def start_from(self, pretrained: Pretrained) -> None:
        """Put the vectors of a file in the place of the first embeddings of its words."""
        if not isinstance(self.model, Ranker):
            raise UsageError("tfidf has no vectors of words; --vectors is for the other encoders")
        fill(self.model.embedding.weight, pretrained, seed=self.options.seed)
        self.forget()

    def count(self, dialogues: Iterable[Dialogue]) -> None:
        """Learn how rare words are, from what is said in these talks; TF-IDF's whole training."""
        assert isinstance(self.model, TfIdf)
        turns = (
            turn for talk in dialogues for example in talk.examples for turn in _turns(example)
        )
        self.model.count(map(self.vectoriser.reply, turns))

    def answer_from(self, dialogues: Iterable[Dialogue]) -> None:
        """Say the replies of these talks, but for those with a blank that was never filled in."""
        replies = sayable(dialogues)
        if replies:
            self.set_fixed(replies)


def _turns(example: Example) -> tuple[str, ...]:
    return (*example.partner, *example.replies)


def make_agent() -> RankerAgent:
    """The trained agent, as the track files start it."""
    return RankerAgent.load(CHECKPOINT)
