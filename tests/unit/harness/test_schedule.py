"""Schedules: which examples share a batch, and what is history by then."""

import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from evalworld import make_dialogues
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.dialogue import Dialogue, Example
from harness.disguise import Disguise
from harness.schedule import Item, Known, Schedule, Size, batches

DIALOGUES = make_dialogues(40, candidates=2)
ORDER = [(place, turn) for place, d in enumerate(DIALOGUES) for turn in range(len(d.examples))]
DISGUISE = Disguise(b"key", "f1")


def nothing(known: Known) -> bool:
    return False


def run(
    schedule: Schedule,
    *,
    rows: int = 8,
    words: int | None = None,
    skip: Callable[[Known], bool] = nothing,
) -> list[list[Item]]:
    return list(batches(schedule, DIALOGUES, disguise=DISGUISE, size=Size(rows, words), skip=skip))


def words_of(item: Item) -> int:
    context = item.context
    texts = (*context.persona, *context.partner_persona, *(turn.text for turn in context.turns))
    return sum(len(text.split()) for text in texts)


@pytest.mark.parametrize("schedule", ["lockstep", "refill"])
@given(rows=st.integers(1, 60), words=st.none() | st.integers(1, 400))
@settings(max_examples=30, deadline=None)
def test_every_example_is_asked_once_in_turn_and_in_bounds(
    schedule: Schedule, rows: int, words: int | None
) -> None:
    found = run(schedule, rows=rows, words=words)
    asked = [(item.place, item.turn) for batch in found for item in batch]
    assert sorted(asked) == ORDER
    for batch in found:
        assert 1 <= len(batch) <= rows
        assert len({item.place for item in batch}) == len(batch)  # one turn of a dialogue at a time
        longest = max(map(words_of, batch))
        assert words is None or len(batch) == 1 or len(batch) * longest <= words
    seen: Counter[int] = Counter()
    for place, turn in asked:
        assert turn == seen[place]
        seen[place] += 1
    for item in (item for batch in found for item in batch):
        assert item.context.turns == item.dialogue.turns_before(item.turn)
        assert item.example is item.dialogue.examples[item.turn]


def test_lockstep_ends_a_turn_before_the_next_begins() -> None:
    for words in (None, 60):
        turns = [{item.turn for item in batch} for batch in run("lockstep", words=words)]
        assert all(len(turn) == 1 for turn in turns)
        flat = [turn.pop() for turn in turns]
        assert flat == sorted(flat)


def test_lockstep_keeps_its_order_whatever_the_batch() -> None:
    def order(found: list[list[Item]]) -> list[tuple[int, int]]:
        return [(item.place, item.turn) for batch in found for item in batch]

    assert order(run("lockstep")) == order(run("lockstep", rows=3, words=50))
    assert order(run("lockstep")) != ORDER


def test_refill_keeps_batches_full_until_the_dialogues_run_out() -> None:
    sizes = [len(batch) for batch in run("refill", rows=8)]
    assert sizes == sorted(sizes, reverse=True)
    full = sizes.count(8)
    longest = max(len(dialogue.examples) for dialogue in DIALOGUES)
    assert len(sizes) - full < longest


def test_refill_by_words_pads_less_than_in_the_order_of_arrival() -> None:
    def padding(found: list[list[Item]]) -> float:
        padded = sum(len(batch) * max(map(words_of, batch)) for batch in found)
        return padded / sum(words_of(item) for batch in found for item in batch)

    by_length = padding(run("refill", rows=16, words=200))
    assert by_length < 1.2
    assert by_length < 0.8 * padding(run("refill", rows=8))


def test_refill_lets_nobody_wait_for_ever() -> None:
    long = Dialogue("long", examples=(Example(("word " * 500,), ("yes",)),) * 3)
    short = [Dialogue(str(n), examples=(Example(("hi",), ("ho",)),) * 4) for n in range(400)]
    size = Size(8, 40)
    found = batches("refill", [long, *short], disguise=DISGUISE, size=size, skip=nothing)
    rounds = [number for number, batch in enumerate(found) for item in batch if item.place == 0]
    assert len(rounds) == 3
    assert rounds[-1] < 12


def test_a_known_answer_is_not_asked_for_but_is_history() -> None:
    known = {(place, turn) for place, turn in ORDER if (place + turn) % 3 == 0}
    for schedule in ("lockstep", "refill"):
        told: list[tuple[int, int]] = []

        def skip(example: Known, told: list[tuple[int, int]] = told) -> bool:
            told.append((example.place, example.turn))
            return (example.place, example.turn) in known

        found = run(schedule, skip=skip)  # type: ignore[arg-type]  # both are schedules
        items = [item for batch in found for item in batch]
        assert {(item.place, item.turn) for item in items} == set(ORDER) - known
        assert sorted(told) == ORDER
        assert all(item.context.turns == item.dialogue.turns_before(item.turn) for item in items)


def test_refill_takes_no_more_of_a_stream_than_its_slots() -> None:
    taken = 0

    def stream() -> Iterator[Dialogue]:
        nonlocal taken
        for dialogue in DIALOGUES:
            taken += 1
            yield dialogue

    ended = 0
    schedule = batches("refill", stream(), disguise=DISGUISE, size=Size(4), skip=nothing)
    for batch in schedule:
        assert taken - ended <= 4
        ended += sum(item.turn == len(item.dialogue.examples) - 1 for item in batch)


def test_refill_of_a_long_stream_holds_little() -> None:
    def stream() -> Iterator[Dialogue]:
        for number in range(3000):
            text = f"{number} " + "word " * 400
            yield Dialogue(
                str(number), examples=(Example((text,), (text,)), Example((text,), ("x",)))
            )

    tracemalloc.start()
    try:
        for _ in batches("refill", stream(), disguise=DISGUISE, size=Size(16), skip=nothing):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000  # all of them are 12 MB


@given(
    texts=st.lists(st.text(max_size=4), min_size=1, max_size=25),
    name=st.integers(0, 2**128 - 1).map("{:032x}".format),
    data=st.data(),
)
@settings(max_examples=200, deadline=None)
def test_the_order_of_candidates_hangs_on_their_texts_and_the_name_alone(
    texts: list[str], name: str, data: st.DataObject
) -> None:
    shown = DISGUISE.shuffled(texts, name=name)
    assert sorted(shown) == sorted(texts)
    assert DISGUISE.shuffled(data.draw(st.permutations(texts)), name=name) == shown


def test_the_order_of_candidates_hangs_on_secret_name_and_nothing_is_favoured() -> None:
    texts = [f"text {number:02}" for number in range(20)]
    names = [f"{number:032x}" for number in range(4000)]
    one, other = Disguise(b"one", "hits"), Disguise(b"two", "hits")
    orders = [one.shuffled(texts, name=name) for name in names]
    assert len(set(orders)) == len(orders)
    assert all(
        order != other.shuffled(texts, name=n) for order, n in zip(orders, names, strict=True)
    )
    for text in texts:
        counts = Counter(order.index(text) for order in orders)
        assert all(0.6 * 200 < counts[place] < 1.5 * 200 for place in range(20))
