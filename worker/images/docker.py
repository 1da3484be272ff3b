"""The runtime image of containers, built without network from the wheelhouse."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import docker
import docker.errors

from harness.errors import OperatorError, UsageError
from worker.engine import engine
from worker.images.cache import cache_folder, locked
from worker.images.recipe import WHEEL_NAME, Recipe, read_recipe
from worker.images.runtime import Runtime
from worker.images.wheelhouse import Progress, wheelhouse

DEFAULT_BASE = "python:3.11-slim"
REPOSITORY = "rostrum-runtime"
KEEP = "rostrum-keep"
BUILD_SECONDS = 1200.0
BASE_SECONDS = 1800.0


def prepare_docker(progress: Progress) -> Runtime:
    """The runtime image, built if no image carries its tag.

    The tag is the hash of Dockerfile, packages, harness and base. `OperatorError("engine_down")`
    if the engine does not answer; `UsageError` that names make-base.sh if the base image is
    absent and no registry has it.
    """
    recipe, base = read_recipe(), base_image()
    with engine(seconds=BUILD_SECONDS) as client:
        tag = f"{REPOSITORY}:{recipe.digest(base=base)[:12]}"
        if (digest := _image_id(client, tag)) is None:
            with locked(cache_folder() / tag.replace(":", "-")):
                digest = _image_id(client, tag) or _build(
                    client, recipe, base=base, tag=tag, progress=progress
                )
        return Runtime("docker", digest, tag=tag)


def base_image() -> str:
    """What the runtime is built on: `ROSTRUM_BASE_IMAGE`, by default `python:3.11-slim`."""
    return os.environ.get("ROSTRUM_BASE_IMAGE") or DEFAULT_BASE


def has_base() -> bool:
    """Whether the base image is on this machine already."""
    with engine() as client:
        return _image_id(client, base_image()) is not None


def make_base(progress: Progress) -> None:
    """Make the base image with debootstrap: a one-time step where no registry is reachable."""
    tag = base_image()
    progress(f"one-time step: making the base image {tag} with debootstrap (a few minutes)")
    with as_file(files("worker").joinpath("runtime", "make-base.sh")) as script:
        made = subprocess.run(  # noqa: S603 - our own script, our own tag
            ["/bin/sh", script, tag],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=BASE_SECONDS,
            check=False,
        )
    if made.returncode:
        lines = made.stderr.strip().splitlines() or ["no message"]
        raise UsageError(f"the base image {tag} could not be made: {lines[-1][:300]}")


def keep_images(digests: Iterable[str]) -> int:
    """Give each of these images that is here a tag of its own, `rostrum-keep:<12 hex>`, so that a
    newer runtime does not leave it nameless; how many got theirs now."""
    kept = 0
    with engine() as client:
        for digest in digests:
            tag = digest.removeprefix("sha256:")[:12]
            try:
                image = client.images.get(digest)
            except docker.errors.ImageNotFound:
                continue
            if f"{KEEP}:{tag}" not in image.tags:
                kept += image.tag(KEEP, tag=tag)
    return kept


def _build(
    client: docker.DockerClient, recipe: Recipe, *, base: str, tag: str, progress: Progress
) -> str:
    _ensure_base(client, base, progress)
    wheels = wheelhouse(recipe, progress=progress)
    progress(f"building the runtime image {tag} (about a minute, once)")
    with tempfile.TemporaryDirectory(prefix="context-", dir=cache_folder()) as name:
        context = Path(name)
        _fill_context(context, recipe, wheels)
        _run_build(client, context, base=base, tag=tag, variant=recipe.variant.name)
    digest = _image_id(client, tag)
    if digest is None:
        raise OperatorError("image_missing", message=f"the engine built {tag} but lost it")
    return digest


def _ensure_base(client: docker.DockerClient, base: str, progress: Progress) -> None:
    if _image_id(client, base) is not None:
        return
    progress(f"pulling the base image {base}")
    try:
        client.images.pull(base)
    except docker.errors.APIError as error:
        raise UsageError(
            f"the base image {base} is absent and could not be pulled: make it once with "
            f"`sudo worker/runtime/make-base.sh {base}` (debootstrap), then start again",
            code="image_missing",
        ) from error


def _fill_context(context: Path, recipe: Recipe, wheels: Path) -> None:
    (context / "Dockerfile").write_text(recipe.dockerfile, "utf-8")
    (context / "requirements.txt").write_text(recipe.requirements, "utf-8")
    (context / "constraints.txt").write_text(recipe.constraints, "utf-8")
    shutil.copytree(wheels, context / "wheels", copy_function=os.link)
    (context / "harness").mkdir()
    (context / "harness" / WHEEL_NAME).write_bytes(recipe.harness)


def _run_build(
    client: docker.DockerClient, context: Path, *, base: str, tag: str, variant: str
) -> None:
    events: Iterator[dict[str, Any]] = client.api.build(  # Any: the engine's own JSON
        path=str(context),
        tag=tag,
        buildargs={"BASE": base, "VARIANT": variant},
        network_mode="none",
        labels={"rostrum.runtime": tag},
        rm=True,
        forcerm=True,
        decode=True,
    )
    tail: list[str] = []
    for event in events:
        tail = [*tail, str(event.get("stream", "")).strip()][-20:]
        if "error" in event:
            said = " / ".join(line for line in tail if line)
            raise UsageError(
                f"the runtime image {tag} could not be built: {event['error']}: {said}"
            )


def _image_id(client: docker.DockerClient, tag: str) -> str | None:
    try:
        return client.images.get(tag).id
    except docker.errors.ImageNotFound:
        return None
