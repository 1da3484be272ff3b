"""The tally: what examples gain becomes totals and measures, whatever the order of dialogues."""

import itertools
import json
import math
import random

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from harness.dialogue import Example
from harness.metrics import f1, hits
from harness.metrics.catalogue import CATALOGUE
from harness.metrics.tally import FURTHER, Gain, Tally
from harness.report import Measure, Total
from harness.text import split_words

ASKED = Example(("hi",), ("hello you",), ("hello you", "no"))


def by_name(measures: tuple[Measure, ...]) -> dict[str, Measure]:
    return {measure.name: measure for measure in measures}


def ranked(ranks: list[list[int | None]]) -> Tally:
    tally = Tally("hits")
    for place, own in enumerate(ranks):
        for rank in own:
            tally.add(place, hits.gain(rank), example=ASKED)
    return tally


def test_totals_have_a_row_per_dialogue_also_where_nothing_came() -> None:
    tally = ranked([[1, 4], [], [2]])

    assert tally.totals(4) == (Total(1.0, 2.0), Total(0.0, 0.0), Total(0.0, 1.0), Total(0.0, 0.0))
    assert (tally.track, tally.words, tally.skipped) == ("hits", 3, 0)


def test_hits_further_measures_are_means_over_examples() -> None:
    measures = ranked([[1, 4], [], [2, None]]).measures(count=3, examples=4, seed=0)

    assert [measure.name for measure in measures] == ["hits@3", "hits@5", "hits@10", "mrr"]
    assert [measure.value for measure in measures] == [0.5, 0.75, 0.75, (1 + 1 / 4 + 1 / 2) / 4]
    assert measures[0].totals == ((1.0, 2.0), (0.0, 0.0), (1.0, 2.0))
    assert measures[3].totals == ((1.25, 2.0), (0.0, 0.0), (0.5, 2.0))
    assert {measure.n for measure in measures} == {4}


def test_every_measure_says_what_the_catalogue_says() -> None:
    tally = Tally("f1", profile=True)
    tally.add(0, Gain(1.0, more=(1.0, 1.0), reply="hello you"), example=ASKED)

    measures = tally.measures(count=1, examples=1, seed=0)

    assert set(by_name(measures)) == {
        *("precision", "recall", "length", "bleu", "chrf", "distinct-1", "distinct-2")
    }
    for measure in measures:
        row = CATALOGUE[measure.name]
        assert (measure.unit, measure.higher_is_better) == (row.unit, row.higher_is_better)
        assert {len(totals) for totals in measure.totals} <= {len(row.columns)}
        assert (measure.low is None) == (measure.high is None) == (row.score is None)


def test_f1_measures_precision_and_recall_beside_it() -> None:
    tally = Tally("f1")
    for reply in ("hello", "hello you there you"):
        tally.add(0, f1.gain(f1.overlap(reply, replies=ASKED.replies)), example=ASKED)

    measures = tally.measures(count=1, examples=2, seed=0)

    assert [(measure.name, measure.value) for measure in measures] == [
        ("precision", (1.0 + 0.5) / 2),
        ("recall", (0.5 + 1.0) / 2),
    ]
    assert measures[0].low == measures[0].high == 0.75


def test_ppl_counts_words_and_has_no_further_measure() -> None:
    tally = Tally("ppl", profile=True)
    tally.add(1, Gain(3.5, weight=4, skipped=2), example=ASKED)
    tally.add(1, Gain(math.inf, weight=3), example=ASKED)

    assert tally.totals(2) == (Total(0.0, 0.0), Total(math.inf, 7.0))
    assert (tally.words, tally.skipped) == (7, 2)
    assert tally.measures(count=2, examples=2, seed=0) == ()


def test_a_tally_of_nothing_has_no_measures() -> None:
    assert Tally("hits").measures(count=3, examples=0, seed=0) == ()
    assert Tally("hits").measures(count=0, examples=0, seed=0) == ()


def test_a_gain_survives_json() -> None:
    gain = Gain(0.5, 1.0, 0, (0.4, 0.6), "hi")

    value, weight, skipped, more, reply = json.loads(json.dumps(gain))

    assert Gain(value, weight, skipped, tuple(more), reply) == gain
    assert set(FURTHER) == {"hits", "f1", "ppl"}


REPLIES = ["The cat sat on the mat.", "", "hello , hello you !", "i have two dogs and a cat"] * 3
LABELS = [("A cat sat on a mat.",), ("yes",), ("hello, you!", "hi"), ("i have two cats",)] * 3


def profiled(order: list[tuple[int, int]]) -> Tally:
    """Three dialogues of four answers each, in this order of (dialogue, answer)."""
    tally = Tally("f1", profile=True)
    for place, number in order:
        reply, labels = REPLIES[4 * place + number], LABELS[4 * place + number]
        gain = f1.gain(f1.overlap(reply, replies=labels), reply=reply)
        tally.add(place, gain, example=Example(("hi",), labels))
    return tally


ORDER = list(itertools.product(range(3), range(4)))


def test_the_profile_of_a_set_is_that_of_sacrebleu_over_all_answers() -> None:
    measures = by_name(profiled(ORDER).measures(count=3, examples=12, seed=0))

    streams = [[labels[0] for labels in LABELS], [(*labels, None)[1] for labels in LABELS]]
    known = BLEU(force=True)
    assert measures["bleu"].value == pytest.approx(known.corpus_score(REPLIES, streams).score)
    assert measures["bleu"].signature == str(known.get_signature())
    other = CHRF()
    assert measures["chrf"].value == pytest.approx(other.corpus_score(REPLIES, streams).score)
    assert measures["chrf"].signature == str(other.get_signature())
    assert "|nrefs:var|" in f"|{measures['chrf'].signature}"
    assert measures["bleu"].low == pytest.approx(measures["bleu"].high)


def test_distinct_and_length_are_counted_in_official_words() -> None:
    measures = by_name(profiled(ORDER).measures(count=3, examples=12, seed=0))
    answers = [split_words(reply) for reply in REPLIES]
    words = [word for answer in answers for word in answer]
    pairs = {pair for answer in answers for pair in itertools.pairwise(answer)}

    assert measures["length"].value == len(words) / 12
    assert measures["distinct-1"].value == len(set(words)) / len(words)
    assert measures["distinct-2"].value == len(pairs) / len(words)
    assert measures["distinct-2"].totals == ()
    assert {measure.n for measure in measures.values()} == {12}
    assert measures["length"].totals == ((len(words) / 3, 4.0),) * 3


def test_one_word_alone_is_all_different() -> None:
    tally = Tally("f1", profile=True)
    tally.add(0, Gain(0.0, more=(0.0, 0.0), reply="hi"), example=ASKED)

    measures = by_name(tally.measures(count=1, examples=1, seed=0))

    assert (measures["distinct-1"].value, measures["distinct-2"].value) == (1.0, 0.0)


def test_the_order_of_dialogues_changes_nothing() -> None:
    random.Random(0).shuffle(shuffled := sorted(ORDER))
    turn_by_turn = sorted(shuffled, key=lambda asked: asked[1])

    found = profiled(turn_by_turn)

    assert found.totals(3) == profiled(ORDER).totals(3)
    assert found.measures(count=3, examples=12, seed=5) == profiled(ORDER).measures(
        count=3, examples=12, seed=5
    )


def test_silence_alone_has_a_profile_of_zeros() -> None:
    tally = Tally("f1", profile=True)
    tally.add(0, Gain(0.0, more=(0.0, 0.0), reply=""), example=ASKED)

    measures = tally.measures(count=1, examples=1, seed=0)

    assert {measure.value for measure in measures} == {0.0}
    assert by_name(measures)["bleu"].signature is not None
    assert "nrefs:1" in by_name(measures)["bleu"].signature


def test_a_profile_without_the_reply_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match=r"^a profile needs the reply of every gain$"):
        Tally("f1", profile=True).add(0, Gain(0.0, more=(0.0, 0.0)), example=ASKED)


def test_intervals_hang_on_the_seed_alone() -> None:
    rng = np.random.default_rng(0)
    tally = ranked([rng.integers(1, 21, size=7).tolist() for _ in range(40)])

    first = tally.measures(count=40, examples=280, seed=1)

    assert tally.measures(count=40, examples=280, seed=1) == first
    assert tally.measures(count=40, examples=280, seed=2) != first
    for measure in first:
        assert measure.low is not None
        assert measure.high is not None
        assert measure.low < measure.value < measure.high
