"""What stands on a worker's disk and could be made again: environments, trees, runtimes, wheels.

Each shelf lists its own things with the time of their last use, and leaves out what must stay.
"""

import os
import re
import secrets
import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import docker.errors

from harness.errors import OperatorError
from worker.engine import engine
from worker.images.collect import Item
from worker.images.docker import KEEP
from worker.images.recipe import read_recipe
from worker.images.used import last_use, mark_of
from worker.place import Place
from worker.sandbox import inside
from worker.sandbox.slots import COUNT, FIRST_UID, processes_of

RECORD_SECONDS = 400 * 86_400.0
"""How long the list of an environment's versions outlives its folder."""

_RUIN_SECONDS = 86_400.0
"""Longer than anything takes to be made."""

_SEEN = (inside.CODE, inside.ENVIRONMENT, inside.RUNTIME)
LABEL = "rostrum.runtime"


@dataclass(frozen=True, slots=True)
class Stays:
    """What must not go: commits, environments and runtimes that a lock keeps, by name."""

    commits: Collection[str] = frozenset()
    environments: Collection[str] = frozenset()
    images: Collection[str] = frozenset()


def everything(place: Place, *, code: Path, cache: Path, stays: Stays) -> list[Item]:
    """All that could go: what no cell of this machine looks at and no lock keeps."""
    busy = in_use()
    return [
        item
        for item, path in [
            *_environments(place, stays.environments),
            *_trees(code, stays.commits),
            *_runtimes(place, stays.images),
            *_wheelhouses(cache),
        ]
        if not _is_busy(path, busy)
    ] + images(place, stays.images)


def sweep_ruins(place: Place, *, now: float | None = None) -> int:
    """Remove what builders left that were killed, and records that nobody will ask for."""
    moment = time.time() if now is None else now
    removed = 0
    for pattern in ("environments/.*", "runtime/.*", "code/*/.gone-*"):
        for path in place.root.glob(pattern):
            if path.is_dir() and _age(path, moment) > _RUIN_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
                removed += 1
    for record in place.environments.glob("*.json"):
        if _age(record, moment) > RECORD_SECONDS and not any(
            place.environments.glob(f"{record.stem}-*")
        ):
            record.unlink(missing_ok=True)
            record.with_suffix(".log").unlink(missing_ok=True)
            removed += 1
    return removed


_LOWER = re.compile(r"lowerdir=([^:,\s]+)")
"""What lies below a layer."""

Busy = frozenset[tuple[int, int]]
"""Folders that cells look at, by device and inode."""


def in_use() -> Busy:
    """What running cells look at, whoever started them, be it through a layer or as it is."""
    folders = {*_shown_by_engine(), *_shown_by_bubblewrap()}
    found: set[tuple[int, int]] = set()
    for folder in folders:
        with suppress(OSError):
            about = Path(folder).stat()
            found.add((about.st_dev, about.st_ino))
    return frozenset(found)


def _shown_by_bubblewrap() -> Iterator[str]:
    """As the kernel tells it of every process of a slot's user."""
    for number in range(COUNT):
        for process in processes_of(FIRST_UID + number):
            with suppress(OSError):
                for line in Path(f"/proc/{process}/mountinfo").read_text("utf-8").splitlines():
                    yield from _LOWER.findall(line)
            yield from (f"/proc/{process}/root{seen}" for seen in _SEEN)


def _shown_by_engine() -> Iterator[str]:
    """As the engine tells it of our containers."""
    try:
        with engine() as client:
            cells: dict[str, str | list[str] | bool] = {"label": "rostrum.cell"}
            for one in client.api.containers(all=True, filters=cells):
                for mount in one["Mounts"]:
                    yield mount.get("Source", "")
                    if mount.get("Type") == "volume":
                        options = client.api.inspect_volume(mount["Name"]).get("Options") or {}
                        yield from _LOWER.findall(options.get("o", ""))
    except (OperatorError, docker.errors.NotFound):  # no engine, or it ended a cell just now
        return


def _is_busy(path: Path, busy: Busy) -> bool:
    try:
        about = path.stat()
    except OSError:
        return False
    return (about.st_dev, about.st_ino) in busy


def _environments(place: Place, keep: Collection[str]) -> Iterator[tuple[Item, Path]]:
    for folder in place.environments.glob("[0-9a-f]*"):
        if not folder.is_dir() or folder.name in keep:
            continue
        record = place.environments / f"{folder.name.partition('-')[0]}.json"
        used = max(_mtime(record), _mtime(folder))
        yield _folder("environment", folder, used), folder


def _trees(code: Path, keep: Collection[str]) -> Iterator[tuple[Item, Path]]:
    for facts in code.glob("*/*.json"):
        tree = facts.with_suffix("")
        if facts.stem not in keep:
            yield _folder("tree", tree, _mtime(facts), beside=facts), tree


def _runtimes(place: Place, keep: Collection[str]) -> Iterator[tuple[Item, Path]]:
    kept = {digest[:16] for digest in keep}
    for folder in place.runtimes.iterdir():
        if folder.is_dir() and not folder.name.startswith(".") and folder.name not in kept:
            used = max(last_use(place, folder.name), _mtime(folder))
            yield _folder("runtime", folder, used), folder


def _wheelhouses(cache: Path) -> Iterator[tuple[Item, Path]]:
    current = read_recipe().packages_digest()[:16]
    for folder in (cache / "wheels").glob("[0-9a-f]*"):
        if folder.is_dir() and folder.name != current:
            yield _folder("wheels", folder, _mtime(folder)), folder


def images(place: Place, keep: Collection[str], *, label: str = LABEL) -> list[Item]:
    """The engine's images with our label, but those that a lock names or a container stands on."""
    try:
        with engine() as client:
            home = Path(client.info().get("DockerRootDir", ""))
            disk = home if home.is_dir() else place.root
            stood_on = {str(one["ImageID"]) for one in client.api.containers(all=True)}
            found = client.api.images(filters={"label": label})
    except OperatorError:  # no engine here: then there are no images, either
        return []
    return [
        Item(
            "image",
            one["Id"],
            max(float(one["Created"]), last_use(place, mark_of(one["Id"]))),
            disk,
            partial(_remove_image, one["Id"]),
        )
        for one in found
        if one["Id"] not in keep and one["Id"] not in stood_on and not _is_named(one)
    ]


def _is_named(image: Mapping[str, Any]) -> bool:  # Any: the engine's own JSON
    """Whether a lock has given it a name that stays."""
    return any(tag.startswith(f"{KEEP}:") for tag in image["RepoTags"] or ())


def _remove_image(digest: str) -> bool:
    """Without force, so that an image which was taken into use meanwhile stays."""
    with suppress(OperatorError, docker.errors.APIError), engine() as client:
        for tag in client.images.get(digest).tags:
            client.api.remove_image(tag)
        with suppress(docker.errors.ImageNotFound):
            client.api.remove_image(digest)
        return True
    return False


def _folder(kind: str, folder: Path, used: float, *, beside: Path | None = None) -> Item:
    """A folder that goes at once, by name, before its files are removed one by one."""

    def remove() -> bool:
        last = folder.with_name(f".gone-{folder.name}-{secrets.token_hex(4)}")
        if beside is not None:
            beside.unlink(missing_ok=True)
        try:
            folder.rename(last)
        except FileNotFoundError:
            return False
        for parent, _, _ in os.walk(last):  # folders of a tree may be read-only
            with suppress(OSError):
                Path(parent).chmod(0o700)
        shutil.rmtree(last, ignore_errors=True)
        return not last.exists()

    return Item(kind, folder.name, used, folder.parent, remove)


def _mtime(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0


def _age(path: Path, moment: float) -> float:
    return moment - _mtime(path)
