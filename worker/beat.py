"""The sweep in a process of its own, the rounds that are due, and only then the hints.

Safe to run twice, or on two machines. A sweep that fails is logged and tried again. A round begins
at its instant, not at the next sweep after it.
"""

import logging
import signal
from math import inf
from threading import Event
from types import FrameType

import click

from harness.errors import UsageError
from leaderboard import conversations, hints, ledger, schedule, settings
from leaderboard.states import Queue
from worker import embedded
from worker.rounds import Asking
from worker.settings import from_environment
from worker.workplace import Benches, Workplace, worker_name

SOON = 0.05
"""Seconds before the schedule is looked at again where an instant is as good as there."""

MOST_HINTS = 64
"""Hints of each kind in one sweep: a worker that one wakes goes on until nothing waits."""

_log = logging.getLogger(__name__)


@click.command("beat")
@click.option("--once", is_flag=True, help="Sweep once and end.")
def beat(once: bool) -> None:
    """Sweep, begin due rounds, hint workers at what waits, every ROSTRUM_BEAT_SECONDS."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    places = from_environment()
    every = places.beat_seconds
    db = ledger.open_database()
    asking = Asking(Workplace(db, places, worker_name(), Benches(places)))
    ended, pace = Event(), ledger.Pace()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    click.echo(f"rostrum beat: sweeping every {every:g} s")
    while True:
        pause = min(every, _rounds_or_log(db, asking))
        _sweep_or_log(db, settings.broker_url(), pace)
        if once or ended.wait(pause):
            break
    asking.wait() if once else asking.close()
    db.close()


def sweep(
    db: ledger.Database, broker_url: str, *, pace: ledger.Pace | None = None
) -> tuple[ledger.Swept, conversations.ChatsSwept]:
    """One sweep of attempts and chats, the broker's old messages gone, a hint for what waits."""
    swept = ledger.sweep(db, pace=pace), conversations.sweep(db)
    embedded.clear(broker_url)
    hints.send_all(ledger.waiting(db, most=MOST_HINTS))
    for conversation_id in conversations.waiting(db):
        hints.send(Queue.CONVERSE, conversation_id)
    return swept


def _rounds_or_log(db: ledger.Database, asking: Asking) -> float:
    """Begin the rounds that are due and ask for their commits; seconds to the next one."""
    try:
        agenda = schedule.look(db)
    except Exception:  # as for the sweep
        _log.exception("the schedule of rounds could not be looked at")
        return inf
    for ran in agenda.begun:
        _log.info("round: %s %s attempts=%d", ran.competition_id, ran.month, len(ran.attempts))
    asking.go()
    return inf if agenda.seconds is None else max(agenda.seconds, SOON)


def _sweep_or_log(db: ledger.Database, broker_url: str, pace: ledger.Pace) -> None:
    try:
        attempts, chats = sweep(db, broker_url, pace=pace)
    except UsageError:
        raise
    except Exception:  # a database or broker that is away may be back at the next sweep
        _log.exception("the sweep failed")
        return
    if attempts.stepped is not None:
        _log.error("the database's clock was stepped: seconds=%d", attempts.stepped.total_seconds())
    for name in ("lost", "overdue", "cancelled", "drained"):
        if found := getattr(attempts, name):
            _log.warning("swept: %s=%s", name, ",".join(map(str, found)))
    for name in ("lost", "idle", "unserved"):
        if found := getattr(chats, name):
            _log.warning("swept: chats %s=%s", name, ",".join(map(str, found)))
    if attempts.unattended:
        _log.error(
            "waiting for a worker for more than an hour: attempts=%s",
            ",".join(map(str, attempts.unattended)),
        )
