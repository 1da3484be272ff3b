"""Two runs over one set: their difference, its interval, and how likely it is by chance."""

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.significance import PairedTest

from harness.agent import Track
from harness.comparison import comparable, compare, compare_each
from harness.errors import UsageError
from harness.metrics import bleu
from harness.report import Measure, Report, Score, Total

Pairs = list[tuple[float, float]]

MAIN = {"hits": "hits@1", "f1": "f1", "ppl": "ppl"}


def run(track: Track, totals: Pairs, **fields: Any) -> Report:
    """A report of these totals; `fields` as in `Report`."""
    made = {"signature": f"track:{track}|rule:rostrum1|data:abc|seed:0|harness:0.1.0", **fields}
    return Report(
        track=track,
        score=Score(0.0, 0.0, 0.0, n=int(sum(weight for _, weight in totals))),
        totals=tuple(Total(value, weight) for value, weight in totals),
        **made,
    )


def rates(shift: float, *, seed: int, count: int = 200) -> Pairs:
    """Dialogues of 8 examples, hits with a rate of their own plus `shift`."""
    rng = np.random.default_rng(seed)
    own = np.clip(np.random.default_rng(99).uniform(0.2, 0.7, count) + shift, 0, 1)
    return [(float(hits), 8.0) for hits in rng.binomial(8, own)]


def measured(name: str, rows: list[tuple[float, ...]], **fields: Any) -> Measure:
    made = {"unit": "fraction", "higher_is_better": True, **fields}
    return Measure(name, 0.0, 0.0, 0.0, n=len(rows), totals=tuple(rows), **made)


def test_a_difference_is_the_first_score_less_the_second() -> None:
    one, other = run("f1", [(3, 4), (2, 4)]), run("f1", [(1, 4), (2, 4)])

    found = compare(one, other)

    assert (found.metric, found.unit, found.scale) == ("f1", "fraction", "linear")
    assert (found.first, found.second, found.value) == (0.625, 0.375, 0.25)
    assert (found.n, found.dialogues, found.higher_is_better) == (8, 2, True)
    assert (found.low, found.high) == (0.0, 0.5)
    assert (found.better, found.ratio) == ("first", None)


def test_perplexities_are_compared_as_logarithms() -> None:
    one = run("ppl", [(10 * math.log(30), 10), (10 * math.log(30), 10)])
    other = run("ppl", [(10 * math.log(20), 10), (10 * math.log(20), 10)])

    found = compare(one, other)

    assert found.value == pytest.approx(math.log(1.5))
    assert (found.low, found.high) == pytest.approx((found.value, found.value))
    assert (found.unit, found.scale, found.higher_is_better) == ("nats", "log", False)
    assert (found.first, found.second) == pytest.approx((30, 20))
    assert found.ratio == pytest.approx(1.5)
    assert found.better == "second"


def exact_p(one: Pairs, other: Pairs, *, log: bool = False) -> float:
    """Every exchange of whole dialogues, by the letter."""

    def difference(swap: tuple[int, ...]) -> float:
        sides = [[], []]  # type: list[Pairs]
        for exchanged, pair in zip(swap, zip(one, other, strict=True), strict=True):
            sides[0].append(pair[exchanged])
            sides[1].append(pair[1 - exchanged])
        means = [sum(v for v, _ in side) / sum(w for _, w in side) for side in sides]
        return abs(means[0] - means[1]) if means[0] != means[1] else 0.0

    swaps = list(itertools.product([0, 1], repeat=len(one)))
    seen = difference(swaps[0])
    return sum(difference(swap) >= seen - 1e-9 for swap in swaps) / len(swaps)


WEIGHTED = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 5)), min_size=1, max_size=7
)


@settings(deadline=None, max_examples=50)
@given(WEIGHTED, st.sampled_from(["f1", "ppl"]))
def test_p_of_few_dialogues_is_exact(rows: list[tuple[int, int, int]], track: Track) -> None:
    one = [(float(a), float(w)) for a, _, w in rows]
    other = [(float(b), float(w)) for _, b, w in rows]

    found = compare(run(track, one), run(track, other), resamples=200)

    assert found.p == pytest.approx(exact_p(one, other))


def test_six_of_six_dialogues_better_have_a_chance_of_two_in_64() -> None:
    """Dialogues that do not differ tell nothing: there are 500 of them, and p is still exact."""
    same = [(3.0, 5.0)] * 500

    found = compare(run("f1", [*same, *[(2.0, 5.0)] * 6]), run("f1", [*same, *[(1.0, 5.0)] * 6]))

    assert found.p == 2 / 64


def test_p_of_many_dialogues_is_near_the_exact_one_and_counts_the_set_as_seen() -> None:
    """20 of 30 dialogues better by one: the two-sided sign test gives .0987."""
    one = [(2.0, 5.0)] * 20 + [(1.0, 5.0)] * 10
    binomial = 2 * sum(math.comb(30, k) for k in range(20, 31)) / 2**30

    found = compare(run("f1", one), run("f1", [(3 - value, weight) for value, weight in one]))
    rare = compare(run("f1", [(2.0, 5.0)] * 60), run("f1", [(1.0, 5.0)] * 60), resamples=99)

    assert found.p == pytest.approx(binomial, abs=0.012)
    assert rare.p == 1 / 100


def test_equal_runs_do_not_differ() -> None:
    same = run("hits", rates(0.0, seed=1))

    found = compare(same, same)

    assert (found.value, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)
    assert found.better is None


def test_the_other_way_round_is_the_same_with_the_other_sign() -> None:
    one, other = run("hits", rates(0.04, seed=1)), run("hits", rates(0.0, seed=2))

    there, back = compare(one, other, seed=3), compare(other, one, seed=3)

    assert (back.value, back.low, back.high) == pytest.approx(
        (-there.value, -there.high, -there.low)
    )
    assert back.p == there.p
    assert compare(one, other, seed=3) == there
    assert compare(one, other, seed=4) != there


def test_chance_alone_is_significant_about_as_often_as_it_says() -> None:
    """300 pairs of equally good agents; and the interval holds the truth, which is 0."""
    found = [
        compare(
            run("hits", rates(0.0, seed=2 * n, count=60)),
            run("hits", rates(0.0, seed=2 * n + 1, count=60)),
            resamples=300,
        )
        for n in range(300)
    ]

    assert 0.02 <= sum(difference.p <= 0.05 for difference in found) / 300 <= 0.09
    assert 0.90 <= sum(d.low <= 0 <= d.high for d in found) / 300 <= 0.98
    assert sum(difference.p <= 0.5 for difference in found) / 300 == pytest.approx(0.5, abs=0.1)


def test_a_real_difference_is_found_where_separate_intervals_overlap() -> None:
    """Dialogues differ more than agents: pairing takes their hardness out."""
    rng = np.random.default_rng(0)
    hardness = rng.uniform(0, 8, size=80).round()
    one = [(min(8.0, value + (place % 3 == 0)), 8.0) for place, value in enumerate(hardness)]

    found = compare(run("hits", one), run("hits", [(float(v), 8.0) for v in hardness]))

    assert found.low > 0
    assert found.p < 0.001


def test_one_infinite_perplexity_is_an_infinite_difference_and_no_evidence() -> None:
    """Its one dialogue could as well have been the other's: p = 1."""
    fine = [(3.0, 2.0)] * 40
    one, other = run("ppl", [(math.inf, 2.0), *fine]), run("ppl", [(3.0, 2.0), *fine])

    found, back = compare(one, other), compare(other, one)

    assert (found.value, found.high, found.p, found.better) == (math.inf, math.inf, 1.0, "second")
    assert found.low == 0.0
    assert (back.value, back.low, back.p) == (-math.inf, -math.inf, 1.0)
    assert (found.ratio, back.ratio) == (math.inf, 0.0)


def test_infinities_on_one_side_again_and_again_are_evidence() -> None:
    bad = [(math.inf, 2.0)] * 8

    found = compare(run("ppl", [*bad, (3.0, 2.0)]), run("ppl", [(2.0, 2.0)] * 9))

    assert found.p == 4 / 512  # the eight together on either side, the ninth anywhere


def test_two_infinite_perplexities_do_not_differ() -> None:
    one = run("ppl", [(math.inf, 2.0), *[(3.0, 2.0)] * 9])
    other = run("ppl", [*[(1.0, 2.0)] * 9, (math.inf, 2.0)])

    found = compare(one, other)

    assert (found.value, found.p, found.better) == (0.0, 1.0, None)
    assert (found.first, found.second) == (math.inf, math.inf)


REFERENCES = ["the cat sat on the mat", "i like my two dogs", "we go to the sea", "no thank you"]


def test_bleu_is_compared_as_sacrebleu_compares_it() -> None:
    """One answer a dialogue, so that its paired tests and ours exchange the same things."""
    rng = np.random.default_rng(4)
    labels = [REFERENCES[place % 4] for place in range(80)]
    worse = [" ".join(w for w in text.split() if rng.random() > 0.3) or "no" for text in labels]
    better = [" ".join(w for w in text.split() if rng.random() > 0.22) or "no" for text in labels]
    tests = [
        PairedTest(
            [("worse", worse), ("better", better)], {"BLEU": BLEU(force=True)}, [labels], kind, n
        )()[1]["BLEU"]
        for kind, n in (("ar", 5000), ("bs", 5000))
    ]
    reports = [
        run(
            "f1",
            [(0.0, 1.0)] * 80,
            measures=(
                measured(
                    "bleu",
                    [bleu.measure(r, replies=[g]) for r, g in zip(replies, labels, strict=True)],
                    unit="points",
                ),
            ),
        )
        for replies in (worse, better)
    ]

    found = compare(reports[0], reports[1], metric="bleu")

    assert [found.first, found.second] == pytest.approx([tests[0][0].score, tests[0][1].score])
    assert found.p == pytest.approx(tests[0][1].p_value, abs=0.02)
    assert found.unit == "points"
    spread = math.hypot(*(result.ci for result in tests[1]))
    assert (found.high - found.low) / 2 == pytest.approx(spread, rel=0.25)


def test_every_shared_measure_is_compared_the_main_score_first() -> None:
    further = measured("precision", [(1.0, 2.0), (0.5, 2.0)])
    lone = measured("recall", [(1.0, 2.0), (0.5, 2.0)])
    sums = measured("distinct-1", [])
    one = run("f1", [(1.0, 2.0)] * 2, measures=(further, lone, sums))
    other = run("f1", [(0.5, 2.0)] * 2, measures=(sums, further))

    found = compare_each(one, other)

    assert [difference.metric for difference in found] == ["f1", "precision"]
    assert comparable([one, other]) == ("f1", "precision")
    assert found[1] == compare(one, other, metric="precision")
    assert found[0] == compare(one, other, metric="f1") == compare(one, other)
    assert (found[0].value, found[1].value) == (0.25, 0.0)


def test_lengths_differ_without_either_being_better() -> None:
    long, short = (
        run("f1", [(0.0, 1.0)], measures=(measured("length", [(w, 1.0)], higher_is_better=None),))
        for w in (9.0, 4.0)
    )

    found = compare(long, short, metric="length")

    assert (found.value, found.unit, found.better) == (5.0, "words", None)


@pytest.mark.parametrize(
    ("metric", "change", "reason"),
    [
        (
            "recall",
            {},
            "cannot compare on 'recall': not every report holds it; comparable here: f1",
        ),
        ("precision", {"totals": ()}, "'precision': it has no totals by dialogue"),
        ("precision", {"totals": ((1.0, 1.0), (1.0,))}, "its totals are damaged"),
        ("precision", {"totals": ((0.0, 0.0),) * 2}, "its totals of precision give no score"),
        ("precision", {"signature": "b"}, "'precision': it was made as None and as b; comp"),
        ("meteor", {"name": "meteor"}, "'meteor': not every report holds it"),
    ],
)
def test_a_measure_that_cannot_be_compared_is_refused(
    metric: str, change: dict[str, Any], reason: str
) -> None:
    own = measured("precision", [(1.0, 1.0)] * 2)
    totals = [(1.0, 1.0)] * 2
    one, other = (run("f1", totals, measures=(m,)) for m in (own, replace(own, **change)))

    with pytest.raises(UsageError, match=reason):
        compare(one, other, metric=metric)


def test_a_measure_that_the_house_does_not_know_has_no_totals_for_it() -> None:
    strange = run("f1", [(1.0, 1.0)], measures=(measured("meteor", [(1.0, 1.0)]),))

    with pytest.raises(UsageError, match="'meteor': it has no totals by dialogue"):
        compare(strange, strange, metric="meteor")


@pytest.mark.parametrize(
    ("track", "totals", "signature", "reason"),
    [
        ("f1", [(1.0, 2.0)], "track:f1|data:b", "differ in data: a and b; only runs over the same"),
        ("ppl", [(1.0, 2.0)], "track:ppl|data:a", "differ in track: f1 and ppl"),
        ("f1", [(1.0, 2.0)], "track:f1|data:a|k:1", "differ in k: nothing and 1"),
        ("f1", [(1.0, 2.0)], "track:f1", "differ in data: a and nothing"),
        ("f1", [(1.0, 2.0)] * 2, "track:f1|data:a", "differ in dialogues: 1 and 2"),
        ("f1", [], "track:f1|data:a", "differ in dialogues: 1 and 0"),
        ("f1", [(1.0, 3.0)], "track:f1|data:a", "differ in dialogue 1: 2 and 3 examples or words"),
    ],
)
def test_runs_over_different_sets_are_refused_by_the_field_that_differs(
    track: Track, totals: Pairs, signature: str, reason: str
) -> None:
    first = run("f1", [(1.0, 2.0)], signature="track:f1|data:a")

    with pytest.raises(UsageError, match=reason):
        compare(first, run(track, totals, signature=signature))


def test_seed_and_version_may_differ() -> None:
    one = run("f1", [(1.0, 2.0)], signature="track:f1|data:a|seed:0|harness:0.1.0")
    other = run("f1", [(1.0, 2.0)], signature="track:f1|data:a|seed:7|harness:0.2.0")

    assert compare(one, other).p == 1.0


def test_a_report_without_totals_cannot_be_compared() -> None:
    bare = run("f1", [])

    with pytest.raises(UsageError, match="without totals by dialogue cannot be compared; evaluate"):
        compare(bare, bare)
