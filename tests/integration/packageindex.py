"""A package index of a test's own: a folder of wheels and sources, and a small server of it."""

import io
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BACKEND = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
"""A package whose own code builds it, so that nothing else has to be installed first."""


def wheel(
    folder: Path,
    name: str,
    files: Mapping[str, str | bytes],
    *,
    version: str = "1.0",
    needs: str = "",
) -> Path:
    """Write a wheel of these files."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += f"Requires-Dist: {needs}\n" if needs else ""
    tag = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, content in files.items():
            archive.writestr(file, content)
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(f"{info}/WHEEL", tag)
        archive.writestr(f"{info}/RECORD", "")
    return path


def source(folder: Path, name: str, backend: str, *, version: str = "1.0") -> Path:
    """Write a source archive whose `backend.py` is run to build it."""
    path = folder / f"{name}-{version}.tar.gz"
    files = {
        "pyproject.toml": BACKEND,
        "backend.py": backend,
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
    }
    with tarfile.open(path, "w:gz") as archive:
        for file, content in files.items():
            member = tarfile.TarInfo(f"{name}-{version}/{file}")
            member.size = len(content.encode())
            archive.addfile(member, io.BytesIO(content.encode()))
    return path


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of an index over the archives in `folder`."""
    for archive in [*folder.glob("*.whl"), *folder.glob("*.tar.gz")]:
        page = folder / "simple" / archive.name.split("-")[0].replace("_", "-")
        page.mkdir(parents=True, exist_ok=True)
        with (page / "index.html").open("a") as file:
            file.write(f'<a href="../../{archive.name}">{archive.name}</a>\n')
    handler = partial(_Quiet, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/simple"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass
