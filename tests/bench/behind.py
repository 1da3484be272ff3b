"""An agent behind `harness.remote.serve` for a benchmark: in a child, or in a sandbox's cell."""

import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.agent import Track
from harness.remote.client import Listener, RemoteAgent
from harness.text import Vocabulary

PLACES = ("process", "docker", "bubblewrap")


@contextmanager
def behind(
    place: str, code: str, track: Track, *, vocabulary: Vocabulary | None = None
) -> Iterator[RemoteAgent]:
    """The agent of this track file, loaded; `place` is one of `PLACES`."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "code"
        root.mkdir()
        (root / f"eval_{track}.py").write_text(code, encoding="utf-8")
        Path(folder).chmod(0o755)
        start = _child if place == "process" else _cell
        with start(place, root, track) as agent:
            agent.load(
                track,
                vocabulary=vocabulary,
                load_seconds=120,
                batch_seconds=60,
                bank_seconds=60,
                total_seconds=1200,
            )
            yield agent


@contextmanager
def _child(_: str, root: Path, track: Track) -> Iterator[RemoteAgent]:
    with Listener(root.parent, uid=None) as listener:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "harness.remote.serve", str(root / f"eval_{track}.py")],
            env={"ROSTRUM_SOCKET": str(listener.path), "OMP_NUM_THREADS": _threads()},
        )
        try:
            with listener.accept(timeout=20) as agent:
                yield agent
            process.wait(timeout=20)
        finally:
            process.kill()
            process.wait()


@contextmanager
def _cell(place: str, root: Path, track: Track) -> Iterator[RemoteAgent]:
    from worker.images import prepare
    from worker.sandbox import Job, Limits
    from worker.sandbox.choose import open_sandbox

    sandbox = open_sandbox(place, runtime=prepare(place, print))
    # A quota of exactly the threads would throttle them: other threads draw on it too.
    limits = Limits(cpus=max(2.0, float(_threads())), start=60.0)
    job = Job(
        name=f"rostrum-bench-{uuid.uuid4().hex[:8]}",
        fence=1,
        code=root,
        track_file=f"eval_{track}.py",
        limits=limits,
        deadline_seconds=1800,
        labels={"test": "bench"},
    )
    with sandbox.start(job) as cell:
        yield cell.agent


def _threads() -> str:
    return os.environ.get("OMP_NUM_THREADS", "1")
