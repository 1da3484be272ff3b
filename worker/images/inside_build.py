"""What runs inside a build sandbox: pip behind a bridge to the proxy, then everything sent out.

A file of its own for the runtime's Python: it imports the standard library and, by path, the
system-call filter that lies beside it. Nothing that it says is believed: a package's own code may
run beside it, as the same user. The one who reads the other end checks every byte.
"""

import contextlib
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

ERRAND = Path("/run/rostrum")
TOOLS = Path(__file__).resolve().parent
WORK = Path("/build")
HEADER = struct.Struct(">BHQ")
END, REPORT, PLAIN, EXECUTABLE, HELLO = range(5)
_PACKAGES = ("lib/python*/site-packages", "local/lib/python*/dist-packages")


def main() -> int:
    """Install what `errand.json` asks for and send it out; pip's own status."""
    errand = json.loads((ERRAND / "errand.json").read_text("utf-8"))
    _filter()
    port = _bridge(str(ERRAND / "proxy.sock"))
    with socket.socket(socket.AF_UNIX) as door:
        door.connect(str(ERRAND / "parcel.sock"))
        door.sendall(HEADER.pack(HELLO, 0, 0))  # before a byte of a package is read
        status = _pip(errand, port=port)
        with door.makefile("wb", buffering=1 << 20) as out:
            _send(out, status)
    return status


def _filter() -> None:
    sys.path.insert(0, str(TOOLS))
    import syscalls  # type: ignore[import-not-found]  # a copy of harness/remote/filter.py

    syscalls.install(families=(socket.AF_UNIX, socket.AF_INET))
    sys.path.pop(0)


def _pip(errand: dict[str, Any], *, port: int) -> int:  # Any: JSON of our own
    temporary = WORK / "tmp"
    temporary.mkdir()
    wanted, constraints = WORK / "requirements.txt", WORK / "constraints.txt"
    wanted.write_text("\n".join(errand["lines"]) + "\n", "utf-8")
    constraints.write_text(errand["constraints"], "utf-8")
    done = subprocess.run(  # noqa: S603 - our own arguments, inside of the walls
        [
            *(sys.executable, "-m", "pip", "install", "--no-compile", "--no-warn-script-location"),
            *("--prefix", str(WORK / "out"), "--report", str(WORK / "report.json")),
            *errand["options"],
            *("--constraint", str(constraints), "--requirement", str(wanted)),
        ],
        env={
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": str(TOOLS / "pip"),
            "HOME": str(temporary),
            "TMPDIR": str(temporary),
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "SOURCE_DATE_EPOCH": "315532800",  # 1980: the same sources make the same wheel
            "PIP_PROXY": f"http://127.0.0.1:{port}",
            **errand["variables"],
        },
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        check=False,
    )
    shutil.rmtree(temporary, ignore_errors=True)
    return done.returncode


def _send(out: Any, status: int) -> None:  # Any: a buffered writer
    body = json.dumps({"status": status, "packages": _resolved() if status == 0 else []}).encode()
    out.write(HEADER.pack(REPORT, 0, len(body)) + body)
    if status == 0:
        for pattern in _PACKAGES:
            for root in sorted((WORK / "out").glob(pattern)):
                _send_tree(out, root)
    out.write(HEADER.pack(END, 0, 0))


def _send_tree(out: Any, root: Path) -> None:  # Any: a buffered writer
    for folder, names, files in os.walk(root):
        names.sort()
        for name in sorted(files):
            path = Path(folder) / name
            if path.is_symlink() or not path.is_file():
                continue
            found = path.stat()
            kind = EXECUTABLE if found.st_mode & 0o100 else PLAIN
            inner = str(path.relative_to(root)).encode()
            out.write(HEADER.pack(kind, len(inner), found.st_size) + inner)
            with path.open("rb") as file:
                shutil.copyfileobj(file, out, 1 << 20)


def _resolved() -> list[dict[str, str | None]]:
    """What pip has chosen: name, version and the hash of the file."""
    report = json.loads((WORK / "report.json").read_text("utf-8"))
    found: list[dict[str, str | None]] = []
    for item in report["install"]:
        archive = item["download_info"].get("archive_info", {})
        digest = archive.get("hashes", {}).get("sha256")
        about = item["metadata"]
        found.append({"name": about["name"], "version": about["version"], "sha256": digest})
    return sorted(found, key=lambda one: str(one["name"]).lower())


def _bridge(path: str) -> int:
    """A door for pip at 127.0.0.1, behind which stands the proxy's socket; its port."""
    door = socket.create_server(("127.0.0.1", 0), backlog=32)

    def accept() -> None:
        while True:
            near, _ = door.accept()
            far = socket.socket(socket.AF_UNIX)
            try:
                far.connect(path)
            except OSError:
                near.close()
                continue
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=(source, target), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    port: int = door.getsockname()[1]
    return port


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    sys.exit(main())
