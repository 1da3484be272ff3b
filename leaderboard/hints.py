"""Telling the workers that something waits: a Celery message, which is only ever a hint.

The database is the truth. A hint that is lost, doubled or late changes nothing: the sweep sends
hints for whatever still waits. So sending may fail, is bounded in time, and is only logged.
"""

import logging
from functools import cache
from threading import Thread

from celery import Celery

from leaderboard import settings
from leaderboard.states import Queue

TASKS: dict[Queue, str] = {
    Queue.PREFLIGHT: "rostrum.preflight",
    Queue.EVALUATE: "rostrum.evaluate",
    Queue.CONVERSE: "rostrum.converse",
}
"""The task that serves each queue, by name: the site never imports the worker."""

SECONDS = 5.0
"""How long the sender waits for the broker before it goes on."""

_log = logging.getLogger(__name__)


def send(queue: Queue, number: int, *, seconds: float | None = None) -> bool:
    """Hint that attempt or conversation `number` waits in `queue`; whether the broker took it.

    At most `seconds` (`SECONDS`) are spent on it; a slow broker may still take it afterwards.
    """
    taken: list[bool] = []
    sender = Thread(target=_publish, args=(queue, number, taken), name="rostrum-hint", daemon=True)
    sender.start()
    sender.join(SECONDS if seconds is None else seconds)
    if not taken:
        _log.warning("hint not sent: queue=%s id=%d", queue.value, number)
    return bool(taken)


def _publish(queue: Queue, number: int, taken: list[bool]) -> None:
    """Send one message on a connection of its own; every failure is logged, none is raised."""
    try:
        app = client(settings.broker_url())
        with app.connection_for_write() as connection:
            app.send_task(
                TASKS[queue],
                args=[number],
                queue=queue.value,
                connection=connection,
                ignore_result=True,
                retry=False,
            )
        taken.append(True)
    except Exception as error:  # a hint may fail in any way a broker can; acceptance must not
        reason = " ".join(str(error).split())[:200]
        _log.error(
            "the broker refused a hint: queue=%s id=%d reason=%s", queue.value, number, reason
        )


@cache
def client(broker: str) -> Celery:
    """A Celery client of this broker that knows no task and gives up soon."""
    app = Celery("rostrum-site", broker=broker, set_as_current=False)
    app.conf.update(
        broker_connection_timeout=SECONDS / 2,
        broker_connection_retry=False,
        broker_connection_retry_on_startup=False,
        task_ignore_result=True,
    )
    if broker.startswith("redis"):
        app.conf.broker_transport_options = {
            "socket_connect_timeout": SECONDS / 2,
            "socket_timeout": SECONDS / 2,
        }
    return app
