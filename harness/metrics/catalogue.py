"""Every metric of the house as one row of a table: name, unit, direction, formula, source."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.agent import Track
from harness.metrics import bleu, chrf, distinct, f1, hits, length, mean, perplexity, persona

Formula = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""A score from totals, vectorised over leading axes: `[..., S] -> [...]`; NaN without weight."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `ranks` are the main scores of the tracks; the others rank nobody.

    `higher_is_better` is None where neither is. `columns` name the S statistics that a dialogue
    adds; they and `score` are empty and None where dialogues do not add up (distinct-n). `scale`
    says how two scores are compared: by difference, or by difference of logarithms.
    """

    name: str
    title: str
    track: Track
    unit: str
    higher_is_better: bool | None
    ranks: bool
    score: Formula | None
    source: str
    columns: tuple[str, ...] = mean.COLUMNS
    scale: Literal["linear", "log"] = "linear"


_CONVAI2 = "ConvAI2 (Dinan et al. 2019)"

_HITS = Metric(
    name="hits@1",
    title="reply ranked first",
    track="hits",
    unit=hits.UNIT,
    higher_is_better=hits.HIGHER_IS_BETTER,
    ranks=True,
    score=hits.score,
    source=_CONVAI2,
)
_F1 = Metric(
    name="f1",
    title="F1 of shared words",
    track="f1",
    unit=f1.UNIT,
    higher_is_better=f1.HIGHER_IS_BETTER,
    ranks=True,
    score=f1.score,
    source=f"{_CONVAI2}, after SQuAD (Rajpurkar et al. 2016)",
)
_DISTINCT = Metric(
    name="distinct-1",
    title="different words per word",
    track="f1",
    unit=distinct.UNIT,
    higher_is_better=distinct.HIGHER_IS_BETTER,
    ranks=False,
    score=None,
    source="Li et al. 2016 (NAACL)",
    columns=(),
)
_PERSONA = Metric(
    name="persona@1",
    title="own persona told from 19 others",
    track="f1",
    unit=persona.UNIT,
    higher_is_better=persona.HIGHER_IS_BETTER,
    ranks=False,
    score=persona.score,
    source=f"{_CONVAI2}, who asked raters",
    columns=persona.COLUMNS,
)

_ROWS = (
    _HITS,
    replace(_HITS, name="hits@3", title="reply among the best 3 candidates", ranks=False),
    replace(_HITS, name="hits@5", title="reply among the best 5 candidates", ranks=False),
    replace(_HITS, name="hits@10", title="reply among the best 10 candidates", ranks=False),
    replace(
        _HITS,
        name="mrr",
        title="mean reciprocal rank",
        ranks=False,
        source="Voorhees 1999 (TREC-8)",
    ),
    _F1,
    replace(
        _F1, name="precision", title="share of the answer's words that the reply has", ranks=False
    ),
    replace(
        _F1, name="recall", title="share of the reply's words that the answer has", ranks=False
    ),
    Metric(
        name="ppl",
        title="perplexity",
        track="ppl",
        unit=perplexity.UNIT,
        higher_is_better=perplexity.HIGHER_IS_BETTER,
        ranks=True,
        score=perplexity.score,
        source=_CONVAI2,
        columns=perplexity.COLUMNS,
        scale="log",
    ),
    Metric(
        name="bleu",
        title="BLEU",
        track="f1",
        unit=bleu.UNIT,
        higher_is_better=bleu.HIGHER_IS_BETTER,
        ranks=False,
        score=bleu.score,
        source="Papineni et al. 2002 (ACL); Post 2018 (WMT), sacrebleu",
        columns=bleu.COLUMNS,
    ),
    Metric(
        name="chrf",
        title="chrF",
        track="f1",
        unit=chrf.UNIT,
        higher_is_better=chrf.HIGHER_IS_BETTER,
        ranks=False,
        score=chrf.score,
        source="Popović 2015 (WMT); sacrebleu",
        columns=chrf.COLUMNS,
    ),
    _DISTINCT,
    replace(_DISTINCT, name="distinct-2", title="different word pairs per word"),
    Metric(
        name="length",
        title="words per answer",
        track="f1",
        unit=length.UNIT,
        higher_is_better=length.HIGHER_IS_BETTER,
        ranks=False,
        score=length.score,
        source="ConvAI2's split (Dinan et al. 2019)",
    ),
    _PERSONA,
    replace(_PERSONA, name="persona_mrr", title="mean reciprocal rank of the own persona"),
)

CATALOGUE: Mapping[str, Metric] = {metric.name: metric for metric in _ROWS}
"""Every metric by its name."""

MAIN: Mapping[Track, Metric] = {metric.track: metric for metric in _ROWS if metric.ranks}
"""The one metric of each track that ranks."""
