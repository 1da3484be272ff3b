"""`rostrum worker`: takes attempts and conversations from the queues until it is told to end.

A shutdown ends what runs: cells are removed, nothing is written of attempts, and the sweep gives
them back to their queues once their leases are over. Raters are told at once.
"""

import logging
import sys
import warnings
from threading import Thread

import click

from leaderboard import ledger
from leaderboard.states import Queue
from worker import settings as places
from worker.converse.host import Host, appoint
from worker.reaper import reap
from worker.slots import Slots, occupy
from worker.workplace import Benches, Workplace, worker_name

SANDBOXES = ("docker", "bubblewrap")
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
    sys.exit(_run(chosen, concurrency, chats=chats))


def _queue(name: str) -> Queue:
    try:
        return Queue(name)
    except ValueError:
        known = ", ".join(queue.value for queue in Queue)
        raise click.UsageError(f"queue {name!r} is unknown; known: {known}") from None


def _run(queues: tuple[Queue, ...], concurrency: int, *, chats: int) -> int:
    """Take attempts and conversations until a signal; the exit status."""
    from celery import signals

    from worker.app import app

    settings = places.from_environment()
    db = ledger.open_database()
    workplace = Workplace(db, settings, worker_name(), Benches(settings))
    attempts = tuple(queue for queue in queues if queue is not Queue.CONVERSE)
    occupy(Slots(workplace, queues=attempts, each=concurrency))
    host = Host(workplace, places=chats)
    appoint(host)

    def shutting_down(**_: object) -> None:
        workplace.shutdown.set()
        host.wake()

    signals.worker_shutting_down.connect(shutting_down, weak=False)
    Thread(target=reap, args=(workplace,), name="rostrum-reaper", daemon=True).start()
    if Queue.CONVERSE in queues:
        host.start()
    # attempts run behind a sandbox of their own; no code of theirs is ever loaded here
    warnings.filterwarnings("ignore", message="You're running the worker with superuser")
    taker = app.Worker(
        pool="threads",
        # hints that find no slot end at once, so one thread more is enough for the host's
        concurrency=concurrency * len(attempts) + (Queue.CONVERSE in queues),
        queues=[queue.value for queue in queues],
        hostname=f"rostrum@{workplace.name}",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
        loglevel="INFO",
    )
    click.echo(f"rostrum worker {workplace.name}: {', '.join(q.value for q in queues)}")
    try:
        taker.start()
    finally:
        workplace.shutdown.set()
        if Queue.CONVERSE in queues and not host.close():
            _log.error("not every chat has ended")
        db.close()
    return int(taker.exitcode or 0)
