"""The runtime of bubblewrap: a virtual environment of the system's Python, readable by all."""

import subprocess
from pathlib import Path

from harness.errors import UsageError
from worker.images.cache import make_once
from worker.images.python import Interpreter, system_interpreter
from worker.images.recipe import WHEEL_NAME, Recipe, read_recipe
from worker.images.runtime import Runtime
from worker.images.wheelhouse import Progress, pip, wheelhouse
from worker.place import Place
from worker.settings import from_environment

VENV_SECONDS = 120.0


def prepare_bubblewrap(progress: Progress) -> Runtime:
    """The runtime folder under `ROSTRUM_SANDBOX_DIR/runtime/<hash>`, made if it is missing.

    `UsageError` where the system has no Python of its own below /usr.
    """
    recipe, interpreter = read_recipe(), system_interpreter()
    digest = recipe.digest(base=f"{interpreter.path} {interpreter.version}")
    target = Place.open(from_environment().sandbox_directory).runtimes / digest[:16]

    def make(folder: Path) -> None:
        wheels = wheelhouse(recipe, progress=progress, python_version=interpreter.version)
        progress("installing the runtime for bubblewrap (about a minute, once)")
        _install(folder, wheels=wheels, recipe=recipe, interpreter=interpreter)

    return Runtime("bubblewrap", digest, path=make_once(target, make))


def _install(folder: Path, *, wheels: Path, recipe: Recipe, interpreter: Interpreter) -> None:
    """A virtual environment without pip of its own; the host's pip fills it from files only."""
    _make_venv(folder, interpreter)
    constraints, requirements = folder / "constraints.txt", folder / "requirements.txt"
    constraints.write_text(recipe.constraints, "utf-8")
    requirements.write_text(recipe.requirements, "utf-8")
    harness = folder / WHEEL_NAME
    harness.write_bytes(recipe.harness)
    pip(
        *("--python", str(folder / "bin" / "python"), "install", "--no-index"),
        *("--find-links", str(wheels), "--constraint", str(constraints)),
        *("--requirement", str(requirements), str(harness)),
        purpose="install the runtime",
    )
    harness.unlink()


def _make_venv(folder: Path, interpreter: Interpreter) -> None:
    made = subprocess.run(  # noqa: S603 - the system's Python, arguments of our own
        [interpreter.path, "-I", "-m", "venv", "--without-pip", folder],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=VENV_SECONDS,
        check=False,
    )
    if made.returncode:
        raise UsageError(
            f"{interpreter.path} could not make a virtual environment: "
            f"{made.stderr.strip()[-300:]}; install the system's python3-venv"
        )
