"""The gallery's requirements: each file is installed as a submission's is, in the build sandbox.

The package that runs code of its own lies in a local folder, where the host's pip is told to look;
its setup.py is the build backend itself, and fails if it can see anything of the machine.
"""

import io
import os
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from gallerycells import Ending
from galleryworld import CANARY, Case

from harness.errors import RostrumError
from leaderboard.rules import Build
from worker.images import prepare, prepare_environment
from worker.place import Place
from worker.sandbox import Sandbox
from worker.sandbox.choose import open_sandbox

NAME = "rostrum-gallery-evil"

SETUP = """\
import os, pathlib, re, socket, sys, zipfile

CANARY = re.compile(rb"c[a]nary-[0-9a-f]{16}")
found = []
for name in os.listdir("/proc"):
    for kind in ("environ", "cmdline"):
        try:
            if CANARY.search(pathlib.Path("/proc", name, kind).read_bytes()):
                found.append(f"/proc/{name}/{kind}")
        except OSError:
            pass
for address in (("1.1.1.1", 53), ("169.254.169.254", 80), ("127.0.0.1", 22)):
    try:
        socket.create_connection(address, timeout=1)
        found.append(str(address))
    except OSError:
        pass
for path in ("/root", "/var/lib/docker", "/var/run/docker.sock", "/home", "/etc/shadow"):
    try:
        open(path) if not os.path.isdir(path) else os.listdir(path)[0]
        found.append(path)
    except (OSError, IndexError):
        pass
for path in ("/usr/x", "/etc/x", "/proc/sys/kernel/core_pattern", "/opt/rostrum/x"):
    try:
        open(path, "w")
        found.append(path)
    except OSError:
        pass
if found or os.getuid() == 0:
    sys.exit(f"FOUND {found} as {os.getuid()}")


def build_wheel(folder, config_settings=None, metadata_directory=None):
    name, about = "rostrum_gallery_evil-1.0", "Name: rostrum-gallery-evil\\nVersion: 1.0\\n"
    with zipfile.ZipFile(f"{folder}/{name}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("rostrum_gallery_evil.py", "")
        wheel.writestr(f"{name}.dist-info/METADATA", "Metadata-Version: 2.1\\n" + about)
        wheel.writestr(f"{name}.dist-info/WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
        wheel.writestr(f"{name}.dist-info/RECORD", "")
    return f"{name}-py3-none-any.whl"
"""

PROJECT = """\
[build-system]
requires = []
build-backend = "setup"
backend-path = ["."]
"""


@contextmanager
def package_source() -> Iterator[None]:
    """Have the host's pip look into one folder with the hostile package, and nowhere else."""
    with tempfile.TemporaryDirectory(prefix="rostrum-gallery-", dir="/var/tmp") as folder:
        home = Path(folder)
        home.chmod(0o755)
        _pack(home / f"{NAME.replace('-', '_')}-1.0.tar.gz")
        told = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": folder, "ROSTRUM_DATABASE_URL": CANARY}
        with mock.patch.dict(os.environ, told):
            yield


def _pack(target: Path) -> None:
    about = f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1.0\n"
    with tarfile.open(target, "w:gz") as archive:
        for name, text in (("setup.py", SETUP), ("pyproject.toml", PROJECT), ("PKG-INFO", about)):
            entry = tarfile.TarInfo(f"{NAME.replace('-', '_')}-1.0/{name}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    target.chmod(0o644)


class Builds:
    """Installs the gallery's requirements in one sandbox."""

    def __init__(self, sandbox: str) -> None:
        self._runtime = prepare(sandbox, print)
        self._sandbox: Sandbox = open_sandbox(sandbox, runtime=self._runtime)

    def run(self, case: Case) -> Ending:
        """The verdict of one file; `installed` if its packages could be had."""
        verdict, told, began = ("installed", None), "", time.monotonic()
        with tempfile.TemporaryDirectory(prefix="rg-", dir="/var/tmp") as folder, package_source():
            Path(folder).chmod(0o755)
            place = Place.open(Path(folder) / "s")
            try:
                prepare_environment(
                    case.folder / "requirements.txt",
                    runtime=self._runtime,
                    place=place,
                    build=Build(source=bool(case.page.get("source", False)), seconds=60),
                    sandbox=self._sandbox,
                    tell=str,
                )
            except RostrumError as refused:
                verdict = (refused.code, refused.detail)
                told = f"{refused.message} {getattr(refused, 'log', '')}"
        return Ending(verdict, told=told, seconds=time.monotonic() - began)
