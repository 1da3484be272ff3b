"""The sweep in a process of its own, and only then the hints: nothing waits for ever.

Safe to run twice, or on two machines. A sweep that fails is logged and tried again.
"""

import logging
import signal
from threading import Event
from types import FrameType

import click

from harness.errors import UsageError
from leaderboard import conversations, hints, ledger, settings
from leaderboard.states import Queue
from worker import embedded
from worker.settings import from_environment

_log = logging.getLogger(__name__)


@click.command("beat")
@click.option("--once", is_flag=True, help="Sweep once and end.")
def beat(once: bool) -> None:
    """Sweep what is stuck and hint workers at what waits, every ROSTRUM_BEAT_SECONDS."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    every = from_environment().beat_seconds
    db = ledger.open_database()
    ended = Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    click.echo(f"rostrum beat: sweeping every {every:g} s")
    while True:
        _sweep_or_log(db, settings.broker_url())
        if once or ended.wait(every):
            break
    db.close()


def sweep(db: ledger.Database, broker_url: str) -> tuple[ledger.Swept, conversations.ChatsSwept]:
    """One sweep of attempts and chats, the broker's old messages gone, a hint for what waits."""
    swept = ledger.sweep(db), conversations.sweep(db)
    embedded.clear(broker_url)
    for hint in ledger.waiting(db):
        hints.send(hint.queue, hint.attempt_id)
    for conversation_id in conversations.waiting(db):
        hints.send(Queue.CONVERSE, conversation_id)
    return swept


def _sweep_or_log(db: ledger.Database, broker_url: str) -> None:
    try:
        attempts, chats = sweep(db, broker_url)
    except UsageError:
        raise
    except Exception:  # a database or broker that is away may be back at the next sweep
        _log.exception("the sweep failed")
        return
    for name in ("lost", "overdue", "cancelled"):
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
