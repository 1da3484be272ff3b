"""The command inside a sandbox: `python -P -m harness.remote.serve /code/eval_f1.py`.

Before a byte of the submission is read it moves the descriptors (0 is /dev/null, 1 is 2),
connects, puts on the filter and says HELLO. On LOAD it runs the track file as `__main__`, where
`eval_f1` and its siblings find the open session. Settings: `ROSTRUM_SOCKET` (default
/run/rostrum/agent.sock) and `ROSTRUM_ENVIRONMENT` (installed requirements, default /opt/env).
"""

import hashlib
import os
import runpy
import sys
from pathlib import Path

import harness
from harness.remote.filter import install

SOCKET = "/run/rostrum/agent.sock"
ENVIRONMENT = "/opt/env"


def main() -> None:
    """Serve one track file to one evaluator."""
    (file,) = map(Path, sys.argv[1:])
    _move_descriptors()
    # Not at the top: these must come after the descriptors.
    from harness.remote.frames import Kind
    from harness.remote.link import Link
    from harness.remote.messages import hello

    link = Link.connect(Path(os.environ.get("ROSTRUM_SOCKET", SOCKET)))
    install()
    link.send(Kind.HELLO, 0, hello(harness=harness.__version__, build=build()))
    try:
        session = _session(link)
    except EOFError:
        return
    try:
        _run(file)
    except Exception:
        session.fail("import")


def build() -> str:
    """The hash of the harness that runs: sha256 over its source files, 64 hex digits."""
    root = Path(harness.__file__).parent
    total = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        content = file.read_bytes()
        total.update(f"{file.relative_to(root).as_posix()}\0{len(content)}\0".encode() + content)
    return total.hexdigest()
