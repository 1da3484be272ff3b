"""A checkpoint is a folder: model.safetensors, config.json, vocabulary.json; never a pickle.

`config.json` says what the model is, and holds what else it needs in plain values. Where training
may go on, training.safetensors and training.json hold its state. An agent's further files are
listed under `files` in `config.json`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from harness.errors import UsageError
from harness.files import whole_folder
from harness.text import SPECIALS
from harness.torch.words import Words

WEIGHTS, CONFIG, VOCABULARY = "model.safetensors", "config.json", "vocabulary.json"
STATE_TENSORS, STATE = "training.safetensors", "training.json"
FILES = "files"


@dataclass(frozen=True)
class State:
    """What training goes on from: tensors by name, and plain JSON values."""

    tensors: dict[str, Tensor]
    plain: dict[str, Any]  # Any: plain JSON values, named by what wrote them


@dataclass(frozen=True)
class Checkpoint:
    """What a folder holds: weights by name, the configuration, the model's words."""

    folder: Path
    weights: dict[str, Tensor]
    config: dict[str, Any]  # Any: plain JSON values, named by the model that wrote them
    words: Words

    def into(self, model: nn.Module, *, freeze: bool = True) -> None:
        """Give the weights to a model of the same shape and set it to inference.

        Frozen weights need no memory for gradients; training goes on with `freeze=False`.
        """
        reason = _misfit(self.weights, model)
        if reason:
            raise damaged(self.folder / WEIGHTS, f"its weights are of another model: {reason}")
        model.load_state_dict(self.weights)
        model.eval()
        if freeze:
            model.requires_grad_(requires_grad=False)

    def place(self, name: str) -> str:
        """Where a part of the configuration stands, for messages."""
        return f"{self.folder / CONFIG}: {name}"

    def part(self, name: str) -> Any:  # Any: a plain JSON value
        """A part of the configuration; `UsageError` where it is absent."""
        if name not in self.config:
            raise damaged(self.folder / CONFIG, f"it holds no {name!r}")
        return self.config[name]

    def file(self, name: str) -> bytes:
        """A further file of the agent; `UsageError` where it is absent."""
        if name not in _listed(self.config):
            raise damaged(self.folder / CONFIG, f"it lists no file {name!r}")
        try:
            return (self.folder / name).read_bytes()
        except OSError as error:
            raise damaged(self.folder / name, f"it cannot be read ({error.strerror})") from error


def save(
    folder: Path,
    *,
    weights: Mapping[str, Tensor],
    config: Mapping[str, Any],
    words: Words,
    state: State | None = None,
    files: Mapping[str, bytes] | None = None,
) -> None:
    """Write the folder whole or not at all, in place of an earlier checkpoint.

    `UsageError` where `folder` holds something that is not a checkpoint.
    """
    folder, files = folder.resolve(), files or {}
    if folder.exists() and not (folder.is_dir() and _replaceable(folder)):
        raise UsageError(f"{folder} exists and is not a checkpoint; choose another --out")
    with whole_folder(folder) as fresh:
        save_file(_apart(weights), fresh / WEIGHTS)
        _write_json(fresh / CONFIG, {**config, FILES: sorted(files)} if files else dict(config))
        _write_json(fresh / VOCABULARY, list(words.words))
        if state is not None:
            save_file(_apart(state.tensors), fresh / STATE_TENSORS)
            _write_json(fresh / STATE, state.plain)
        for name, content in files.items():
            (fresh / name).write_bytes(content)


def load(folder: Path, *, baseline: str | None = None) -> Checkpoint:
    """Read a checkpoint; `UsageError` names what is missing and the command that makes it."""
    missing = [name for name in (WEIGHTS, CONFIG, VOCABULARY) if not (folder / name).is_file()]
    if missing:
        maker = f"`rostrum train {baseline} --data DIR --out {folder}`" if baseline else "`save`"
        raise UsageError(
            f"no checkpoint in {folder} ({missing[0]} is missing); make one with {maker}",
            code="no_checkpoint",
        )
    return Checkpoint(
        folder=folder,
        weights=_read_tensors(folder / WEIGHTS),
        config=_read_json(folder / CONFIG, dict),
        words=_read_words(folder / VOCABULARY),
    )


def load_state(folder: Path) -> State:
    """What training goes on from; `UsageError` where the checkpoint is of a finished one."""
    if not (folder / STATE).is_file() or not (folder / STATE_TENSORS).is_file():
        raise UsageError(
            f"{folder} holds no training to resume ({STATE} is missing); it can be loaded to "
            "answer, or to train anew from its weights",
            code="no_checkpoint",
        )
    return State(_read_tensors(folder / STATE_TENSORS), _read_json(folder / STATE, dict))


def damaged(path: Path, reason: str) -> UsageError:
    """The error of a checkpoint's part that cannot be what was written."""
    return UsageError(f"{path} is damaged: {reason}; train again", code="bad_checkpoint")


def _misfit(weights: Mapping[str, Tensor], model: nn.Module) -> str:
    """The first difference between stored weights and a model's; empty where they fit."""
    wanted = model.state_dict()
    for name, value in wanted.items():
        if name not in weights:
            return f"{name} is missing"
        if weights[name].shape != value.shape:
            return f"{name} is {_shape(weights[name])}, the model's is {_shape(value)}"
    return next((f"{name} is not in the model" for name in weights if name not in wanted), "")


def _shape(value: Tensor) -> str:
    return "x".join(map(str, value.shape)) or "a number"


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous tensors that share no memory, as the format demands; tied weights are copied."""
    seen: set[int] = set()
    apart = {}
    for name, value in tensors.items():
        memory = value.untyped_storage().data_ptr()
        apart[name] = value.detach().clone() if memory in seen else value
        apart[name] = apart[name].contiguous()
        seen.add(memory)
    return apart


def _replaceable(folder: Path) -> bool:
    """Whether all that a folder holds is a checkpoint's, or nothing."""
    names = {path.name for path in folder.iterdir()}
    if not names:
        return True
    if not names >= {WEIGHTS, CONFIG, VOCABULARY}:
        return False
    further = names - {WEIGHTS, CONFIG, VOCABULARY, STATE_TENSORS, STATE}
    return not further or further <= set(_listed(_read_json(folder / CONFIG, dict)))


def _listed(config: Mapping[str, Any]) -> list[str]:
    """The further files that a configuration lists, as far as they are names of files."""
    listed = config.get(FILES, [])
    names = listed if isinstance(listed, list) else []
    return [name for name in names if isinstance(name, str) and Path(name).name == name]


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


def _read_json(path: Path, kind: type) -> Any:  # Any: a value of `kind`
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise damaged(path, "it is not JSON") from error
    if not isinstance(value, kind):
        raise damaged(path, f"it holds no {kind.__name__}")
    return value


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise damaged(path, "it is not a safetensors file") from error


def _read_words(path: Path) -> Words:
    words = _read_json(path, list)
    if not all(isinstance(word, str) for word in words) or len(set(words)) != len(words):
        raise damaged(path, "it is not a list of words without repetition")
    if tuple(words[: len(SPECIALS)]) != SPECIALS:
        raise damaged(path, f"it does not begin with {', '.join(SPECIALS)}")
    return Words(tuple(words))
