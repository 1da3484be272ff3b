"""Where runtimes and cells keep their files: a folder that cells may look into, nothing else.

It is never below the work folder, which holds the database and the secrets, nor below a home.
Everything in it belongs to the worker and is writable by the worker alone.
"""

import os
import secrets
import shutil
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from worker import owners

MACHINE = Path("/run/rostrum-slots")
"""Where the locks of the whole machine lie, whichever folder a worker keeps its cells in."""

_FOLDERS = ("runtime", "environments", "cells", "slots", "owners")


@dataclass(frozen=True, slots=True)
class Place:
    """The sandbox folder of this machine, checked."""

    root: Path

    @classmethod
    def open(cls, root: Path) -> "Place":
        """The folder, made if it is missing; `UsageError` if others than we could write it."""
        root = root.absolute()
        root.mkdir(parents=True, exist_ok=True, mode=0o755)
        for folder in (root, *(root / name for name in _FOLDERS)):
            folder.mkdir(exist_ok=True, mode=0o755)
            _check(folder)
        return cls(root)

    @property
    def runtimes(self) -> Path:
        """Prepared runtimes of bubblewrap, by hash."""
        return self.root / "runtime"

    @property
    def slots(self) -> Path:
        """Lock files of user ids and devices; whoever holds one owns that.

        They are the whole machine's where the worker is root: two installations beside each other
        would else end each other's cells.
        """
        if os.geteuid() != 0:
            return self.root / "slots"
        MACHINE.mkdir(exist_ok=True, mode=0o755)
        _check(MACHINE)
        return MACHINE

    @property
    def environments(self) -> Path:
        """Installed requirements of submissions, by hash."""
        return self.root / "environments"

    @property
    def owner(self) -> str:
        """The name of this process as an owner of cells."""
        return owners.mine(self.root / "owners")

    def is_abandoned(self, owner: str) -> bool:
        """Whether the process that bore this name here has died."""
        return owners.is_dead(self.root / "owners", owner)

    def new_cell(self, name: str, *, seconds: float) -> Path:
        """A fresh folder for one cell; the caller removes it, or `sweep` once the caller has died
        or `seconds` have passed."""
        mark = f"{time.time() + seconds:.0f}-{self.owner}.{secrets.token_hex(2)}"
        folder = self.root / "cells" / f"{name}-{mark}"
        folder.mkdir(mode=0o755)
        folder.chmod(0o755)
        return folder

    def sweep(self) -> None:
        """Remove the folders of cells whose worker has died or that are past their deadline."""
        for folder in (self.root / "cells").iterdir():
            _, deadline, mark = folder.name.rsplit("-", 2)
            if self.is_abandoned(mark.partition(".")[0]) or int(deadline) < time.time():
                shutil.rmtree(folder, ignore_errors=True)
        owners.forget(self.root / "owners")

    def stage(self, tree: Path, destination: Path) -> Path:
        """A copy of `tree` that any user can read and only we can write; `tree` if it is one.

        Links are copied as links, so they point into the cell; special files are left out.
        """
        if tree.is_relative_to(self.root):
            return tree
        shutil.copytree(
            tree, destination, symlinks=True, copy_function=_copy_readable, ignore=_special_files
        )
        for folder, _, _ in os.walk(destination):
            Path(folder).chmod(0o755)
        return destination


def _copy_readable(source: str, target: str) -> None:
    if Path(source).is_symlink():
        Path(target).symlink_to(Path(source).readlink())
        return
    shutil.copyfile(source, target)
    Path(target).chmod(0o755 if Path(source).stat().st_mode & stat.S_IXUSR else 0o644)


def _special_files(folder: str, names: list[str]) -> list[str]:
    kinds = {name: (Path(folder) / name).lstat().st_mode for name in names}
    plain = (stat.S_ISREG, stat.S_ISDIR, stat.S_ISLNK)
    return [name for name, mode in kinds.items() if not any(is_kind(mode) for is_kind in plain)]


def _check(folder: Path) -> None:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise UsageError(
            f"{folder} must be a folder that only this user can write: remove it, or set "
            "ROSTRUM_SANDBOX_DIR to another one"
        )
