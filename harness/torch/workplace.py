"""Where a training happens: OUT is the checkpoint it makes, OUT.training what it goes on from.

OUT is written when the training is over, whole, in place of what was there. Until then all is in
OUT.training: the folders of `learning.learn`. The curves stay there.
"""

import shutil
from pathlib import Path
from typing import TypeVar

import torch

from harness.errors import UsageError
from harness.torch.agent import TorchAgent
from harness.torch.learning import BEST, LAST, Learned
from harness.torch.typed import Json, to_json

Agent = TypeVar("Agent", bound=TorchAgent)


def beside(out: Path) -> Path:
    """The folder of the training whose checkpoint will be `out`."""
    out = out.absolute()
    return out.with_name(f"{out.name}.training")


def taken_up(agent: Agent, work: Path, *, data: str) -> Agent:
    """The agent as an interrupted training left it, or as it is where there is none.

    `data` is the digest of what it learns from. `UsageError` where the training in `work` is of
    other data, words or options, which would not be the training that was asked for.
    """
    if not (work / LAST).exists():
        agent.trained = {"data": data}
        return agent
    begun = type(agent).load(work / LAST, device=agent.device, resume=True)
    reason = _difference(begun, agent, data=data)
    if reason:
        raise UsageError(
            f"{work} holds a training that was begun with {reason}; go on with what it was begun "
            "with, say --fresh to begin again, or choose another --out"
        )
    return begun


def finish(agent: Agent, out: Path, *, learned: Learned) -> Agent:
    """Write the best of a training as the checkpoint `out`; the agent that is now there."""
    work = beside(out)
    best = work / BEST if (work / BEST).exists() else work / LAST
    done = type(agent).load(best, device=agent.device)
    done.trained = {**agent.trained, **facts(agent), **_learned(learned)}
    done.get_ready()
    done.save(out)
    for part in (LAST, BEST):
        shutil.rmtree(work / part, ignore_errors=True)
    return done


def facts(agent: TorchAgent) -> dict[str, Json]:
    """What is worth knowing of a model beside its options."""
    return {
        "parameters": sum(weight.numel() for weight in agent.model.parameters()),
        "device": agent.device.type,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def _learned(learned: Learned) -> dict[str, Json]:
    return {
        "updates": learned.updates,
        "best": learned.best,
        "seconds": round(learned.seconds, 1),
        "ended": learned.ended,
        "train": learned.trained,
        "valid": learned.validated,
    }


def _difference(begun: TorchAgent, agent: TorchAgent, *, data: str) -> str:
    """What an interrupted training was begun with that differs now; empty where all is alike."""
    if begun.trained.get("data") != data:
        return "other data"
    if begun.words != agent.words:
        return "another vocabulary"
    before, now = _flat(to_json(begun.options)), _flat(to_json(agent.options))
    return next((f"{n}={v}, not {now[n]}" for n, v in before.items() if now[n] != v), "")


def _flat(options: dict[str, Json], prefix: str = "") -> dict[str, Json]:
    """Options by their full names."""
    found: dict[str, Json] = {}
    for name, value in options.items():
        inside = _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {}
        found |= inside or {f"{prefix}{name}": value}
    return found
