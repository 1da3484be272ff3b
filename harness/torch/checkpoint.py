"""A checkpoint is a folder: model.safetensors, config.json, vocabulary.json; never a pickle.

`config.json` says what the model is, and holds what else it needs in plain values.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from harness.errors import UsageError
from harness.torch.words import Words

WEIGHTS, CONFIG, VOCABULARY = "model.safetensors", "config.json", "vocabulary.json"


@dataclass(frozen=True)
class Checkpoint:
    """What a folder holds: weights by name, the configuration, the model's words."""

    folder: Path
    weights: dict[str, Tensor]
    config: dict[str, Any]  # Any: plain JSON values, named by the model that wrote them
    words: Words

    def into(self, model: nn.Module) -> None:
        """Give the weights to a model of the same shape and set it to inference."""
        try:
            model.load_state_dict(self.weights)
        except RuntimeError as error:
            raise _damaged(self.folder / WEIGHTS, "its weights are of another model") from error
        model.eval()
        model.requires_grad_(requires_grad=False)


def save(
    folder: Path, *, weights: Mapping[str, Tensor], config: Mapping[str, Any], words: Words
) -> None:
    """Write the folder whole or not at all, in place of an earlier checkpoint.

    `UsageError` where `folder` holds something that is not a checkpoint.
    """
    folder = folder.resolve()
    if folder.exists() and not (folder.is_dir() and _replaceable(folder)):
        raise UsageError(f"{folder} exists and is not a checkpoint; choose another --out")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        fresh = Path(scratch) / "fresh"
        fresh.mkdir()
        save_file({name: value.contiguous() for name, value in weights.items()}, fresh / WEIGHTS)
        _write_json(fresh / CONFIG, dict(config))
        _write_json(fresh / VOCABULARY, list(words.words))
        if folder.exists():
            folder.rename(Path(scratch) / "former")
        fresh.rename(folder)


def load(folder: Path, *, baseline: str) -> Checkpoint:
    """Read a checkpoint; `UsageError` names what is missing and the command that makes it."""
    missing = [name for name in (WEIGHTS, CONFIG, VOCABULARY) if not (folder / name).is_file()]
    if missing:
        raise UsageError(
            f"no checkpoint in {folder} ({missing[0]} is missing); make one with "
            f"`rostrum train {baseline} --data DIR --out {folder}`",
            code="no_checkpoint",
        )
    try:
        weights = load_file(folder / WEIGHTS)
    except (SafetensorError, OSError) as error:
        raise _damaged(folder / WEIGHTS, "it is not a safetensors file") from error
    config = _read_json(folder / CONFIG, dict)
    return Checkpoint(folder, weights, config, Words(tuple(_read_json(folder / VOCABULARY, list))))


def _replaceable(folder: Path) -> bool:
    names = {path.name for path in folder.iterdir()}
    return not names or names == {WEIGHTS, CONFIG, VOCABULARY}


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


def _read_json(path: Path, kind: type) -> Any:  # Any: a value of `kind`
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _damaged(path, "it is not JSON") from error
    if not isinstance(value, kind):
        raise _damaged(path, f"it holds no {kind.__name__}")
    return value


def _damaged(path: Path, reason: str) -> UsageError:
    return UsageError(f"{path} is damaged: {reason}; train again", code="bad_checkpoint")
