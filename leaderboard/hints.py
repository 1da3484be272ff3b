"""Telling the workers that something waits: a Celery message, which is only ever a hint.

The database is the truth. A hint that is lost, doubled or late changes nothing: the sweep sends
hints for whatever still waits. So sending may fail, is bounded in time, and is only logged.
"""

import logging
from collections.abc import Sequence
from functools import cache
from threading import Thread

from celery import Celery

from leaderboard import settings
from leaderboard.states import Queue, channel
from leaderboard.turns import Hint

__all__ = ["TASKS", "Hint", "channel", "channels", "client", "send", "send_all"]

TASKS: dict[Queue, str] = {
    Queue.PREFLIGHT: "rostrum.preflight",
    Queue.EVALUATE: "rostrum.evaluate",
    Queue.CONVERSE: "rostrum.converse",
}
"""The task that serves each queue, by name: the site never imports the worker."""

SECONDS = 5.0
"""How long the sender waits for the broker before it goes on."""

_log = logging.getLogger(__name__)


def channels() -> tuple[str, ...]:
    """Every message queue that there is."""
    return tuple(channel(queue, gpu=gpu) for queue in Queue for gpu in (False, True))


def send(queue: Queue, number: int, *, gpu: bool = False, seconds: float | None = None) -> bool:
    """Hint that attempt or conversation `number` waits in `queue`; whether the broker took it.

    `gpu` tells the workers that have one. At most `seconds` (`SECONDS`) are spent on it; a slow
    broker may still take it afterwards.
    """
    taken = _sent([Hint(number, queue, gpu)], seconds=seconds)
    if not taken:
        _log.warning("hint not sent: queue=%s id=%d", channel(queue, gpu=gpu), number)
    return bool(taken)


def send_all(waiting: Sequence[Hint]) -> int:
    """Hint at all of these over one connection, in `SECONDS`; how many the broker took by then."""
    taken = _sent(waiting, seconds=None) if waiting else 0
    if taken < len(waiting):
        _log.warning("hints not sent: %d of %d", len(waiting) - taken, len(waiting))
    return taken


def _sent(waiting: Sequence[Hint], *, seconds: float | None) -> int:
    taken: list[Hint] = []
    sender = Thread(target=_publish, args=(waiting, taken), name="rostrum-hint", daemon=True)
    sender.start()
    sender.join(SECONDS if seconds is None else seconds)
    return len(taken)


def _publish(waiting: Sequence[Hint], taken: list[Hint]) -> None:
    """Send messages on a connection of their own; every failure is logged, none is raised."""
    try:
        app = client(settings.broker_url())
        with app.connection_for_write() as connection:
            for hint in waiting:
                app.send_task(
                    TASKS[hint.queue],
                    args=[hint.attempt_id],
                    queue=channel(hint.queue, gpu=hint.gpu),
                    connection=connection,
                    ignore_result=True,
                    retry=False,
                )
                taken.append(hint)
    except Exception as error:  # a hint may fail in any way a broker can; acceptance must not
        hint = waiting[len(taken)]
        _log.error(
            "the broker refused a hint: queue=%s id=%d reason=%s",
            channel(hint.queue, gpu=hint.gpu),
            hint.attempt_id,
            " ".join(str(error).split())[:200],
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
