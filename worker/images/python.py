"""Which Python runs a submission: 3.11 in containers, the system's own under bubblewrap."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError

PYTHON_VERSION = "3.11"
"""The Python of the container runtime, and the one that the participants' docs name."""

_CANDIDATES = ("/usr/bin/python3.11", "/usr/bin/python3", "/usr/local/bin/python3.11")
_PROBE = "import sys; print(sys.base_prefix); print('%d.%d' % sys.version_info[:2])"


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python whose real prefix is below /usr, so that a sandbox which shows /usr can run it."""

    path: Path
    version: str


def system_interpreter() -> Interpreter:
    """The interpreter for bubblewrap; `UsageError` where the system has none."""
    for candidate in _CANDIDATES:
        if found := _probe(Path(candidate)):
            return found
    raise UsageError(
        "bubblewrap needs a Python 3.11 or newer installed under /usr and there is none: "
        "install the system's python3 and python3-venv, or use --sandbox docker"
    )


def _probe(path: Path) -> Interpreter | None:
    if not path.exists():
        return None
    asked = subprocess.run(  # noqa: S603 - one of three fixed paths
        [path, "-I", "-c", _PROBE], capture_output=True, text=True, timeout=30, check=False
    )
    prefix, _, version = asked.stdout.strip().partition("\n")
    if asked.returncode or not Path(prefix).is_relative_to("/usr"):
        return None
    major, minor = version.split(".")
    return Interpreter(path, version) if (int(major), int(minor)) >= (3, 11) else None
