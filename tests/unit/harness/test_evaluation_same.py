"""A report is the same however the examples were batched, ordered, fed, and wherever asked."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from evalworld import DIALOGUES, Hashing, dictionary, remote, timeless
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.agent import TRACKS, Track
from harness.dialogue import Dialogue
from harness.evaluation import evaluate
from harness.report import Report


def streamed() -> Iterator[Dialogue]:
    yield from DIALOGUES


FEEDS: dict[str, Callable[[], Iterable[Dialogue]]] = {"list": lambda: DIALOGUES, "stream": streamed}

WAYS: dict[str, dict[str, Any]] = {  # Any: options of evaluate
    "one at a time": {"batch_size": 1},
    "seven": {"batch_size": 7},
    "all": {"batch_size": 512},
    "by words": {"batch_size": 16, "batch_tokens": 120},
    "by few words": {"batch_size": 16, "batch_tokens": 1},
}


def report(
    track: Track,
    *,
    agent: object = None,
    feed: str = "list",
    **options: Any,  # Any: of evaluate
) -> Report:
    found = evaluate(
        agent or Hashing(),  # type: ignore[arg-type]  # any agent
        FEEDS[feed](),
        track,
        vocabulary=dictionary(track),
        profile=True,
        **options,
    )
    return timeless(found)


EXPECTED = {track: report(track) for track in TRACKS}


@pytest.mark.parametrize("track", TRACKS)
@pytest.mark.parametrize("schedule", ["lockstep", "refill"])
@pytest.mark.parametrize("way", WAYS)
def test_the_report_hangs_on_no_batch_and_no_schedule(
    track: Track, schedule: str, way: str
) -> None:
    for feed in FEEDS:
        assert report(track, feed=feed, schedule=schedule, **WAYS[way]) == EXPECTED[track]


@pytest.mark.parametrize("track", TRACKS)
@pytest.mark.parametrize("schedule", ["lockstep", "refill"])
@pytest.mark.parametrize("way", WAYS)
def test_nor_on_the_process_of_the_agent(track: Track, schedule: str, way: str) -> None:
    with remote(Hashing(), track) as agent:
        found = report(track, agent=agent, schedule=schedule, **WAYS[way])
    assert found == EXPECTED[track]


@given(rows=st.integers(1, 200), words=st.none() | st.integers(1, 500), refill=st.booleans())
@settings(max_examples=25, deadline=None)
def test_any_size_of_batch_gives_the_same(rows: int, words: int | None, refill: bool) -> None:
    schedule = "refill" if refill else "lockstep"
    found = report("hits", schedule=schedule, batch_size=rows, batch_tokens=words)
    assert found == EXPECTED["hits"]


def test_the_profile_adds_measures_and_moves_no_score() -> None:
    for track in TRACKS:
        plain = evaluate(Hashing(), DIALOGUES, track, vocabulary=dictionary(track))
        full = EXPECTED[track]
        assert (plain.score, plain.totals, plain.signature) == (
            full.score,
            full.totals,
            full.signature,
        )
        assert {m.name for m in plain.measures} <= {m.name for m in full.measures}
    assert {"bleu", "chrf", "distinct-1"} <= {m.name for m in EXPECTED["f1"].measures}
