"""The embedded broker is quick, and does not grow."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from kombu import Connection

from worker import embedded
from worker.app import make_app
from worker.settings import from_environment

pytestmark = pytest.mark.filterwarnings(
    "ignore:The ``noload``"  # of kombu's own tables, under SQLAlchemy 2.1
)


@pytest.fixture
def broker(tmp_path: Path) -> str:
    return f"sqla+sqlite:///{tmp_path / 'broker.db'}"


def sent(broker: str, count: int) -> None:
    with Connection(broker) as connection:
        producer = connection.SimpleQueue("preflight")
        for number in range(count):
            producer.put(number)
        producer.close()
        connection.default_channel.session.get_bind().dispose()


def rows(broker: str) -> int:
    with closing(sqlite3.connect(broker.removeprefix("sqla+sqlite:///"))) as raw:
        return int(raw.execute("SELECT count(*) FROM kombu_message").fetchone()[0])


def test_messages_are_cleared_delivered_or_not(broker: str) -> None:
    sent(broker, 3)
    assert rows(broker) == 3
    assert embedded.clear(broker) == 3
    assert rows(broker) == 0


def test_a_broker_that_is_not_there_yet_or_not_ours_is_left_alone(broker: str) -> None:
    assert embedded.clear(broker) == 0
    assert not Path(broker.removeprefix("sqla+sqlite:///")).exists()
    assert embedded.clear("redis://localhost:1/0") == 0
    sqlite3.connect(broker.removeprefix("sqla+sqlite:///")).close()
    assert embedded.clear(broker) == 0


def test_the_application_takes_from_the_queue_that_others_fill(broker: str) -> None:
    app = make_app(broker)
    with app.connection_for_read() as connection:
        assert isinstance(connection.transport, embedded.QuickTransport)
        assert connection.transport.polling_interval == embedded.POLLING_SECONDS
        taker = connection.SimpleQueue("preflight")
        sent(broker, 1)
        begin = time.monotonic()
        message = taker.get(timeout=5)
        assert message.payload == 0
        assert time.monotonic() - begin < 2
        message.ack()
        taker.close()
        connection.default_channel.session.get_bind().dispose()


def test_another_broker_keeps_its_own_transport() -> None:
    app = make_app("redis://localhost:1/0")
    assert app.conf.broker_url == "redis://localhost:1/0"
    assert app.conf.broker_transport is None


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "1e9"])
def test_a_period_that_cannot_be_read_stops_the_start_by_name(text: str) -> None:
    from harness.errors import UsageError

    with pytest.raises(UsageError, match="ROSTRUM_BEAT_SECONDS"):
        from_environment({"ROSTRUM_BEAT_SECONDS": text})


def test_settings_come_from_the_environment_alone() -> None:
    found = from_environment(
        {
            "ROSTRUM_SANDBOX_DIR": "/s",
            "ROSTRUM_LOCAL_REPOS": "/r",
            "ROSTRUM_GIT_HOSTS": "github.com, gitlab.com",
            "ROSTRUM_HEARTBEAT_SECONDS": "0.5",
        }
    )
    assert found.code_directory == Path("/s/code")
    assert found.local_repos == Path("/r")
    assert found.git_hosts == {"github.com", "gitlab.com"}
    assert found.heartbeat_seconds == 0.5
    assert from_environment({}).local_repos is None
