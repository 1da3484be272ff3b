"""A checkpoint of one JSON file, read as a dataclass: all that an agent without torch needs."""

import json
from pathlib import Path
from typing import TypeVar

from harness.errors import UsageError
from harness.torch.typed import from_json

Kind = TypeVar("Kind")

CONFIG = "config.json"
MAX_BYTES = 256 * 1024 * 1024
"""The largest file that is read."""


def read(kind: type[Kind], folder: Path, *, baseline: str) -> Kind:
    """The dataclass in the folder's config.json.

    `UsageError` says what is missing or damaged, and the command that makes it.
    """
    path = folder / CONFIG
    make = f"`rostrum train {baseline} --data DIR --out {folder}`"
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"no checkpoint in {folder} ({CONFIG}: {error.strerror}); make one with {make}",
            code="no_checkpoint",
        ) from error
    try:
        if len(content) > MAX_BYTES:
            raise UsageError(f"it has more than {MAX_BYTES:,} bytes")
        return from_json(kind, json.loads(content), place=CONFIG)
    except (UsageError, ValueError, RecursionError) as error:
        reason = error.message if isinstance(error, UsageError) else "it is not JSON"
        raise UsageError(
            f"{path} is damaged: {reason}; make it anew with {make}", code="bad_checkpoint"
        ) from error
