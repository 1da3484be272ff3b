"""Runtime images: what a submission runs on, made by the organizer from pinned packages only."""

from worker.images.bubblewrap import prepare_bubblewrap
from worker.images.docker import make_base, prepare_docker
from worker.images.environment import prepare_environment
from worker.images.prepare import prepare
from worker.images.runtime import Runtime, SandboxName

__all__ = [
    "Runtime",
    "SandboxName",
    "make_base",
    "prepare",
    "prepare_bubblewrap",
    "prepare_docker",
    "prepare_environment",
]
