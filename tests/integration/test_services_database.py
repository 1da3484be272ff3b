"""PostgreSQL means the same by a transaction as SQLite, and outlives what SQLite never meets."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from services import Postgres
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from leaderboard.db import dialects
from leaderboard.db.engine import Database, now, open_database

pytestmark = pytest.mark.postgres

ADD = text(
    "INSERT INTO workers (name, queues, slots, version, started_at, seen_at, losses) "
    "VALUES (:name, '', 1, '', now(), now(), 0)"
)
NAMES = text("SELECT name FROM workers ORDER BY name")


@pytest.fixture
def url(postgres: Postgres, tables: str) -> Iterator[str]:
    made = postgres.database(like=tables)
    yield made
    postgres.drop(made)


@pytest.fixture
def db(url: str) -> Iterator[Database]:
    database = open_database(url)
    yield database
    database.close()


def names(db: Database) -> list[str]:
    with db.read() as session:
        return list(session.scalars(NAMES))


def test_a_reader_has_one_snapshot_and_waits_for_nobody(db: Database) -> None:
    with db.read() as reader:
        assert reader.scalars(NAMES).all() == []
        with db.write() as writer:
            writer.execute(ADD, {"name": "w"})
            assert names(db) == []
        assert reader.scalars(NAMES).all() == []
    assert names(db) == ["w"]


def test_a_reader_cannot_write(db: Database) -> None:
    with pytest.raises(DBAPIError, match="read-only"), db.read() as session:
        session.execute(ADD, {"name": "w"})


def test_a_writer_that_had_to_wait_reads_the_time_after_it(db: Database) -> None:
    begun, go_on = Event(), Event()

    def holds() -> None:
        with db.write() as session:
            session.execute(ADD, {"name": "first"})
            begun.set()
            go_on.wait(10)
            time.sleep(0.3)

    def waits() -> float:
        with db.write() as session:
            return (now(session) - session.scalar(text("SELECT now()"))).total_seconds()

    with ThreadPoolExecutor() as pool:
        first = pool.submit(holds)
        assert begun.wait(10)
        second = pool.submit(waits)
        go_on.set()
        assert second.result() > 0.2
        first.result()


def test_a_frozen_writer_loses_its_turn(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialects, "STILL_SECONDS", 1)

    def freezes() -> None:
        with db.write() as session:
            session.execute(ADD, {"name": "frozen"})
            time.sleep(3)

    with ThreadPoolExecutor() as pool:
        frozen = pool.submit(freezes)
        time.sleep(0.5)
        with db.write() as session:
            session.execute(ADD, {"name": "alive"})
        assert not frozen.done()
        with pytest.raises(DBAPIError, match="idle-in-transaction"):
            frozen.result()
    assert names(db) == ["alive"]


def test_a_restart_is_waited_out_by_the_patient_alone(
    db: Database, url: str, postgres: Postgres
) -> None:
    patient = open_database(url, patience=30)
    assert names(db) == names(patient) == []
    postgres.kill()
    with pytest.raises(OperationalError):
        names(db)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(names, patient)
        time.sleep(0.5)
        assert not waiting.done()
        postgres.start()
        assert waiting.result(timeout=30) == []
    assert names(db) == []
    patient.close()
