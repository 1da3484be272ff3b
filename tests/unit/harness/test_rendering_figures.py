"""Numbers, drawn intervals, explained signatures: the small parts of what is shown."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.comparison import Difference
from harness.rendering import figures
from harness.rendering.bars import across, bar, reach
from harness.rendering.plots import Scale, whisker
from harness.rendering.signature import differing, explained
from harness.report import Measure


def measure(value: float, low: float | None, high: float | None) -> Measure:
    return Measure("x", value, low, high, 10, "fraction", True)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.15023, "fraction", "15.02 %"),
        (math.inf, "per word", "infinite"),
        (20.5, "per word", "20.50"),
        (1234.5, "per word", "1,234"),
        (5e13, "per word", "5.000e+13"),
        (7.104, "words", "7.10 words"),
        (3.0, "furlongs", "3.000 furlongs"),
        (None, "words", "none"),
    ],
)
def test_a_value_is_read_with_its_unit(value: float | None, unit: str, text: str) -> None:
    assert figures.text(value, unit) == text


def test_measures_of_something_else_than_examples_say_how_many() -> None:
    alike = measure(0.2, 0.1, 0.3)
    told, further = (replace(alike, name=name, n=7) for name in ("persona@1", "persona_mrr"))

    assert figures.counted_apart([alike, alike]) == ""
    assert figures.counted_apart([alike, told, further]) == " (persona@1 and persona MRR: 7)"
    assert figures.counted_apart([told, alike]) == " (x: 10)"


def test_an_interval_is_in_the_values_unit() -> None:
    assert figures.interval(measure(0.2, 0.1, 0.3)) == "10.00 to 30.00"
    assert figures.interval(measure(0.2, None, None)) == "no interval"
    assert figures.interval(measure(0.2, 0.1, math.inf)) == "10.00 to infinite"


@pytest.mark.parametrize(
    ("value", "text"), [(0.41, "0.41 s"), (61, "61 s"), (754.4, "12 min 34 s"), (7260, "2 h 1 min")]
)
def test_a_duration_is_said_as_people_say_it(value: float, text: str) -> None:
    assert figures.seconds(value) == text


@given(st.lists(st.floats(0, 1.7e308), max_size=5))
def test_a_scale_holds_all_and_is_not_much_longer(values: list[float]) -> None:
    most = figures.ceiling([*values, math.inf, None])

    assert 0 < most < math.inf
    assert all(value <= most * (1 + 1e-6) for value in values)
    assert max(values, default=0) < 1e-12 or most <= max(values) * 2.01


def test_a_bar_shows_where_the_interval_lies() -> None:
    assert bar(measure(0.5, 0.25, 0.75), most=1.0, width=8).plain == "··━━●━━·"
    assert bar(measure(0.0, 0.0, 1.0), most=1.0, width=8).plain == "●━━━━━━━"
    assert bar(measure(0.5, None, None), most=1.0, width=8).plain == "····●···"
    assert bar(measure(0.5, 0.5, math.inf), most=1.0, width=8).plain == "····●━━━"
    assert bar(measure(math.inf, 0.5, math.inf), most=1.0, width=8).plain == " " * 8


def difference(value: float, low: float, high: float) -> Difference:
    return Difference("f1", value, low, high, 0.01, 9, 9, "fraction", True, 0.5, 0.4)


def test_a_difference_is_drawn_on_both_sides_of_zero() -> None:
    found = difference(0.3, -0.1, 0.5)

    assert reach([found]) == 0.5
    assert across(found, most=0.5, width=11).plain == "····━┿━━●━━"
    assert across(difference(0.3, 0.2, 0.5), most=0.5, width=11).plain == "·····│·━●━━"
    assert across(difference(math.inf, 0, 1), most=1, width=5).plain == " " * 5
    assert reach([difference(math.inf, -math.inf, math.inf)]) == 1.0


@given(st.floats(-10, 10), st.floats(-10, 10), st.floats(-10, 10))
def test_whatever_is_drawn_stays_inside(value: float, low: float, high: float) -> None:
    assert len(bar(measure(value, low, high), most=1.0, width=8).plain) == 8
    assert len(across(difference(value, low, high), most=1.0, width=9).plain) == 9
    assert all(4 <= Scale(0.0, 1.0).place(x) <= 96 for x in (value, low, high))


def test_what_is_infinite_has_no_drawing() -> None:
    assert whisker(measure(0.5, 0.1, math.inf), Scale(0, 1), what="x") is None
    assert whisker(measure(0.5, None, None), Scale(0, 1), what="x") is None
    assert whisker(measure(0.5, 0.1, 0.6), Scale(0, 1), what="x") is not None


def test_a_signature_is_explained_field_by_field() -> None:
    fields = explained("track:f1|tok:answer|wild:1|odd")

    assert [(field.key, field.value) for field in fields] == [
        ("track", "f1"),
        ("tok", "answer"),
        ("wild", "1"),
        ("odd", ""),
    ]
    assert fields[0].meaning == "what was asked of the agent: a reply in words"
    assert fields[2].meaning == ""


def test_signatures_differ_in_fields() -> None:
    assert differing("track:f1|seed:0|a:1", "track:f1|seed:1|harness:2") == ("seed", "harness", "a")
    assert differing("track:f1", "track:f1") == ()
