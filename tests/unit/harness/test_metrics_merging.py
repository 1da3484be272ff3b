"""Measures of shards become those of the whole set."""

from dataclasses import replace

import pytest

from harness.dialogue import Example
from harness.errors import UsageError
from harness.metrics import f1
from harness.metrics.merging import merge_measures
from harness.metrics.tally import Tally
from harness.report import Measure

Answers = list[tuple[str, tuple[str, ...]]]

TALKS: list[Answers] = [
    [("hello you", ("hello there you",)), ("i like tea", ("i like black tea",))],
    [("no", ("no , thank you",))],
    [("what is that ?", ("what is this ?",)), ("", ("nothing",))],
    [("a cat sat on the mat", ("the cat sat on a mat",))],
]


def measured(talks: list[Answers], *, seed: int = 3) -> tuple[Measure, ...]:
    tally = Tally("f1", profile=True)
    for place, talk in enumerate(talks):
        for reply, labels in talk:
            gain = f1.gain(f1.overlap(reply, replies=labels), reply=reply)
            tally.add(place, gain, example=Example(("hi",), labels))
    examples = sum(map(len, talks))
    return tally.measures(count=len(talks), examples=examples, seed=seed)


def test_shards_merge_to_the_measures_of_the_whole_but_for_those_that_do_not_add_up() -> None:
    whole = measured(TALKS)

    merged = merge_measures([measured(TALKS[:2]), measured(TALKS[2:])], seed=3)

    assert merged == tuple(m for m in whole if not m.name.startswith("distinct"))
    assert [measure.name for measure in merged] == ["precision", "recall", "length", "bleu", "chrf"]
    assert merged[0].n == 6


def test_the_seed_draws_the_intervals_and_is_0_by_itself() -> None:
    talks: list[Answers] = [[("yes " * n, ("yes no",))] for n in range(1, 30)]
    shards = [measured(talks[:9]), measured(talks[9:])]

    assert merge_measures(shards) == merge_measures(shards, seed=0)
    assert merge_measures(shards) != merge_measures(shards, seed=1)


def test_the_measures_of_one_shard_are_its_own() -> None:
    assert merge_measures([measured(TALKS)]) == measured(TALKS)
    assert merge_measures([]) == ()


def test_a_measure_that_a_shard_lacks_is_left_out() -> None:
    one, other = measured(TALKS[:2]), measured(TALKS[2:])

    assert [m.name for m in merge_measures([one, other[2:0:-1]])] == ["recall", "length"]
    assert [m.name for m in merge_measures([one, other[1:3]])] == ["recall", "length"]
    assert [m.name for m in merge_measures([one[1:3], other])] == ["recall", "length"]
    bare = [replace(measure, totals=()) for measure in other]
    assert merge_measures([one, bare]) == ()
    unknown = [replace(one[0], name="meteor")]
    assert merge_measures([unknown, unknown]) == ()


def test_another_number_of_replies_per_answer_varies_in_the_whole() -> None:
    two: Answers = [("yes", ("yes", "yes please"))]
    whole = measured([*TALKS, two])

    merged = merge_measures([measured(TALKS), measured([two])], seed=3)

    assert merged == tuple(m for m in whole if not m.name.startswith("distinct"))
    assert "nrefs:var|" in (merged[3].signature or "")


def test_shards_made_in_different_ways_do_not_merge() -> None:
    one = measured(TALKS)
    other = [replace(m, signature=(m.signature or "") + "x") for m in one if m.name == "bleu"]
    unsigned = [replace(m, signature=None) for m in other]

    with pytest.raises(UsageError, match=r"shards made bleu in different ways: nrefs:1.* and nref"):
        merge_measures([one, other])
    with pytest.raises(UsageError, match=r"different ways: nrefs:1.* and None"):
        merge_measures([one, unsigned])


def test_damaged_totals_are_refused() -> None:
    one = measured(TALKS)
    damaged = [replace(one[0], totals=(*one[0].totals[:-1], (1.0,)))]

    with pytest.raises(UsageError, match="damaged: totals of precision") as caught:
        merge_measures([one, damaged])

    assert caught.value.code == "bad_report"
