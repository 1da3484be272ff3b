"""The catalogue of metrics says what the modules of the metrics and the tracks say."""

import numpy as np
import pytest

from harness.agent import TRACKS
from harness.metrics import bleu, chrf, distinct, f1, hits, length, perplexity, persona
from harness.metrics.catalogue import CATALOGUE, MAIN, Metric
from harness.metrics.tally import FURTHER
from harness.report import UNITS

HOMES = {
    **dict.fromkeys(("hits@1", "hits@3", "hits@5", "hits@10", "mrr"), hits),
    **dict.fromkeys(("f1", "precision", "recall"), f1),
    **dict.fromkeys(("distinct-1", "distinct-2"), distinct),
    **dict.fromkeys(("persona@1", "persona_mrr"), persona),
    **{"ppl": perplexity, "bleu": bleu, "chrf": chrf, "length": length},
}


def test_every_metric_of_the_house_has_its_row() -> None:
    assert CATALOGUE.keys() == HOMES.keys()
    assert {name for names in FURTHER.values() for name in names} < CATALOGUE.keys()


@pytest.mark.parametrize("metric", CATALOGUE.values(), ids=CATALOGUE)
def test_a_row_says_what_its_module_says(metric: Metric) -> None:
    home = HOMES[metric.name]

    assert (metric.unit, metric.higher_is_better) == (home.UNIT, home.HIGHER_IS_BETTER)
    assert metric.score is getattr(home, "score", None)
    assert metric.track in TRACKS
    assert metric.title
    assert metric.source.split()[0] in (home.__doc__ or "")


@pytest.mark.parametrize("metric", CATALOGUE.values(), ids=CATALOGUE)
def test_a_score_takes_as_many_columns_as_it_names(metric: Metric) -> None:
    if metric.score is None:
        assert metric.columns == ()
        return
    totals = np.arange(6.0 * len(metric.columns)).reshape(2, 3, len(metric.columns))

    scores = metric.score(totals)

    assert scores.shape == (2, 3)
    assert scores[1, 2] == metric.score(totals[1, 2])


def test_each_track_ranks_by_one_metric() -> None:
    assert {track: metric.name for track, metric in MAIN.items()} == {
        **{"hits": "hits@1", "f1": "f1", "ppl": "ppl"}
    }
    for track, metric in MAIN.items():
        assert metric.track == track
        assert metric.unit == UNITS[track]
        assert len(metric.columns) == 2
    assert [metric.name for metric in CATALOGUE.values() if metric.scale == "log"] == ["ppl"]
