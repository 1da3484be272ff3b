"""The database: migrations equal the models, instants keep their zone, writers take turns."""

import re
import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from threading import Event as Signal
from threading import Thread

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from house import Clock
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import IntegrityError, StatementError

from harness.errors import UsageError
from leaderboard.db import migrate
from leaderboard.db.engine import Database, connect, now, open_database, schema_version
from leaderboard.db.models import Base, Competition, Team
from leaderboard.db.versions import HEAD


def test_the_migrations_make_what_the_models_describe(empty_db: Database) -> None:
    with empty_db.read() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_expected_version_is_the_newest_migration(empty_db: Database) -> None:
    assert ScriptDirectory.from_config(migrate.configuration()).get_heads() == [HEAD]
    assert schema_version(empty_db) == HEAD


def test_a_migration_can_be_repeated_and_keeps_what_is_there(db: Database) -> None:
    migrate.upgrade(db)
    with db.read() as session:
        assert session.scalars(select(Competition.id)).all() == ["spc"]


def test_every_foreign_key_of_a_listing_has_an_index(empty_db: Database) -> None:
    with empty_db.read() as session:
        inspector = inspect(session.connection())
        for table, column in (
            ("submissions", "team_id"),
            ("attempts", "submission_id"),
            ("attempts", "team_id"),
            ("attempts", "state"),
            ("events", "attempt_id"),
            ("quota_entries", "team_id"),
        ):
            leading = [index["column_names"][0] for index in inspector.get_indexes(table)]
            assert column in leading, table


@pytest.mark.parametrize("offset", [0, 5, -11])
def test_an_instant_comes_back_aware_and_equal(db: Database, offset: int) -> None:
    moment = datetime(2026, 2, 28, 23, 59, 59, 123456, timezone(timedelta(hours=offset)))
    with db.write() as session:
        session.get_one(Competition, "spc").created_at = moment
    with db.read() as session:
        found = session.get_one(Competition, "spc").created_at
        stored = session.scalar(text("SELECT created_at FROM competitions"))
    assert found == moment
    assert found.utcoffset() == timedelta(0)
    on_disk = moment.astimezone(UTC)
    on_sqlite = db.engine.dialect.name == "sqlite"
    assert stored == (on_disk.strftime("%Y-%m-%d %H:%M:%S.%f") if on_sqlite else on_disk)


def test_a_naive_instant_is_refused(db: Database) -> None:
    with pytest.raises(StatementError, match="names no zone"), db.write() as session:
        session.get_one(Competition, "spc").created_at = datetime(2026, 1, 1)


def test_now_is_the_same_through_a_transaction_and_moves_between(
    empty_db: Database, clock: Clock
) -> None:
    with empty_db.write() as session:
        first = now(session)
        clock.tick(seconds=5)
        assert now(session) == first
    with empty_db.read() as session:
        assert now(session) == first + timedelta(seconds=5)


def test_the_databases_own_clock_is_utc(tmp_path: Path) -> None:
    database = connect(f"sqlite:///{tmp_path / 'x.db'}")
    with database.read() as session:
        assert abs(now(session) - datetime.now(UTC)) < timedelta(minutes=1)
        assert now(session).utcoffset() == timedelta(0)
    database.close()


def test_a_second_writer_waits_and_sees_what_the_first_wrote(db: Database) -> None:
    reading, written = Signal(), []

    def second() -> None:
        reading.wait(timeout=10)
        with db.write() as session:
            written.append(session.get_one(Competition, "spc").title)

    thread = Thread(target=second)
    thread.start()
    with db.write() as session:
        row = session.get_one(Competition, "spc")
        reading.set()
        thread.join(timeout=0.3)
        assert thread.is_alive()
        row.title = "changed"
    thread.join(timeout=20)
    assert written == ["changed"]


def test_a_reader_neither_waits_for_a_writer_nor_sees_its_half(db: Database) -> None:
    with db.write() as session:
        session.get_one(Competition, "spc").title = "changed"
        session.flush()
        with db.read() as reader:
            assert reader.get_one(Competition, "spc").title == "A small competition"


def test_an_exception_rolls_everything_back(db: Database) -> None:
    def fails_half_way() -> None:
        with db.write() as session:
            session.get_one(Competition, "spc").title = "changed"
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails_half_way()
    with db.read() as session:
        assert session.get_one(Competition, "spc").title == "A small competition"


def test_foreign_keys_hold(db: Database, clock: Clock) -> None:
    team = Team(
        competition_id="nowhere",
        name="owls",
        repo_url="x",
        branch="main",
        baseline=False,
        token_sha256="0" * 64,
        created_at=clock.now,
    )
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"), db.write() as session:
        session.add(team)


def test_an_error_shows_no_hidden_values(db: Database, clock: Clock) -> None:
    again = Competition(
        id="spc",
        title="canary title",
        toml="canary text",
        secret=b"canary key",
        demo=False,
        created_at=clock.now,
    )
    with pytest.raises(IntegrityError) as caught, db.write() as session:
        session.add(again)
    assert "canary" not in str(caught.value)


def test_a_missing_database_names_the_command_that_makes_it(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    with pytest.raises(UsageError, match=re.escape(str(path))) as caught:
        open_database(f"sqlite:///{path}")
    assert "rostrum admin init" in caught.value.hint
    assert not path.exists()


def test_tables_of_another_version_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE somebody (id INTEGER)")
    raw.close()
    with pytest.raises(UsageError, match="has no tables"):
        open_database(f"sqlite:///{path}")
    migrate.create(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE alembic_version SET version_num = 'r9999'")
    raw.close()
    with pytest.raises(UsageError, match="version r9999, not"):
        open_database(f"sqlite:///{path}")


@pytest.mark.parametrize("url", ["nonsense", "oracle9://x", "sqlite:////proc/none/x.db"])
def test_a_url_that_cannot_be_opened_is_a_sentence(url: str) -> None:
    with pytest.raises(UsageError):
        schema_version(connect(url))


def test_a_file_that_is_no_database_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(UsageError, match="cannot be reached"):
        open_database(f"sqlite:///{path}")
