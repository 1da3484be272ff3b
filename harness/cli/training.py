"""What every baseline's train.py does with its command line: data, options, errors, a checkpoint.

if __name__ == "__main__":
    main(train)
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from harness.data import load
from harness.dialogue import Dialogue
from harness.errors import RostrumError, UsageError
from harness.files import whole_folder

if TYPE_CHECKING:  # a sanity entry is made without torch
    import torch

    from harness.torch.agent import TorchAgent
    from harness.torch.batch import Observation
    from harness.torch.learning import Learned, Plan
    from harness.torch.options import TorchOptions

    Tree = TypeVar("Tree", bound=TorchOptions)

Agent = TypeVar("Agent", bound="TorchAgent")

TRAIN, VALID = "train_self_original.txt", "valid_self_original.txt"
DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")


class Run:
    """One training run as its command line asks for it.

    The same data, options, updates, seed and threads give the same weights on the same machine;
    `--minutes` ends where the clock says.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.data: Path = arguments.data
        self.out: Path = arguments.out
        self.seed: int = arguments.seed
        self.threads: int = arguments.threads
        self.own = arguments
        self._prepared = False

    # Data.

    @cached_property
    def train(self) -> list[Dialogue]:
        """The training split; `UsageError` if it is absent or holds no example."""
        dialogues = self._split(TRAIN)
        if not any(dialogue.examples for dialogue in dialogues):
            raise UsageError(f"{self.data / TRAIN} holds no example to learn from")
        return dialogues

    @cached_property
    def valid(self) -> list[Dialogue]:
        """The validation split; nothing where the folder has none."""
        return self._split(VALID) if (self.data / VALID).is_file() else []

    def _split(self, name: str) -> list[Dialogue]:
        path = self.data / name
        if not path.is_file():
            raise UsageError(f"{path} does not exist; --data names a folder that holds it")
        return load(path)

    # A torch agent.

    @cached_property
    def device(self) -> "torch.device":
        """Where the model is; `UsageError` where a GPU is asked for and there is none."""
        self._prepare()
        import torch

        asked = self.own.device
        if asked == "cuda" and not torch.cuda.is_available():
            raise UsageError(
                "--device cuda: torch sees no CUDA device here; say --device cpu, or install a "
                "build of torch for this machine's GPU"
            )
        if asked == "auto":
            asked = "cuda" if torch.cuda.is_available() else "cpu"
        return torch.device(asked)

    def options(self, recipe: "Tree") -> "Tree":
        """A recipe's options, with what --seed, --precision and --set say instead."""
        from harness.torch.typed import from_json, to_json

        values = to_json(recipe)
        values["seed"] = self.seed
        if self.own.precision is not None:
            values["training"]["precision"] = self.own.precision
        for text in self.own.set:
            _put(values, text)
        return from_json(type(recipe), values, place="--set")

    def learn(
        self,
        agent: Agent,
        plan: "Plan",
        *,
        train: "Sequence[Observation] | None" = None,
        valid: "Sequence[Observation] | None" = None,
    ) -> Agent:
        """Train, or go on, and write the checkpoint; the best agent by validation.

        Observations are those of the two splits if none are given. --updates and --minutes
        replace the plan's budget.
        """
        self._prepare()
        from harness.torch import learning, workplace

        work = workplace.beside(self.out)
        if self.own.fresh:
            shutil.rmtree(work, ignore_errors=True)
        agent = workplace.taken_up(agent, work, data=self._digest())
        if self.own.compile:
            agent.compile()
        learned = learning.learn(
            agent,
            learning.examples(agent, self.train) if train is None else train,
            plan=self._plan(plan),
            valid=learning.examples(agent, self.valid) if valid is None else valid,
            out=work,
        )
        agent = workplace.finish(agent, self.out, learned=learned)
        print(f"train: {_summary(learned)}")
        return agent

    def keep(self, agent: "TorchAgent") -> None:
        """Write the checkpoint of an agent that has nothing to learn."""
        from harness.torch import workplace

        agent.trained = {"data": self._digest(), **workplace.facts(agent)}
        agent.get_ready()
        agent.save(self.out)

    def write(self, files: Mapping[str, object]) -> None:
        """Write a checkpoint of JSON files by their names, whole or not at all."""
        out = self.out.absolute()
        others = {path.name for path in out.iterdir()} - set(files) if out.is_dir() else set()
        if others or (out.exists() and not out.is_dir()):
            raise UsageError(f"{out} exists and is not such a checkpoint; choose another --out")
        with whole_folder(out) as fresh:
            for name, value in files.items():
                text = json.dumps(value, ensure_ascii=False)
                (fresh / name).write_text(text + "\n", encoding="utf-8")

    def _plan(self, plan: "Plan") -> "Plan":
        minutes, updates = self.own.minutes, self.own.updates
        if minutes is not None and updates is None:
            updates = max(plan.updates, _UNBOUNDED)  # then the clock alone ends it
        plan = replace(plan, updates=updates or plan.updates, minutes=minutes or plan.minutes)
        return replace(plan, save_every=plan.save_every or plan.valid_every)

    def _prepare(self) -> None:
        """Make what follows repeatable, once, before the first weights are drawn."""
        if not self._prepared:
            # cuBLAS is deterministic with this alone, and reads it when it starts
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            from harness.torch.training import prepare

            prepare(seed=self.seed, threads=self.threads)
            self._prepared = True

    def _digest(self) -> str:
        """The hash of the files that a training learns and selects from."""
        digest = hashlib.sha256()
        for path in (self.data / TRAIN, self.data / VALID):
            if path.is_file():
                with path.open("rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()


_UNBOUNDED = 10_000_000


def _summary(learned: "Learned") -> str:
    """What a training came to, in a line."""
    why = {"done": "", "minutes": ", time is up", "patience": ", no longer better"}
    text = f"{learned.updates:,} updates in {learned.seconds:.0f} s{why[learned.ended]}"
    if not learned.validated:
        return text
    means = ", ".join(f"{name} {mean:.4g}" for name, mean in learned.validated.items())
    return f"{text}; kept is update {learned.best:,}: validation {means}"


def main(
    train: Callable[[Run], None], *, add: Callable[[argparse.ArgumentParser], None] | None = None
) -> None:
    """Train as the command line says; an error of ours becomes one sentence and its exit code.

    `add` adds the baseline's own options, which are found in `run.own`.
    """
    parser = command_line()
    if add is not None:
        add(parser.add_argument_group("options of this baseline"))  # type: ignore[arg-type]  # it adds too
    try:
        run = Run(parser.parse_args())
        train(run)
        print(f"train: the checkpoint is in {run.out}")
    except RostrumError as error:
        print(f"train: {error.message}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("train: stopped; the same command goes on from here", file=sys.stderr)
        sys.exit(130)


def command_line() -> argparse.ArgumentParser:
    """The options that every train.py has."""
    text = sys.modules["__main__"].__doc__
    parser = argparse.ArgumentParser(prog="train.py", description=text, allow_abbrev=False)
    add = parser.add_argument
    add("--data", type=Path, required=True, help=f"folder with {TRAIN} and {VALID}")
    add("--out", type=Path, default=Path("checkpoint"), help="checkpoint to write (%(default)s)")
    add("--updates", type=_count, help="updates of the weights instead of the recipe's")
    add("--minutes", type=_minutes, help="train so long, by the clock")
    add("--seed", type=int, default=0, help="seed of all chance (%(default)s)")
    add("--threads", type=_count, default=2, help="threads to use (%(default)s)")
    add("--device", choices=DEVICES, default="auto", help="where to train (%(default)s)")
    add("--precision", choices=PRECISIONS, help="what to compute in instead of the recipe's")
    add("--compile", action="store_true", help="compile the model (needs a C++ compiler)")
    add("--fresh", action="store_true", help="begin again, whatever was interrupted")
    add(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of the agent, e.g. model.size=300; may be given again",
    )
    return parser


def _put(values: dict[str, Any], text: str) -> None:  # Any: plain JSON values
    """Set one option by its full name; `from_json` checks what it may be."""
    name, sign, value = text.partition("=")
    *groups, last = name.split(".")
    for group in groups:
        values = values.get(group) if isinstance(values, dict) else None  # type: ignore[assignment]  # checked below
    if not sign or not isinstance(values, dict) or last not in values:
        known = ", ".join(values) if isinstance(values, dict) else "no such group"
        raise UsageError(f"--set {text}: there is no option {name!r}; known there: {known}")
    try:
        values[last] = json.loads(value)
    except ValueError:
        values[last] = value  # a word needs no quotes


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not a positive number")
    return value


def _minutes(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not a number of minutes")
    return value
