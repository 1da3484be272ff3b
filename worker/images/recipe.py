"""What a runtime is made of: the pinned packages, our harness as a wheel, and their hash.

The hash names the runtime, so the same recipe is never built twice and another one never reuses
a name. Everything is read from the installed package, so a checkout and a wheel behave alike.
"""

import base64
import hashlib
import io
import zipfile
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from harness import __version__
from worker.images.python import PYTHON_VERSION
from worker.images.variant import Variant, chosen_variant

WHEEL_NAME = f"rostrum_harness-{__version__}-py3-none-any.whl"
"""A distribution name of our own: `harness` on the package index is other people's."""

OWN_NAMES = frozenset({"harness", "rostrum-dialogue", "rostrum-harness"})
"""What nobody else may be installed as."""

_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Recipe:
    """All inputs of a runtime; equal recipes give equal runtimes."""

    dockerfile: str
    requirements: str
    constraints: str
    harness: bytes
    variant: Variant = field(default_factory=Variant)

    def digest(self, *, base: str) -> str:
        """64 hex digits over every input and `base`, what the runtime is built on."""
        inputs = (self.dockerfile, self.requirements, self.constraints, base)
        parts = (*inputs, *self.variant.parts)
        return _hash(*(part.encode() for part in parts), self.harness)

    def packages_digest(self, python_version: str = PYTHON_VERSION) -> str:
        """64 hex digits over what is downloaded alone: the key of the wheelhouse."""
        parts = (self.requirements, self.constraints, python_version, *self.variant.parts)
        return _hash(*(part.encode() for part in parts))

    def names(self) -> frozenset[str]:
        """The normalised names of everything that the runtime ships, `harness` included."""
        lines = [line.split("#")[0].strip() for line in self.constraints.splitlines()]
        pinned = {normalised(line.split("==")[0]) for line in lines if line}
        return frozenset(pinned | OWN_NAMES | {"pip"})


def read_recipe(variant: Variant | None = None) -> Recipe:
    """The recipe of this installation, of the variant that its settings choose."""
    runtime = files("worker").joinpath("runtime")
    return Recipe(
        dockerfile=runtime.joinpath("Dockerfile").read_text("utf-8"),
        requirements=runtime.joinpath("requirements.txt").read_text("utf-8"),
        constraints=runtime.joinpath("constraints.txt").read_text("utf-8"),
        harness=harness_wheel(),
        variant=chosen_variant() if variant is None else variant,
    )


def normalised(name: str) -> str:
    """A distribution's name as the index compares it (PEP 503)."""
    return name.strip().lower().replace("_", "-").replace(".", "-")


@cache
def harness_wheel() -> bytes:
    """The `harness` package alone as a wheel, byte-identical for identical sources."""
    sources = dict(sorted(_sources(files("harness"), "harness")))
    info = f"rostrum_harness-{__version__}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: rostrum-harness\nVersion: {__version__}\n"
    sources[f"{info}/METADATA"] = metadata.encode()
    sources[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: rostrum\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    record = [f"{name},{_record_hash(data)},{len(data)}" for name, data in sources.items()]
    sources[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    return _zip(sources)


def _sources(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for item in folder.iterdir():
        name = f"{prefix}/{item.name}"
        if item.name == "__pycache__":
            continue
        if item.is_dir():
            found += _sources(item, name)
        else:
            found.append((name, item.read_bytes()))
    return found


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            entry = zipfile.ZipInfo(name, date_time=_EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return buffer.getvalue()


def _record_hash(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
    return f"sha256={digest.decode()}"


def _hash(*parts: bytes) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8, "big"))
        total.update(part)
    return total.hexdigest()
