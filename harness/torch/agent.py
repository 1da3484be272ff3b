"""TorchAgent: between the harness's verbs and a model that reads batches of ids.

    contexts -> vectorize -> Observations -> batchify -> Batch -> eval_step -> Output
             -> match_batch -> Answers, in the order of the contexts

An own agent says what its model is (`build_model`), what a batch costs (`compute_loss`) and what
it answers (`eval_step`); for the last two see `TorchRankerAgent` and `TorchGeneratorAgent`.
The model knows batches only. Nothing an agent keeps between calls is needed for its answers.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import ClassVar, Self

import torch
from torch import nn

from harness.dialogue import Context
from harness.errors import UsageError
from harness.torch import batch as batches
from harness.torch import checkpoint
from harness.torch.batch import Answer, Batch, Loss, Metrics, Observation, Output
from harness.torch.options import TorchOptions
from harness.torch.recent import ByContext
from harness.torch.typed import Json, from_json, to_json
from harness.torch.updates import Updates
from harness.torch.vectors import Vectoriser
from harness.torch.words import Words


class TorchAgent(ABC):
    """A model with its words and options, trained by batches and asked by contexts.

    `options_type` is the dataclass of its options; an own agent with own options names it and
    says `options: MyOptions` for the type checker. `label_end`: replies end in `END` as ids.
    `baseline`: the name under which `rostrum train` makes such an agent, if it does. `trained`
    tells how the weights came about; a checkpoint keeps it.
    """

    options_type: ClassVar[type[TorchOptions]] = TorchOptions
    label_end: ClassVar[bool] = False
    baseline: ClassVar[str | None] = None
    options: TorchOptions
    model: nn.Module

    def __init__(
        self,
        words: Words,
        options: TorchOptions | None = None,
        *,
        device: str | torch.device = "cpu",
    ) -> None:
        """Build the model with first weights drawn by `options.seed`, ready to answer."""
        self.words = words
        self.options = self.options_type() if options is None else options
        if not isinstance(self.options, self.options_type):
            raise TypeError(f"{type(self).__name__} takes {self.options_type.__name__}")
        self.device = torch.device(device)
        self.vectoriser = Vectoriser(words, self.options.text, label_end=self.label_end)
        self.observations: ByContext[Observation] = ByContext(self.options.cache)
        self.trained: dict[str, Json] = {}
        self._updates: Updates | None = None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.options.seed)
            self.model = self.build_model()
        self.model.to(self.device).eval()

    # What an own agent says.

    @abstractmethod
    def build_model(self) -> nn.Module:
        """The model, with fresh weights; called once. `self.words`, `self.options` are there."""

    @abstractmethod
    def compute_loss(self, batch: Batch) -> Loss:
        """What a labelled batch costs: a mean to differentiate, and sums to report.

        Called in training mode by `train_step`, in inference mode by `valid_step`.
        """

    @abstractmethod
    def eval_step(self, batch: Batch) -> Output:
        """The answers to a batch: `scores` where it holds candidates, else `text`."""

    # From contexts to batches and back.

    def vectorize(
        self, context: Context, *, labels: Sequence[str] = (), candidates: Sequence[str] = ()
    ) -> Observation:
        """A context as ids by `options.text`; replies and candidates where they are known."""
        return self.vectoriser.observe(context, labels=labels, candidates=candidates)

    def is_valid(self, observation: Observation) -> bool:
        """Whether an observation may enter a batch; one that may not is answered with nothing."""
        return bool(observation.text)

    def batchify(self, observations: Sequence[Observation]) -> Batch:
        """The valid observations as one batch on the agent's device, the longest text first."""
        valid = [place for place, one in enumerate(observations) if self.is_valid(one)]
        return batches.batchify(observations, valid=valid).to(self.device)

    def match_batch(self, count: int, batch: Batch, output: Output) -> list[Answer]:
        """The output by observation, in the order of the list of `count` given to `batchify`."""
        return batches.match_batch(count, batch, output)

    # The verbs of the harness.

    def respond(self, contexts: Sequence[Context]) -> list[str]:
        """One reply per context: `eval_step` on batches without candidates."""
        return [answer.text for answer in self.answer(self.observe(contexts))]

    def score_candidates(
        self, contexts: Sequence[Context], candidates: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """One score per candidate per context: `eval_step` on batches with candidates."""
        reply = self.vectoriser.reply
        asked = [
            replace(one, candidates=tuple(row), candidate_vecs=tuple(map(reply, row)))
            for one, row in zip(self.observe(contexts), candidates, strict=True)
        ]
        answers = zip(self.answer(asked), candidates, strict=True)
        return [list(answer.scores) or [0.0] * len(row) for answer, row in answers]

    def observe(self, contexts: Sequence[Context]) -> list[Observation]:
        """Contexts as ids, without labels or candidates; at most `options.cache` are kept."""
        return [self.observations.or_make(context, self.vectorize) for context in contexts]

    @torch.inference_mode()
    def answer(self, observations: Sequence[Observation]) -> list[Answer]:
        """`eval_step` on all observations, in batches of like length; answers in their order."""
        self.model.eval()
        answers = [Answer()] * len(observations)
        for places in self.alike(observations):
            batch = self.batchify([observations[place] for place in places])
            matched = self.match_batch(len(places), batch, self.eval_step(batch))
            for place, answer in zip(places, matched, strict=True):
                answers[place] = answer
        return answers

    def alike(self, observations: Sequence[Observation]) -> Iterator[list[int]]:
        """The places of valid observations, by falling length, cut into batches."""
        valid = [place for place, one in enumerate(observations) if self.is_valid(one)]
        order = iter(sorted(valid, key=lambda place: -len(observations[place].text)))
        while places := list(islice(order, self.options.batch_size)):
            yield places

    # Training.

    @property
    def reads_candidates(self) -> bool:
        """Whether training or validation wants the candidates that a set gives."""
        return False

    def init_optim(self) -> Updates:
        """The optimiser, schedule and precision of `options.training`, for this model."""
        return Updates(self.model, self.options.training, device=self.device)

    @property
    def updates(self) -> Updates:
        """What moves the weights; made by `init_optim` when it is first needed."""
        if self._updates is None:
            self._updates = self.init_optim()
        return self._updates

    def train_step(self, batch: Batch) -> Metrics:
        """Learn from a labelled batch; every `training.accumulate` batches the weights move."""
        self.model.train()
        with self.updates.autocast():
            loss = self.compute_loss(batch)
        self.updates.backward(loss.mean)
        self.forget()
        return loss.metrics

    @torch.inference_mode()
    def valid_step(self, batch: Batch) -> Metrics:
        """What a labelled batch costs now, without learning."""
        self.model.eval()
        return self.compute_loss(batch).metrics

    def receive_metrics(self, metrics: Mapping[str, float]) -> None:
        """Hear the means of a validation; a plateau schedule lowers the rate by `loss`."""
        self.updates.receive(metrics["loss"])

    def compile(self) -> None:
        """Wrap the methods that `model.compiled` names in `torch.compile`; `UsageError` if none."""
        names: tuple[str, ...] = getattr(self.model, "compiled", ())
        if not names:
            raise UsageError(f"{type(self.model).__name__} names nothing to compile")
        for name in names:
            setattr(self.model, name, torch.compile(getattr(self.model, name), dynamic=True))

    def forget(self) -> None:  # noqa: B027  most agents keep nothing
        """Drop what was kept that hangs on the weights; called after each training step."""

    # Checkpoints.

    def get_ready(self) -> None:  # noqa: B027  most agents have nothing to make
        """Make what answers will want and `files` can keep; called before the last `save`."""

    def save(self, folder: Path, *, resume: bool = False) -> None:
        """Write the checkpoint folder; with `resume` also what training goes on from."""
        checkpoint.save(
            folder,
            weights=self.model.state_dict(),
            config={
                "agent": type(self).__name__,
                "options": to_json(self.options),
                "trained": self.trained,
            },
            words=self.words,
            state=self.updates.state() if resume else None,
            files=self.files(),
        )

    def files(self) -> dict[str, bytes]:
        """Further files of a checkpoint, by name; `restore` gets them back."""
        return {}

    def restore(self, stored: checkpoint.Checkpoint) -> None:  # noqa: B027  nor have files
        """Take what `files` gave from a checkpoint; called by `load` after the weights."""

    @classmethod
    def load(
        cls, folder: Path, *, device: str | torch.device = "cpu", resume: bool = False
    ) -> Self:
        """The agent that `save` wrote; with `resume` training goes on as if never interrupted.

        `UsageError` names the part of the checkpoint that is missing, damaged or another model's.
        """
        stored = checkpoint.load(folder, baseline=cls.baseline)
        options = from_json(cls.options_type, stored.part("options"), place=stored.place("options"))
        agent = cls(stored.words, options, device=device)
        stored.into(agent.model, freeze=False)
        agent.trained = dict(stored.config.get("trained", {}))
        agent.restore(stored)
        if resume:
            agent.updates.restore(checkpoint.load_state(folder), place=folder / checkpoint.STATE)
        return agent
