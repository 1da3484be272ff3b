"""What is shown where a run is endless, empty, or longer than can be drawn."""

import math
from dataclasses import replace
from pathlib import Path

from reportworld import Says, dialogues, saved
from rich.console import Console

from harness.records import Record
from harness.rendering import plots
from harness.rendering.findings import Turn, gathered
from harness.rendering.markup import html
from harness.rendering.page import page
from harness.rendering.sheet import Sheet, sheet
from harness.rendering.terminal import show
from harness.report import Measure, Report, Total


def turn(number: int, value: float, n: int = 9) -> Turn:
    high = min(1.0, value + 0.1) if math.isfinite(value) else math.inf
    return Turn(number, Measure("f1", value, 0.0, high, n, "fraction", True))


def seen(shown: Sheet) -> str:
    """The sheet in a terminal of 80 columns, without its colours."""
    console = Console(width=80, color_system=None)
    with console.capture() as capture:
        show(shown, console)
    return capture.get()


def test_a_curve_leaves_out_what_is_infinite() -> None:
    drawn = html(plots.curve([turn(1, 0.5), turn(2, math.inf)], title="x", unit="fraction"))

    assert drawn.count('class="dot"') == 1
    assert "inf" not in drawn.replace("infinite", "")


def test_a_curve_of_one_turn_or_of_many_is_drawn() -> None:
    one = html(plots.curve([turn(1, 0.5)], title="x", unit="fraction"))
    many = html(plots.curve([turn(n, 0.5) for n in range(1, 41)], title="x", unit="fraction"))

    assert one.count('class="label"') == 1
    assert many.count('class="label"') == 1 + 40 // 5


def test_a_histogram_counts_every_dialogue_once() -> None:
    totals = [Total(float(n % 7), 7.0) for n in range(50)]
    drawn = plots.histogram(totals, title="x", score=0.4, unit="fraction")
    assert drawn is not None

    heights = [float(bar.get("height", "")) for bar in drawn.iter("rect")]
    tallest = max(8, 7)  # 50 dialogues over 7 values
    assert round(sum(heights) / max(heights) * tallest) == 50


def test_a_histogram_of_ppl_bears_extremes() -> None:
    totals = [Total(1e6, 1.0), Total(0.0, 1.0), Total(math.inf, 1.0), Total(0.0, 0.0)]

    drawn = plots.histogram(totals, title="x", score=math.inf, unit="per word")
    assert drawn is not None
    assert "infinite" in html(drawn)
    assert 'class="mean"' not in html(drawn)
    assert plots.histogram(totals[2:], title="x", score=math.inf, unit="per word") is None


def test_long_texts_are_clipped_and_long_dialogues_counted(tmp_path: Path) -> None:
    path = saved(tmp_path / "run.json", "f1", agent=Says("word " * 300), over=dialogues(9))
    shown = sheet(Report.load(path), path, name="run", keep=1)

    assert " …" in seen(shown)
    found = gathered([Record("d", n, "a", "b", 0.0, 1.0) for n in range(300)], "f1", keep=1)
    out = seen(replace(shown, findings=found))
    assert "280 examples of later turns are not drawn" in out
    assert page(replace(shown, findings=found)).count('class="dot"') > 40


def test_records_of_nothing_are_shown_as_nothing(tmp_path: Path) -> None:
    path = saved(tmp_path / "run.json", "hits")
    shown = sheet(Report.load(path), path, name="run", keep=1)
    empty = replace(shown, findings=gathered([], "hits", keep=1))

    assert "Hardest" not in seen(empty)
    assert "Turn by turn" not in page(empty)


def test_a_sheet_of_no_measures_keeps_to_its_score(tmp_path: Path) -> None:
    path = saved(tmp_path / "run.json", "ppl", agent=Says(zero=True), over=dialogues(1))
    shown = sheet(Report.load(path), path, name="run", keep=1)

    assert "Measures" not in seen(shown)
    assert "infinite loss" in seen(replace(shown))
    assert "Measures" not in page(shown)
