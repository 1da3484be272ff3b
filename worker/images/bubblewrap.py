"""The runtime of bubblewrap: a virtual environment of the system's Python, readable by all."""

import os
import shutil
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
    runtimes = Place.open(from_environment().sandbox_directory).runtimes

    def make(folder: Path) -> None:
        packages = _packages(runtimes, recipe, interpreter, progress)
        shutil.copytree(packages, folder, symlinks=True, copy_function=os.link, dirs_exist_ok=True)
        wheel = folder / WHEEL_NAME
        wheel.write_bytes(recipe.harness)
        _install(folder, "--no-deps", str(wheel))
        wheel.unlink()

    return Runtime("bubblewrap", digest, path=make_once(runtime_folder(runtimes, digest), make))


def runtime_folder(runtimes: Path, digest: str) -> Path:
    """Where the runtime of this digest stands, if it was ever made on this machine."""
    return runtimes / digest[:16]


def _packages(runtimes: Path, recipe: Recipe, interpreter: Interpreter, progress: Progress) -> Path:
    """A virtual environment with all but our harness, so that a new harness is a second's work."""
    key = recipe.packages_digest(f"{interpreter.path} {interpreter.version}")[:16]

    def make(folder: Path) -> None:
        wheels = wheelhouse(recipe, progress=progress, python_version=interpreter.version)
        progress("installing the runtime for bubblewrap (about a minute, once)")
        _make_venv(folder, interpreter)
        constraints, requirements = folder / "constraints.txt", folder / "requirements.txt"
        constraints.write_text(recipe.constraints, "utf-8")
        requirements.write_text(recipe.requirements, "utf-8")
        listed = ("--constraint", str(constraints), "--requirement", str(requirements))
        _install(folder, "--find-links", str(wheels), *listed)

    return make_once(runtimes / f"packages-{key}", make)


def _install(folder: Path, *arguments: str) -> None:
    """The host's pip fills the environment, which has none of its own, from files only."""
    python = str(folder / "bin" / "python")
    pip("--python", python, "install", "--no-index", *arguments, purpose="install the runtime")


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
