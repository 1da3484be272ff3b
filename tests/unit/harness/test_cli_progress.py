"""Progress: how fast, how long still; a bar for people and lines for a pipe."""

import io

import pytest

from harness.cli import progress
from harness.cli.progress import Pace, clock, shown


def test_the_pace_is_that_of_the_last_half_minute() -> None:
    pace = Pace(0.0)
    assert pace.told(1576) == "0 of 1,576 examples, 0.0/s"
    for second in range(1, 101):
        pace.reached(100 * second if second <= 50 else 5000 + 10 * (second - 50), now=second)
    assert pace.per_second == pytest.approx(10)
    assert pace.told(10_000) == "5,500 of 10,000 examples, 10.0/s, 7:30 left"
    assert pace.told(None) == "5,500 examples, 10.0/s"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (6.6, "0:07"), (750, "12:30"), (11100, "3:05:00")]
)
def test_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_through_a_pipe_a_plain_line_comes_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = iter([0.0, 0.0, 1.0, 6.0, 7.0, 12.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    with shown("F1") as show:
        for done in (10, 60, 70, 120):
            show(done, 120)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "F1: 60 of 120 examples, 10.0/s, 0:06 left\n"


def test_in_a_terminal_a_bar_is_drawn_and_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with shown("F1") as show:
        show(10, 1200)
        show(1000, 1200)
    drawn = screen.getvalue()
    assert "1,000 of 1,200 examples" in drawn
    assert drawn.endswith("\x1b[2K")  # the line is erased
