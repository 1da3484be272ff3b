"""A submission's own requirements: checked line by line, wheels only, installed once per content.

Nothing of a package runs here: pip unpacks wheels, and source builds are refused. What the runtime
ships cannot be replaced, neither by a line of the file nor through a dependency. The download
uses the host's pip and its settings; its result is keyed by the requirements and the runtime.
"""

import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness.errors import SubmissionError, UsageError
from worker.images.cache import make_once
from worker.images.python import PYTHON_VERSION, system_interpreter
from worker.images.recipe import Recipe, normalised, read_recipe
from worker.images.runtime import Runtime
from worker.images.wheelhouse import run_pip, target_arguments
from worker.place import Place

MAX_FILE_BYTES = 16 << 10
MAX_LINES = 100
MAX_BYTES = 2 << 30
BUILD_SECONDS = 600.0

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,80}[A-Za-z0-9])?"
_VERSION = r"(?:===?|~=|!=|<=?|>=?)\s*[A-Za-z0-9][A-Za-z0-9.*+!_-]{0,40}"
_EXTRAS = r"\[[A-Za-z0-9,._ -]{0,80}\]"
_LINE = re.compile(rf"(?P<name>{_NAME})\s*(?:{_EXTRAS})?\s*(?:{_VERSION}(?:\s*,\s*{_VERSION})*)?")
_NOT_FOUND = ("No matching distribution", "Could not find a version")
_CONFLICT = ("ResolutionImpossible", "conflicting dependencies", "incompatible")


def prepare_environment(requirements: Path, *, runtime: Runtime, place: Place) -> Path | None:
    """The folder with the packages that `requirements` asks for; None if it asks for none.

    `SubmissionError("build_failed")` with the detail `refused_line` (options, URLs, paths,
    markers, a file that is no plain list), `shipped_name`, `not_found`, `conflict`, `timeout` or
    `too_large`. `UsageError` where the host's pip does not work at all.
    """
    lines = parse_requirements(requirements)
    if not lines:
        return None
    recipe, python = read_recipe(), _python_of(runtime)
    refuse_shipped(lines, recipe)
    key = hashlib.sha256("\n".join([runtime.digest, python, *lines]).encode()).hexdigest()[:24]

    def make(folder: Path) -> None:
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".wheels-") as wheels:
            _download(lines, recipe, python=python, destination=Path(wheels))
            _install(Path(wheels), recipe, python=python, destination=folder)

    return make_once(place.environments / key, make)


def parse_requirements(requirements: Path) -> tuple[str, ...]:
    """The sorted lines of the file, each a name with versions; anything else is refused."""
    if not requirements.is_file() or requirements.is_symlink():
        return ()
    with requirements.open("rb") as handle:
        content = handle.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise _refused("refused_line", f"requirements.txt is larger than {MAX_FILE_BYTES} bytes")
    try:
        lines = tuple(sorted(set(_lines(content.decode("utf-8-sig")))))
    except UnicodeDecodeError:
        raise _refused("refused_line", "requirements.txt is not UTF-8") from None
    if len(lines) > MAX_LINES:
        raise _refused("refused_line", f"requirements.txt has more than {MAX_LINES} lines")
    return lines


def refuse_shipped(lines: tuple[str, ...], recipe: Recipe) -> None:
    """`build_failed: shipped_name` if a line names what the runtime ships."""
    shipped = recipe.names()
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None or normalised(match["name"]) in shipped:
            raise _refused("shipped_name", f"the runtime ships this already: {line}")


def _lines(text: str) -> Iterator[str]:
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.split("#", maxsplit=1)[0].strip()
        if not line:
            continue
        if not _LINE.fullmatch(line):
            raise _refused("refused_line", f"requirements.txt:{number}: only names and versions")
        yield line


def _python_of(runtime: Runtime) -> str:
    return system_interpreter().version if runtime.name == "bubblewrap" else PYTHON_VERSION


def _download(lines: tuple[str, ...], recipe: Recipe, *, python: str, destination: Path) -> None:
    """Every wheel that the lines need, the runtime's own versions held fast."""
    constraints = destination / "constraints.txt"
    constraints.write_text(recipe.constraints, "utf-8")
    arguments = ("download", "--only-binary", ":all:", "--dest", str(destination))
    target = target_arguments(python)
    try:
        done = run_pip(
            (*arguments, *target, "--constraint", str(constraints), "--", *lines),
            seconds=BUILD_SECONDS,
        )
    except UsageError:
        raise _refused("timeout", f"pip took longer than {BUILD_SECONDS:.0f} s") from None
    if done.returncode:
        raise _why(done)
    if sum(file.stat().st_size for file in destination.iterdir()) > MAX_BYTES:
        raise _refused("too_large", f"the packages are larger than {MAX_BYTES} bytes")


def _install(wheels: Path, recipe: Recipe, *, python: str, destination: Path) -> None:
    """Unpack the wheels that the runtime does not ship; no index, no dependencies, no code."""
    shipped = recipe.names()
    chosen = [
        str(wheel)
        for wheel in sorted(wheels.glob("*.whl"))
        if normalised(wheel.name.split("-")[0]) not in shipped
    ]
    unpack = ("install", "--no-index", "--no-deps", "--no-compile", "--only-binary", ":all:")
    target = ("--target", str(destination), *target_arguments(python))
    done = run_pip((*unpack, *target, *chosen), seconds=BUILD_SECONDS)
    if done.returncode:
        raise _why(done)
    shutil.rmtree(destination / "bin", ignore_errors=True)


def _why(done: subprocess.CompletedProcess[str]) -> SubmissionError:
    """The detail for pip's complaint; without a known one the requirements cannot be had."""
    detail = "not_found"
    if any(phrase in done.stderr for phrase in _CONFLICT):
        detail = "conflict"
    if any(phrase in done.stderr for phrase in _NOT_FOUND):
        detail = "not_found"
    return _refused(detail, f"pip could not install the requirements: {done.stderr[-500:]}")


def _refused(detail: str, message: str) -> SubmissionError:
    return SubmissionError("build_failed", detail=detail, message=message)
