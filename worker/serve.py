"""`rostrum worker`: takes attempts from the queues until it is told to end.

A shutdown ends what runs: cells are removed, nothing is written, and the sweep gives the attempts
back to their queues once their leases are over.
"""

import logging
import sys
import warnings
from threading import Thread

import click

from leaderboard import ledger
from leaderboard.states import Queue
from worker import settings as places
from worker.fetch.store import prune
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
    *, concurrency: int, queues: str, prepare: bool, sandboxes: tuple[str, ...], make_base: bool
) -> None:
    """Fetch, run and score submissions."""
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
    sys.exit(_run(chosen, concurrency))


def _queue(name: str) -> Queue:
    try:
        return Queue(name)
    except ValueError:
        known = ", ".join(queue.value for queue in Queue)
        raise click.UsageError(f"queue {name!r} is unknown; known: {known}") from None


def _run(queues: tuple[Queue, ...], concurrency: int) -> int:
    """Take attempts until a signal; the exit status."""
    from celery import signals

    from worker.app import app

    settings = places.from_environment()
    db = ledger.open_database()
    workplace = Workplace(db, settings, worker_name(), Benches(settings))
    occupy(Slots(workplace, queues=queues, each=concurrency))

    def shutting_down(**_: object) -> None:
        workplace.shutdown.set()

    signals.worker_shutting_down.connect(shutting_down, weak=False)
    reaper = Thread(
        target=_reap,
        args=(workplace,),
        name="rostrum-reaper",
        daemon=True,
    )
    reaper.start()
    # attempts run behind a sandbox of their own; no code of theirs is ever loaded here
    warnings.filterwarnings("ignore", message="You're running the worker with superuser")
    taker = app.Worker(
        pool="threads",
        concurrency=concurrency * len(queues),
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
        db.close()
    return int(taker.exitcode or 0)


def _reap(workplace: Workplace) -> None:
    """Now and then, remove cells that have outlived their deadline, and trees nobody uses."""
    settings = workplace.settings
    while not workplace.shutdown.wait(settings.reap_seconds):
        try:
            if removed := workplace.benches.reap():
                _log.warning("reaped: cells=%d", removed)
            if pruned := prune(settings.code_directory):
                _log.info("pruned: trees=%d", pruned)
        except Exception:  # an engine that is away; the next round may find it
            _log.exception("the reaper failed")
