"""Which runtime this machine makes: for its processors, or for an accelerator.

Both come from one Dockerfile and the same pinned versions; they differ in the build of torch. pip
takes that from where the host's configuration points, or from `ROSTRUM_TORCH_INDEX`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError

NAMES = ("cpu", "cuda")


@dataclass(frozen=True, slots=True)
class Variant:
    """One kind of runtime; `torch_index` is an address or a folder ("": the host pip's own)."""

    name: str = "cpu"
    torch_index: str = ""

    @property
    def parts(self) -> tuple[str, ...]:
        """What it adds to the hash of a recipe; nothing for the plain one."""
        return () if self == Variant() else (self.name, self.torch_index)

    @property
    def pip_options(self) -> tuple[str, ...]:
        """Where pip looks for torch besides its own places."""
        if not self.torch_index:
            return ()
        folder = "://" not in self.torch_index
        return ("--find-links" if folder else "--extra-index-url", self.torch_index)

    def check(self, wheels: Path) -> str:
        """What is odd about the torch among these wheels, in one sentence; "" if nothing is.

        `UsageError` if it cannot use the accelerator that this variant is for.
        """
        files = {path.name.lower() for path in wheels.glob("*.whl")}
        if self.name == "cuda" and any(_is_torch(name) and "+cpu" in name for name in files):
            raise UsageError(
                "the runtime `cuda` needs a CUDA build of torch and pip found one for processors "
                "only: set ROSTRUM_TORCH_INDEX to an index or a folder that has it"
            )
        if self.name == "cpu" and any(name.startswith("nvidia_") for name in files):
            return (
                "torch brought several GB of CUDA along, which a runtime for processors does not "
                "need: point ROSTRUM_TORCH_INDEX at a build of torch for processors"
            )
        return ""


def _is_torch(name: str) -> bool:
    return name.startswith("torch-")


def chosen_variant(environment: Mapping[str, str] = os.environ) -> Variant:
    """What `ROSTRUM_RUNTIME` and `ROSTRUM_TORCH_INDEX` say; `UsageError` for an unknown name."""
    name = environment.get("ROSTRUM_RUNTIME") or "cpu"
    if name not in NAMES:
        raise UsageError(f"ROSTRUM_RUNTIME is {name!r}; known: {', '.join(NAMES)}")
    return Variant(name, environment.get("ROSTRUM_TORCH_INDEX", "").strip())
