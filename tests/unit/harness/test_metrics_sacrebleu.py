"""BLEU and chrF from summed statistics are sacrebleu's corpus scores, to the last figure shown."""

import math
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import zip_longest
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from harness.metrics import bleu, chrf

NO_SCORE = pytest.approx(math.nan, nan_ok=True)
Corpus = list[tuple[str, list[str]]]

WORDS = ("the", "cat", "sat", "on", "a", "mat", ",", ".", "don't", "é")
SENTENCES = st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)
CORPORA = st.lists(
    st.tuples(SENTENCES, st.lists(SENTENCES, min_size=1, max_size=3)), min_size=1, max_size=6
)


def streams(corpus: Corpus) -> list[list[str | None]]:
    """The references as sacrebleu wants them, one stream per reference; None where one lacks."""
    return [list(stream) for stream in zip_longest(*(replies for _, replies in corpus))]


def summed(module: ModuleType, corpus: Corpus) -> Any:
    return np.sum([module.measure(reply, replies=given) for reply, given in corpus], axis=0)


@settings(deadline=None)
@given(CORPORA)
def test_bleu_is_that_of_sacrebleu(corpus: Corpus) -> None:
    known = BLEU(force=True).corpus_score([reply for reply, _ in corpus], streams(corpus))

    totals = summed(bleu, corpus)

    assert totals.tolist() == [known.sys_len, known.ref_len, *known.counts, *known.totals]
    expected = pytest.approx(known.score, rel=1e-12)
    assert bleu.score(totals) == (expected if totals[:2].any() else NO_SCORE)


@settings(deadline=None)
@given(CORPORA)
def test_chrf_is_that_of_sacrebleu(corpus: Corpus) -> None:
    known = CHRF().corpus_score([reply for reply, _ in corpus], streams(corpus))

    totals = summed(chrf, corpus)

    expected = pytest.approx(known.score, rel=1e-12)
    assert chrf.score(totals) == (expected if totals.any() else NO_SCORE)


def test_one_corpus_scores_as_the_functions_that_people_call() -> None:
    replies = ["The cat sat on the mat.", "hello there", "it is a guide to action which ensures"]
    given_ = ["The cat is on the mat.", "hello", "It is a guide to action that ensures it"]
    corpus = [(reply, [label]) for reply, label in zip(replies, given_, strict=True)]

    found = [bleu.score(summed(bleu, corpus)), chrf.score(summed(chrf, corpus))]

    assert found == pytest.approx(
        [
            sacrebleu.corpus_bleu(replies, [given_]).score,
            sacrebleu.corpus_chrf(replies, [given_]).score,
        ],
        rel=1e-14,
    )


COUNTS = st.integers(0, 30)


@given(st.lists(st.tuples(COUNTS, COUNTS), min_size=4, max_size=4), COUNTS, COUNTS)
def test_any_sums_give_sacrebleus_bleu(
    orders: list[tuple[int, int]], words: int, given_words: int
) -> None:
    matched, counts = [min(pair) for pair in orders], [max(pair) for pair in orders]
    words = words + 1  # as soon as an n-gram matches there is a word
    known = BLEU.compute_bleu([*matched], [*counts], words, given_words, smooth_method="exp")

    found = bleu.score(np.array([words, given_words, *matched, *counts], dtype=float))

    assert found == pytest.approx(known.score, rel=1e-12)


@given(st.lists(st.tuples(COUNTS, COUNTS, COUNTS), min_size=6, max_size=6))
def test_any_sums_give_sacrebleus_chrf(orders: list[tuple[int, int, int]]) -> None:
    sums = [n for a, b, c in orders for n in (a, b, min(a, b, c))]
    known = CHRF()._compute_score_from_stats(sums).score

    found = chrf.score(np.array(sums, dtype=float))

    assert found == (pytest.approx(known, rel=1e-12) if any(sums) else NO_SCORE)


@pytest.mark.parametrize(("module", "width"), [(bleu, 10), (chrf, 18)])
def test_scores_are_vectorised_over_leading_axes(module: ModuleType, width: int) -> None:
    replies = ("the cat sat on the mat", "a dog", "", "the cat sat on a mat .", "x y z w v")
    rows = [
        *(module.measure(reply, replies=["the cat sat on the mat today"]) for reply in replies),
        (0.0,) * width,
    ]
    table = np.array(rows, dtype=float)

    found = module.score(table.reshape(2, 3, width))

    assert table.shape == (6, width) == (6, len(module.COLUMNS))
    assert found.shape == (2, 3)
    assert found.ravel() == pytest.approx([float(module.score(row)) for row in table], nan_ok=True)
    assert np.isnan(found).sum() == 1


def test_sacrebleu_has_nothing_to_warn_of(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(120):
        bleu.measure("a tokenized sentence .", replies=["x ."])
        chrf.measure("a tokenized sentence .", replies=["x ."])

    assert caplog.records == []


@pytest.mark.parametrize("module", [bleu, chrf])
def test_silence_scores_nothing_and_nothing_has_no_score(module: ModuleType) -> None:
    assert module.score(np.array(module.measure("", replies=["hello you"]))) == 0.0
    assert math.isnan(module.score(np.zeros(len(module.COLUMNS))))
    assert (module.UNIT, module.HIGHER_IS_BETTER) == ("points", True)


@pytest.mark.parametrize(
    ("module", "metric"), [(bleu, lambda: BLEU(force=True)), (chrf, CHRF)], ids=["bleu", "chrf"]
)
@pytest.mark.parametrize(
    ("references", "written"), [(1, "nrefs:1|"), (3, "nrefs:3|"), (None, "nrefs:var|")]
)
def test_the_signature_is_sacrebleus_own(
    module: ModuleType, metric: Callable[[], Any], references: int | None, written: str
) -> None:
    labels: Sequence[Sequence[str | None]] = [["x", "y"]] * (references or 1)
    if references is None:
        labels = [["x", "y"], ["z", None]]
    known = metric()
    known.corpus_score(["x", "y"], labels)

    assert module.signature(references) == str(known.get_signature())
    assert module.signature(references).startswith(written)
    assert module.signature(references).endswith(f"|version:{sacrebleu.__version__}")


def test_importing_the_metrics_does_not_load_sacrebleu() -> None:
    code = (
        "import sys, harness.metrics.f1, harness.metrics.tally, harness.comparison;"
        "harness.metrics.tally.Tally('f1', profile=True);"
        "sys.exit('sacrebleu' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
