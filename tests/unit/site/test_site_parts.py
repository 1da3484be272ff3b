"""The small parts: shown text, formats, drawings, hints, the rows of the command, the server."""

import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from leaderboard import formats, hints, shown
from leaderboard.commands import COMMANDS
from leaderboard.states import Queue
from leaderboard.web.plot import PAD, WIDTH, scale
from leaderboard.web.serve import serve


@given(st.text())
def test_one_line_is_one_visible_line(text: str) -> None:
    line = shown.one_line(text)
    assert line
    assert len(line.splitlines()) == 1
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in line)
    assert not set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u200b\u200f\ufeff") & set(line)


def test_one_line_is_bounded_in_width_and_height() -> None:
    assert shown.one_line("x" * 1000) == "x" * 200 + "…"
    assert shown.one_line("e" + "\u0301" * 100) == "e" + "\u0301" * 3
    assert shown.one_line("  ") == "–"
    assert shown.one_line("naïve 你好 🙂") == "naïve 你好 🙂"


def test_lines_keep_breaks_and_tabs_only() -> None:
    assert shown.lines("a\r\nb\tc\x1b[0m") == "a\nb\tc⟨U+001B⟩[0m"


def test_speech_keeps_what_people_write_with_and_nothing_else() -> None:
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    assert shown.speech(f"a\r\n\r\n \n\n{family}\x1b[0m ", limit=100) == (
        f"a\n\n{family}⟨U+001B⟩[0m"
    )
    assert shown.speech("\u202egnp.exe", limit=100) == "⟨U+202E⟩gnp.exe"
    assert shown.speech("x" * 100, limit=10) == "x" * 10


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (59, "59 s"),
        (60, "1 min"),
        (185, "3 min 5 s"),
        (7800, "2 h 10 min"),
        (90061, "1 d 1 h"),
        (-1, "0.0 s"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert formats.duration(timedelta(seconds=seconds)) == text


def test_times_are_utc_whatever_the_zone() -> None:
    at = datetime.fromisoformat("2026-12-01T01:30:00+02:00")
    assert formats.iso(at) == "2026-11-30T23:30:00Z"
    assert formats.utc(at.astimezone(UTC)) == "2026-11-30 23:30:00 UTC"
    assert formats.minute(at) == "2026-11-30 23:30 UTC"


def test_sizes_and_counts() -> None:
    assert [formats.size(n) for n in (4 << 30, 256 << 10, 12)] == ["4 GiB", "256 KiB", "12 bytes"]
    assert formats.count(16155) == "16,155"


@given(st.lists(st.floats(min_value=0, max_value=1e6), min_size=1))
def test_a_drawing_stays_in_its_box(values: list[float]) -> None:
    drawn = scale(values)
    places = [drawn.place(value) for value in sorted(values)]
    assert places == sorted(places)
    assert all(PAD <= place <= WIDTH - PAD for place in places)


def test_what_is_infinite_is_not_drawn() -> None:
    drawn = scale([1.0, float("inf"), None])
    assert drawn.whisker(low=1.0, value=float("inf"), high=float("inf")) is None
    assert drawn.whisker(low=1.0, value=1.0, high=1.0) is not None


@pytest.mark.filterwarnings("ignore:The ``noload`` loader")  # kombu's, with SQLAlchemy 2.1
def test_a_hint_reaches_the_embedded_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqla+sqlite:///{tmp_path / 'broker.db'}"
    monkeypatch.setenv("ROSTRUM_BROKER_URL", url)
    assert hints.send(Queue.PREFLIGHT, 41)
    assert hints.send(Queue.EVALUATE, 42, gpu=True)
    with hints.client(url).connection_for_write() as connection:
        for queue, task, attempt in (
            ("preflight.cpu", "rostrum.preflight", 41),
            ("evaluate.gpu", "rostrum.evaluate", 42),
        ):
            message = connection.SimpleQueue(queue).get(timeout=5)
            assert message.headers["task"] == task
            assert message.payload[0] == [attempt]
            message.ack()


def test_a_broker_that_is_away_is_logged_and_soon(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ROSTRUM_BROKER_URL", "sqla+sqlite:////nowhere/at/all/broker.db")
    begun = time.monotonic()
    with caplog.at_level(logging.WARNING, logger="leaderboard.hints"):
        assert hints.send(Queue.PREFLIGHT, 7) is False
    assert time.monotonic() - begun < hints.SECONDS + 1
    assert "hint not sent: queue=preflight.cpu id=7" in caplog.text


def test_a_broker_that_hangs_does_not_hold_the_sender(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = threading.Event()
    monkeypatch.setattr(hints, "SECONDS", 0.05)
    monkeypatch.setattr(hints, "client", lambda _url: held.wait(10))
    begun = time.monotonic()
    assert hints.send(Queue.PREFLIGHT, 7) is False
    monkeypatch.setattr(hints, "SECONDS", 60)
    assert hints.send(Queue.CONVERSE, 8, seconds=0.05) is False
    assert time.monotonic() - begun < 5
    held.set()


@pytest.mark.parametrize("row", [row for row in COMMANDS if row.name != "admin"])
def test_each_row_leads_to_its_command(row: tuple[str, str, str]) -> None:
    module, _, name = row[2].partition(":")
    command = getattr(import_module(module), name)
    assert isinstance(command, click.Command)
    assert command.name == row[0]
    assert CliRunner().invoke(command, ["--help"]).exit_code == 0


def test_nothing_is_served_without_secret_and_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROSTRUM_HOME", str(tmp_path))
    monkeypatch.delenv("ROSTRUM_DATABASE_URL", raising=False)
    missing = CliRunner().invoke(serve, []).exception
    assert isinstance(missing, UsageError)
    assert "secret_key" in missing.message
    assert "rostrum admin init" in missing.hint
    (tmp_path / "secret_key").write_bytes(b"s" * 32)
    missing = CliRunner().invoke(serve, []).exception
    assert isinstance(missing, UsageError)
    assert "database" in missing.message
    assert "rostrum admin init" in missing.hint
