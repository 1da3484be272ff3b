"""Runtime images: what a submission runs on, made by the organizer from pinned packages only."""

from worker.images.bubblewrap import prepare_bubblewrap
from worker.images.docker import keep_images, make_base, prepare_docker
from worker.images.environment import Environment, prepare_environment, stored_environment
from worker.images.prepare import prepare
from worker.images.runtime import Runtime, SandboxName
from worker.images.stored import stored_runtime

__all__ = [
    "Environment",
    "Runtime",
    "SandboxName",
    "keep_images",
    "make_base",
    "prepare",
    "prepare_bubblewrap",
    "prepare_docker",
    "prepare_environment",
    "stored_environment",
    "stored_runtime",
]
