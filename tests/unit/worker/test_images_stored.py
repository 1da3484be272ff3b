"""Runtimes that a digest names, and the names that keep images of the engine."""

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from harness.errors import OperatorError
from worker.images import keep_images, stored_runtime
from worker.images.docker import KEEP
from worker.place import Place


def test_a_stored_runtime_is_named_by_its_digest_and_not_made(tmp_path: Path) -> None:
    place = Place.open(tmp_path)
    digest = "0123456789abcdef" * 4
    assert stored_runtime("docker", f"sha256:{digest}", place=place).digest == f"sha256:{digest}"
    stored = stored_runtime("bubblewrap", digest, place=place)
    assert stored.path == place.runtimes / "0123456789abcdef"
    assert list(place.runtimes.iterdir()) == []
    with pytest.raises(OperatorError) as raised:
        stored_runtime("trusted", digest, place=place)
    assert raised.value.code == "image_missing"


@pytest.mark.docker
def test_a_kept_image_gets_one_name_that_stays() -> None:
    made = subprocess.run(
        ["docker", "import", "-"], input=empty_tar(), capture_output=True, check=True, timeout=60
    )
    digest = made.stdout.decode().strip()
    name = f"{KEEP}:{digest.removeprefix('sha256:')[:12]}"
    try:
        assert keep_images([digest, "sha256:" + "0" * 64]) == 1
        assert keep_images([digest]) == 0
        told = subprocess.run(
            ["docker", "inspect", "--format", "{{.RepoTags}}", digest],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        assert told.stdout.strip() == f"[{name}]"
    finally:
        subprocess.run(["docker", "rmi", "-f", digest], capture_output=True, check=True)


def empty_tar() -> bytes:
    """An archive with one file, unlike any other."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        content = os.urandom(16)
        member = tarfile.TarInfo("seal")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
