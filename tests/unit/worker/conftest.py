"""A shelf of repositories, and a store that an unprivileged child can reach."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from gitrepos import Shelf


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    # not pytest's own folder: that one is closed to the fetch child's user
    base = Path(tempfile.mkdtemp(prefix="rostrum-test-", dir="/var/tmp"))
    base.chmod(0o711)
    (base / "repos").mkdir(mode=0o700)
    try:
        yield Shelf(base / "repos", base / "store")
    finally:
        subprocess.run(["chmod", "-R", "u+rwX", str(base)], check=True)
        shutil.rmtree(base)
