"""`rostrum worker`: takes attempts and conversations from the queues until it is told to end.

A shutdown ends what runs: cells are removed, nothing is written of attempts, and the sweep gives
them back to their queues once their leases are over. Raters are told at once.
"""

import logging
import re
import sys
import warnings
from threading import Thread
from typing import Any

import click

from harness import __version__
from harness.errors import OperatorError, UsageError
from leaderboard import fleet, hints, ledger
from leaderboard.states import Queue
from worker import gpu as accelerators
from worker import settings as places
from worker.converse.host import Host, appoint
from worker.reaper import reap
from worker.slots import Slots, occupy
from worker.workplace import Benches, Workplace, worker_name

SANDBOXES = ("docker", "bubblewrap")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,59}")
_log = logging.getLogger(__name__)


@click.command("worker")
@click.option(
    "--concurrency",
    default=1,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Attempts at a time from each queue.",
)
@click.option(
    "--queues",
    default=",".join(queue.value for queue in Queue),
    show_default=True,
    metavar="NAMES",
    help="The queues to take from, separated by commas.",
)
@click.option(
    "--chats",
    default=10,
    show_default=True,
    type=click.IntRange(1, 60),
    help="Live conversations at a time, where the queue `converse` is taken from.",
)
@click.option(
    "--spares",
    default=1,
    show_default=True,
    type=click.IntRange(0, 60),
    help="Finalists kept loaded for the next rater, besides those that chat.",
)
@click.option(
    "--gpu",
    metavar="N",
    help="Also take submissions that ask for a GPU, one at a time, on accelerator N of this "
    "machine (as nvidia-smi counts).",
)
@click.option(
    "--name",
    metavar="NAME",
    help="What this worker is called in timelines and in `admin workers`.  "
    "[default: machine-process]",
)
@click.option("--prepare", is_flag=True, help="Make the sandboxes' runtimes and end.")
@click.option(
    "--sandbox",
    "sandboxes",
    multiple=True,
    type=click.Choice(SANDBOXES),
    help="With --prepare: only this sandbox's (may be repeated).",
)
@click.option(
    "--make-base",
    is_flag=True,
    help="With --prepare: make the container base image with debootstrap if it cannot be pulled.",
)
def worker(
    *,
    concurrency: int,
    queues: str,
    chats: int,
    spares: int,
    gpu: str | None,
    name: str | None,
    prepare: bool,
    sandboxes: tuple[str, ...],
    make_base: bool,
) -> None:
    """Fetch, run and score submissions, and let finalists chat."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True
    )
    if prepare:
        from worker.prepare import make_runtimes

        make_runtimes(sandboxes or SANDBOXES, with_base=make_base)
        return
    chosen = tuple(_queue(name) for name in queues.replace(",", " ").split())
    if not chosen:
        raise click.UsageError("--queues names no queue")
    if gpu is not None:
        _expect_device(gpu)
    sys.exit(_run(chosen, concurrency, chats=chats, spares=spares, gpu=gpu, name=_named(name)))


def _expect_device(gpu: str) -> None:
    """A worker starts on a device that answers, or not at all."""
    if not gpu.isascii() or not gpu.isdigit():
        raise click.UsageError(
            f"--gpu is {gpu!r}: give the number that nvidia-smi shows, such as 0"
        )
    try:
        model = accelerators.expect_answer(gpu)
    except OperatorError as error:
        raise UsageError(
            error.message,
            code=error.code,
            hint=f"`rostrum doctor --gpu {gpu}` looks closer; without --gpu the worker takes what "
            "needs none.",
        ) from error
    _log.info("accelerator %s: %s", gpu, model)


def _named(name: str | None) -> str:
    if name is None:
        return worker_name()
    if not _NAME.fullmatch(name):
        raise click.UsageError(
            f"--name is {name!r}: use letters, digits, dots and dashes, at most 60 characters"
        )
    return name


def _queue(name: str) -> Queue:
    try:
        return Queue(name)
    except ValueError:
        known = ", ".join(queue.value for queue in Queue)
        raise click.UsageError(f"queue {name!r} is unknown; known: {known}") from None


def _channels(queues: tuple[Queue, ...], *, gpu: bool) -> list[str]:
    """The message queues to listen to: with a device also those of what needs one."""
    kinds = (False, True) if gpu else (False,)
    return [hints.channel(queue, gpu=kind) for queue in queues for kind in kinds]


def _run(
    queues: tuple[Queue, ...],
    concurrency: int,
    *,
    chats: int,
    spares: int,
    gpu: str | None,
    name: str,
) -> int:
    """Take attempts and conversations until a signal; the exit status."""
    from celery import signals

    from worker.app import app

    settings = places.from_environment()
    db = ledger.open_database(patience=settings.lost_seconds / 3)
    workplace = Workplace(db, settings, name, Benches(settings), gpu=gpu)
    channels = _channels(queues, gpu=gpu is not None)
    attempts = tuple(queue for queue in queues if queue is not Queue.CONVERSE)
    slots = Slots(workplace, queues=attempts, each=concurrency)
    occupy(slots)
    host = Host(workplace, places=chats, spares=spares)
    appoint(host)

    def shutting_down(**_: object) -> None:
        workplace.shutdown.set()
        host.wake()

    signals.worker_shutting_down.connect(shutting_down, weak=False)
    drained = fleet.announce(
        db, name, queues=channels, slots=concurrency, gpu=gpu, version=__version__
    )
    if drained is not None:
        _log.error("drained: %s; put it back: `rostrum admin workers resume %s`", drained, name)
    Thread(target=_stay_seen, args=(workplace,), name="rostrum-seen", daemon=True).start()
    Thread(target=reap, args=(workplace,), name="rostrum-reaper", daemon=True).start()
    if Queue.CONVERSE in queues:
        host.start()
    # attempts run behind a sandbox of their own; no code of theirs is ever loaded here
    warnings.filterwarnings("ignore", message="You're running the worker with superuser")
    taker = app.Worker(
        pool="threads",
        # hints that find no slot end at once: one thread more is enough for them and the host's,
        # and none waits for its acknowledgement until the broker takes the worker for dead; what
        # needs the device has a slot apart in each queue, its cells take turns
        concurrency=(concurrency + (gpu is not None)) * len(attempts) + 1,
        queues=channels,
        hostname=f"rostrum@{workplace.name}",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
        loglevel="INFO",
    )
    Thread(target=_look, args=(slots, taker, workplace), name="rostrum-look", daemon=True).start()
    click.echo(f"rostrum worker {name}: {', '.join(channels)}")
    try:
        taker.start()
    finally:
        workplace.shutdown.set()
        if Queue.CONVERSE in queues and not host.close():
            _log.error("not every chat has ended")
        _leave(workplace)
        db.close()
    return int(taker.exitcode or 0)


def _stay_seen(workplace: Workplace) -> None:
    """Say that the worker lives, in step with the heartbeats of its attempts, until it ends."""
    while not workplace.shutdown.wait(workplace.settings.heartbeat_seconds):
        try:
            fleet.seen(workplace.db, workplace.name)
        except Exception:  # a database that is away may be back at the next beat
            _log.exception("not announced")


def _look(slots: Slots, taker: Any, workplace: Workplace) -> None:  # Any: celery has no types
    """Have idle slots take what waits, in the threads of the worker: its hint went elsewhere."""
    while not workplace.shutdown.wait(workplace.settings.heartbeat_seconds):
        try:
            for queue, gpu in slots.wanted():
                taker.pool.executor.submit(slots.empty, queue, gpu=gpu)
        except Exception:  # the database may be back at the next look
            _log.exception("no look at what waits")


def _leave(workplace: Workplace) -> None:
    try:
        fleet.left(workplace.db, workplace.name)
    except Exception:  # then it is silent from now on, which says as much a little later
        _log.exception("the end was not announced")
