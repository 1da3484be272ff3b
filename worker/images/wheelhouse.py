"""The wheels of the runtime, downloaded once on the host by its own pip and settings.

Only wheels are taken: nothing that is downloaded runs on the host. Which index, mirror or folder
pip asks is the host's configuration and `ROSTRUM_TORCH_INDEX`, never ours.
"""

import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.errors import UsageError
from worker.images.cache import cache_folder, make_once
from worker.images.python import PYTHON_VERSION
from worker.images.recipe import Recipe

Progress = Callable[[str], None]
"""Told one line for people at each step."""

DOWNLOAD_SECONDS = 1800.0
_GLIBC_TAGS = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")


def wheelhouse(recipe: Recipe, *, progress: Progress, python_version: str = PYTHON_VERSION) -> Path:
    """A folder with every wheel of `recipe` for that Python on Linux; made once, then read."""
    key = recipe.packages_digest(python_version)[:16]

    def download(folder: Path) -> None:
        progress(f"downloading the runtime's packages for Python {python_version} (once)")
        requirements, constraints = folder / ".requirements", folder / ".constraints"
        requirements.write_text(recipe.requirements, "utf-8")
        constraints.write_text(recipe.constraints, "utf-8")
        pip(
            *("download", "--only-binary", ":all:", "--dest", str(folder)),
            *("--requirement", str(requirements), "--constraint", str(constraints)),
            *target_arguments(python_version),
            *recipe.variant.pip_options,
            purpose="download the runtime's packages",
        )
        if odd := recipe.variant.check(folder):
            progress(odd)
        requirements.unlink()
        constraints.unlink()

    return make_once(cache_folder() / "wheels" / key, download)


def target_arguments(python_version: str) -> tuple[str, ...]:
    """The options that make pip choose wheels for Python `python_version` on Linux."""
    chosen: tuple[str, ...] = ("--python-version", python_version, "--implementation", "cp")
    if sys.platform != "linux":
        machine = {"arm64": "aarch64"}.get(platform.machine(), platform.machine())
        for tag in _GLIBC_TAGS:
            chosen += ("--platform", f"{tag}_{machine}")
    return chosen


def pip(*arguments: str, purpose: str, seconds: float = DOWNLOAD_SECONDS) -> None:
    """Run the host's pip; `UsageError` with its last line if it fails."""
    done = run_pip(arguments, seconds=seconds)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no message"]
        raise UsageError(
            f"pip could not {purpose}: {lines[-1][:300]}",
            hint="check that `pip download numpy` works in this environment, then start again",
        )


def run_pip(arguments: Sequence[str], *, seconds: float) -> subprocess.CompletedProcess[str]:
    """The host's pip with `arguments`, its output kept; `UsageError` when it takes too long."""
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    try:
        return subprocess.run(  # noqa: S603 - a fixed program, arguments of our own
            [*command, "--no-input", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UsageError(f"pip took longer than {seconds:.0f} s: check the network") from None
