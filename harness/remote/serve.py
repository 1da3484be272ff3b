"""The command inside a sandbox: `python -P -m harness.remote.serve /code/eval_f1.py`.

Before a byte of the submission is read it moves the descriptors (0 is /dev/null, 1 is 2),
connects, puts on the filter and says HELLO: so a HELLO tells that the filter is on. On LOAD it
runs the track file as `__main__`, where `eval_f1` and its siblings find the open session.
Settings: `ROSTRUM_SOCKET` (default /run/rostrum/agent.sock) and `ROSTRUM_ENVIRONMENT` (the
installed requirements, default /opt/env).
"""

import hashlib
import os
import runpy
import sys
from pathlib import Path

import harness
from harness.remote.filter import install
from harness.remote.frames import Kind
from harness.remote.handshake import hello
from harness.remote.link import Link
from harness.remote.session import Session, open_session

SOCKET = "/run/rostrum/agent.sock"
ENVIRONMENT = "/opt/env"


def main() -> None:
    """Serve one track file to one evaluator; status 0 after BYE, 1 after a failure."""
    file = Path(sys.argv[1])
    _move_descriptors()
    link = Link.connect(Path(os.environ.get("ROSTRUM_SOCKET", SOCKET)))
    install()
    link.send(Kind.HELLO, 0, hello(harness=harness.__version__, build=build()))
    session = Session.opened(link)
    open_session(session)
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


def _move_descriptors() -> None:
    """Nothing to read, and what is printed goes to standard error."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)


def _run(file: Path) -> None:
    """Run the track file as if it had been called by hand, its folder first on the path."""
    environment = os.environ.get("ROSTRUM_ENVIRONMENT", ENVIRONMENT)
    sys.path.insert(0, str(file.parent))
    if Path(environment).is_dir():
        sys.path.append(environment)
    sys.argv = [str(file)]
    runpy.run_path(str(file), run_name="__main__")


if __name__ == "__main__":
    main()
