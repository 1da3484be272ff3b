"""The embedded broker: Celery over one SQLite file, made fit for use.

Kombu's transport sleeps a second between looks, takes its interval only as a class attribute,
and keeps every delivered message. It loses what a killed worker held, which costs nothing here:
a message is a hint, and the sweep hints again.
"""

from pathlib import Path

import sqlalchemy
from kombu.transport.sqlalchemy import Transport
from sqlalchemy.exc import OperationalError

PREFIX = "sqla+"
POLLING_SECONDS = 0.1

_MESSAGES = sqlalchemy.table("kombu_message")


class QuickTransport(Transport):
    """Kombu's transport with a look every `POLLING_SECONDS`."""

    polling_interval = POLLING_SECONDS


TRANSPORT = f"{QuickTransport.__module__}:{QuickTransport.__name__}"


def is_embedded(broker_url: str) -> bool:
    """Whether the broker is a database of ours, not a server."""
    return broker_url.startswith(PREFIX)


def clear(broker_url: str) -> int:
    """Delete the messages of an embedded broker, delivered or not; how many there were.

    Call it *before* reading what waits: every message is a hint, and what waits is hinted anew.
    0 for any other broker, and where the file or its tables have not been made yet.
    """
    if not is_embedded(broker_url):
        return 0
    url = sqlalchemy.make_url(broker_url.removeprefix(PREFIX))
    if url.get_backend_name() == "sqlite" and not (url.database and Path(url.database).is_file()):
        return 0
    engine = sqlalchemy.create_engine(url)
    try:
        with engine.begin() as connection:
            return connection.execute(sqlalchemy.delete(_MESSAGES)).rowcount
    except OperationalError as error:
        if "no such table" in str(error):
            return 0
        raise
    finally:
        engine.dispose()
