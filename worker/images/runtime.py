"""A prepared runtime: what cells are started from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

SandboxName = Literal["docker", "bubblewrap", "trusted"]


@dataclass(frozen=True, slots=True)
class Runtime:
    """An organizer-built runtime of one sandbox.

    `digest` goes into the attempt: the image's id for containers, else the hash of the recipe.
    `tag` names the image (docker), `path` the folder with `bin/python` (bubblewrap) or the
    interpreter itself (trusted).
    """

    name: SandboxName
    digest: str
    tag: str = ""
    path: Path | None = None
