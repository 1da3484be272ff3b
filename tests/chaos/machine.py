"""Faults of the machine itself: a full disk, a clock that is stepped, two beats instead of one."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from chaos.clock import HOUR, Clock, SteppedPostgres
from chaos.ground import Ground
from chaos.scene import Outcome, Scene, scene

AT_ONCE = 6
DISK_BYTES = 96 << 20
FULL_SECONDS = 2.5
BEATS = 2
SHARED_FOLDERS = ("runtime", "slots")
"""Of the machine's sandbox folder: what takes long to make, and who has which user id."""


def disk_full(_ground: Ground) -> Outcome:
    """The disk under database, broker and sandbox folder is full for a while, twice."""
    with _small_disk() as disk:
        folder = disk / "sandbox"
        with scene(disk / "stage", "bubblewrap", ROSTRUM_SANDBOX_DIR=str(folder)) as at:
            _begin(at)
            for _ in range(2):
                at.submit(2)
                at.wait(lambda: len(at.held()) > 1, what="two at work")
                with _filled(disk):
                    time.sleep(FULL_SECONDS)
            done = at.outcome()
            blamed = set(done.ended) - {"scored", "disk_full", "worker_lost"}
            assert not blamed, f"{done}\n{at.stage.logs()}"
            assert done.ended["scored"], f"{done}\n{at.stage.logs()}"
            return done


def machine_clock_stepped(_ground: Ground) -> Outcome:
    """The clock of a machine with everything on it is set an hour forward, then back.

    Its sandbox folder is its own: what others keep in theirs is not an hour older.
    """
    with _small_disk() as disk:
        clock = Clock(disk / "clock")
        clock.step(0)
        extra = {"ROSTRUM_SANDBOX_DIR": str(disk / "sandbox"), **clock.of_python}
        with scene(disk / "stage", "bubblewrap", **extra) as at:
            return _stepped(at, clock)


def database_clock_stepped(ground: Ground) -> Outcome:
    """The clock of the database's machine alone is set an hour forward, then back."""
    server: SteppedPostgres = ground.server("stepped")
    server.clock.step(0)
    with scene(ground.base, "bubblewrap", database=server.database()) as at:
        return _stepped(at, server.clock)


def two_beats(ground: Ground) -> Outcome:
    """Two beats sweep and hint at the same time, faster than ever, while workers are killed."""
    database, broker = ground.server("postgres").database(), ground.server("redis").url
    quick = {"ROSTRUM_BEAT_SECONDS": "0.1"}
    with scene(ground.base, "bubblewrap", database=database, broker=broker, **quick) as at:
        for _ in range(BEATS):
            at.stage.start("beat")
        worker = at.stage.start("worker", "--concurrency", "2")
        at.submit(AT_ONCE)
        for _ in range(2):
            at.wait(lambda: len(at.held()) > 2, what="three at work")
            at.stage.kill(worker)
            worker = at.stage.start("worker", "--concurrency", "2")
        done = at.outcome()
        assert done.ended == {"scored": AT_ONCE}, f"{done}\n{at.stage.logs()}"
        losses = at.losses()
        assert losses == at.codes()["worker_lost"] <= 8, f"{losses} losses were counted"
        return done


def _stepped(at: Scene, clock: Clock) -> Outcome:
    """A step forward and one back, each while attempts run and a worker has just been killed."""
    at.stage.start("beat")
    workers = [at.stage.start("worker", "--concurrency", "2") for _ in range(2)]
    for count, step in enumerate((HOUR, 0), 1):
        at.submit(4, pause=0.25)
        at.wait(lambda: len(at.held()) > 3, what="four at work")
        victim = at.working(workers)[0]
        workers.remove(victim)
        at.stage.kill(victim)
        clock.step(step)
        workers.append(at.stage.start("worker", "--concurrency", "2"))
        at.wait(lambda seen=count: _steps_seen(at) >= seen, what="the step seen by the beat")
    done = at.outcome()
    assert done.ended == {"scored": len(at.attempts)}, f"{done}\n{at.stage.logs()}"
    assert at.codes()["worker_lost"] <= 8, f"the living lost theirs: {at.codes()}"
    return done


def _steps_seen(at: Scene) -> int:
    (log,) = at.base.glob("beat-*.log")
    return log.read_text("utf-8").count("clock was stepped")


def _begin(at: Scene) -> "subprocess.Popen[bytes]":
    """A beat, two workers and submissions; one of the workers."""
    at.stage.start("beat")
    at.stage.start("worker")
    at.hint(at.submit(AT_ONCE))
    return at.stage.start("worker")


@contextmanager
def _small_disk() -> Iterator[Path]:
    """A small disk that every user may pass, with the machine's runtime seen through it."""
    folder = Path(tempfile.mkdtemp(prefix="rostrum-chaos-", dir="/var/tmp"))
    shared = Path(os.environ.get("ROSTRUM_SANDBOX_DIR", "/var/tmp/rostrum-sandbox"))
    with ExitStack() as undo:
        undo.callback(folder.rmdir)
        _mount(undo, "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=755", "chaos", str(folder))
        for name in SHARED_FOLDERS:
            (folder / "sandbox" / name).mkdir(parents=True)
            (shared / name).mkdir(parents=True, exist_ok=True)
            _mount(undo, "--bind", str(shared / name), str(folder / "sandbox" / name))
        yield folder


def _mount(undo: ExitStack, *arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, timeout=30)
    unmount = ["umount", "--lazy", arguments[-1]]
    undo.callback(subprocess.run, unmount, check=True, timeout=30)


@contextmanager
def _filled(disk: Path) -> Iterator[None]:
    """Every byte of the disk is taken, and taken again by whoever frees one."""
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as file:
        _fill(file.fileno())
        try:
            yield
        finally:
            filler.unlink()


def _fill(descriptor: int) -> None:
    for size in (1 << 20, 1 << 12, 1):
        try:
            while os.write(descriptor, bytes(size)) == size:
                pass
        except OSError:
            continue
