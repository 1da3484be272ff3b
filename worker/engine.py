"""The door to the container engine: a client with deadlines, and its failures as our errors."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import docker
import docker.errors
import requests.exceptions

from harness.errors import OperatorError

CALL_SECONDS = 30.0
"""How long the engine may take for one answer."""

KNOCK_SECONDS = 5.0
DEFAULT_HOST = "unix:///var/run/docker.sock"


@contextmanager
def engine(*, seconds: float = CALL_SECONDS) -> Iterator[docker.DockerClient]:
    """A client of the engine that `DOCKER_HOST` names (by default the local one).

    One per thread and task: a client is not shared. Failures inside the block that only the
    engine can cause become `OperatorError`: `engine_down`, `image_missing` or `disk_full`.
    """
    _knock()
    with translated():
        client = docker.from_env(timeout=int(seconds))
        try:
            yield client
        finally:
            client.close()


@contextmanager
def translated() -> Iterator[None]:
    """Turn the engine's own failures into `OperatorError`."""
    try:
        yield
    except docker.errors.ImageNotFound as error:
        raise OperatorError("image_missing", message=f"image missing: {error}") from error
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        code = "disk_full" if "no space left on device" in str(error) else "engine_down"
        raise OperatorError(code, message=f"the container engine failed: {error}") from error


def _knock() -> None:
    """`engine_down` with a plain sentence if nobody listens on the engine's local socket."""
    scheme, _, path = (os.environ.get("DOCKER_HOST") or DEFAULT_HOST).partition("://")
    if scheme != "unix":
        return
    with socket.socket(socket.AF_UNIX) as door:
        door.settimeout(KNOCK_SECONDS)
        try:
            door.connect(path)
        except OSError as error:
            reason = error.strerror or "no answer"
            raise OperatorError(
                "engine_down", message=f"no container engine answers at {path}: {reason}"
            ) from error
