"""A submission's own packages: built once for equal requirements, kept, found again.

An environment is a folder named by its requirements and by its files. Beside it lies a record of
what was chosen, so that a folder that was collected comes back the same, and the log of the build.
What the runtime ships cannot be replaced, neither by a line of the file nor through a dependency.
"""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event
from typing import Any

from harness.errors import SubmissionError, UsageError
from worker.images.build import Built, Errand, Room, Rules
from worker.images.build import build as run_build
from worker.images.cache import locked
from worker.images.disk import ours_if_full
from worker.images.index import read_index
from worker.images.parcel import Package
from worker.images.python import PYTHON_VERSION, system_interpreter
from worker.images.recipe import OWN_NAMES, Recipe, read_recipe
from worker.images.requirements import parse_requirements, refuse_shipped
from worker.images.runtime import Runtime
from worker.place import Place
from worker.sandbox import Sandbox

Tell = Callable[[str], None]
_WHEELS = ("--only-binary", ":all:")
_KEY, _CONTENT = 24, 12
"""Hex digits of the two halves of a name."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Installed requirements. `path` is shown to cells, `name` goes into the attempt, `log` is what
    the build printed, `packages` what it chose."""

    path: Path
    name: str
    log: str
    packages: tuple[Package, ...]


def prepare_environment(
    requirements: Path,
    *,
    runtime: Runtime,
    place: Place,
    build: Rules,
    sandbox: Sandbox,
    tell: Tell,
    stop: Event | None = None,
) -> Environment | None:
    """The packages that `requirements` asks for, built if they are not here; None for none.

    Whoever asks for the same at the same time waits for the one who builds. `SubmissionError`
    (`build_failed`; a `BuildError` has the log), `OperatorError` and `Stopped` as in
    `worker.images.build`; `UsageError` where the host's pip does not work at all. The trusted
    runner installs nothing: it has what its own Python has.
    """
    lines = parse_requirements(requirements)
    if not lines:
        return None
    recipe = read_recipe()
    refuse_shipped(lines, recipe)
    if sandbox.name == "trusted":
        tell("the trusted runner installs no requirements: it uses what this Python has")
        return None
    order = _Order(lines, runtime, recipe, build, place, sandbox.name, tell, stop)
    records = _Records(place.environments, order.key)
    if found := records.environment():
        return found
    with ours_if_full(), locked(place.environments / order.key, stop=stop):
        return records.environment() or _made(order, records)


def stored_environment(name: str, *, place: Place) -> Environment | None:
    """The environment of this name, if it is on this machine; it counts as used now."""
    found = _Records(place.environments, name[:_KEY]).environment()
    if found is not None and found.name == name:
        return found
    path = place.environments / name
    return Environment(path, name, "", ()) if path.is_dir() else None


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be built, from what, where."""

    lines: tuple[str, ...]
    runtime: Runtime
    recipe: Recipe
    rules: Rules
    place: Place
    sandbox: str
    tell: Tell
    stop: Event | None

    @property
    def key(self) -> str:
        """Equal for equal requirements on equal runtimes."""
        bubblewrap = self.runtime.name == "bubblewrap"
        python = system_interpreter().version if bubblewrap else PYTHON_VERSION
        taken = "source" if self.rules.source else "wheels"
        parts = [self.runtime.digest, python, taken, *self.lines]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:_KEY]

    def errands(self, chosen: tuple[Package, ...]) -> Iterator[Errand]:
        """First what was `chosen` the last time, to the byte; then what pip chooses today."""
        index, options = read_index(), () if self.rules.source else _WHEELS
        if self.rules.source and index.has_password:
            raise UsageError(
                "[build] source = true would show the package index's password to packages' own "
                "code: use an index without one, or allow wheels only"
            )
        if chosen and all(one.sha256 for one in chosen):
            pins = tuple(f"{one.name}=={one.version} --hash=sha256:{one.sha256}" for one in chosen)
            same = (*options, "--no-deps", "--require-hashes")
            yield Errand(pins, same, "", self.runtime, index, self.rules)
        yield Errand(self.lines, options, _held(self.recipe), self.runtime, index, self.rules)


def _made(order: _Order, records: "_Records") -> Environment:
    """Built as it was chosen before, or chosen anew; the lock is ours."""
    order.tell(f"installing the requirements ({len(order.lines)} lines)")
    *before, today = order.errands(records.packages())
    for errand in before:
        try:
            return _built(errand, order, records)
        except SubmissionError:
            order.tell("what was chosen before cannot be had any more: choosing anew")
    return _built(today, order, records)


def _built(errand: Errand, order: _Order, records: "_Records") -> Environment:
    fresh = records.home / f".{records.key}.{secrets.token_hex(4)}"
    fresh.mkdir(mode=0o755)
    fresh.chmod(0o755)
    try:
        made = run_build(
            errand,
            name=f"rostrum-build-{records.key[:12]}",
            place=order.place,
            destination=fresh,
            open_room=_rooms(order.sandbox),
            stop=order.stop,
        )
        return records.keep(made, fresh)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _rooms(sandbox: str) -> Callable[[Runtime, Place], Room]:
    """How a build sandbox is opened. The imports wait, because sandboxes know this package."""
    if sandbox == "bubblewrap":
        from worker.images.build_bubblewrap import BubblewrapRoom

        return BubblewrapRoom
    from worker.images.build_docker import DockerRoom

    return DockerRoom


def _held(recipe: Recipe) -> str:
    """The runtime's own versions, and a version that nothing has for our names."""
    return recipe.constraints + "".join(f"\n{name}==0+never" for name in sorted(OWN_NAMES)) + "\n"


@dataclass(frozen=True, slots=True)
class _Records:
    """What is kept of the environment of one key: `<key>.json`, `<key>.log`, the folder."""

    home: Path
    key: str

    def environment(self) -> Environment | None:
        """What the record names, if it is here; it counts as used now."""
        record = self._read()
        if record is None or not (path := self.home / record["name"]).is_dir():
            return None
        try:
            os.utime(self._record)
            log = self._log.read_text("utf-8")
        except FileNotFoundError:  # collected since
            log = ""
        return Environment(path, record["name"], log, self.packages())

    def packages(self) -> tuple[Package, ...]:
        """What was chosen the last time."""
        record = self._read()
        return tuple(Package(**item) for item in record["packages"]) if record else ()

    def keep(self, made: Built, fresh: Path) -> Environment:
        """Give the folder its name, write the record last."""
        name = f"{self.key}-{made.parcel.digest[:_CONTENT]}"
        path = self.home / name
        shutil.rmtree(path, ignore_errors=True)
        fresh.rename(path)
        self._log.write_text(made.log, "utf-8")
        record = {
            "name": name,
            "bytes": made.parcel.bytes,
            "files": made.parcel.files,
            "seconds": round(made.seconds, 1),
            "packages": [asdict(one) for one in made.parcel.packages],
        }
        draft = self._record.with_suffix(".new")
        draft.write_text(json.dumps(record, indent=1), "utf-8")
        draft.replace(self._record)
        return Environment(path, name, made.log, made.parcel.packages)

    @property
    def _record(self) -> Path:
        return self.home / f"{self.key}.json"

    @property
    def _log(self) -> Path:
        return self.home / f"{self.key}.log"

    def _read(self) -> dict[str, Any] | None:  # Any: JSON of our own
        try:
            found: dict[str, Any] = json.loads(self._record.read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        return found
