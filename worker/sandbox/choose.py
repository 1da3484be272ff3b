"""A sandbox by its name, and the strongest one that this machine has."""

import os
import shutil
from typing import Protocol

from harness.errors import OperatorError, UsageError
from worker.engine import engine
from worker.images.runtime import Runtime
from worker.place import Place
from worker.sandbox import Sandbox
from worker.sandbox.bubblewrap import BubblewrapSandbox
from worker.sandbox.docker import DockerSandbox
from worker.sandbox.trusted import TrustedSandbox
from worker.settings import Settings, from_environment


class _Kind(Protocol):
    def __call__(self, *, runtime: Runtime, place: Place) -> Sandbox: ...


_KINDS: dict[str, _Kind] = {
    "docker": DockerSandbox,
    "bubblewrap": BubblewrapSandbox,
    "trusted": TrustedSandbox,
}


def open_sandbox(name: str, *, runtime: Runtime, settings: Settings | None = None) -> Sandbox:
    """The sandbox `docker`, `bubblewrap` or `trusted` over its prepared runtime.

    `settings` default to those of the environment.
    """
    if name not in _KINDS:
        raise UsageError(f"sandbox '{name}' is unknown; known: {', '.join(_KINDS)}")
    if runtime.name != name:
        raise UsageError(f"sandbox '{name}' needs its own runtime, not that of '{runtime.name}'")
    settings = settings or from_environment()
    place = Place.open(settings.sandbox_directory)
    if name == "docker":
        return DockerSandbox(runtime=runtime, place=place, below=settings.docker_runtime)
    return _KINDS[name](runtime=runtime, place=place)


def pick() -> str:
    """`docker` if the engine answers, else `bubblewrap`; for the demo and `check` alone.

    `UsageError` where there is neither. A worker never chooses: its competition names the sandbox.
    """
    try:
        with engine() as client:
            client.ping()
    except OperatorError:
        if shutil.which("bwrap") and os.geteuid() == 0:
            return "bubblewrap"
        raise UsageError(
            "no sandbox is available: start a container engine, or install bubblewrap and run "
            "as root"
        ) from None
    return "docker"
