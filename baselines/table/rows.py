"""The rows of the table: which baselines are trained, with what, and what is asked of each.

The bars of hits, F1 and perplexity are those of `docs/baselines.md` for the development data, with
two threads; the published figures are of ConvAI2's hidden test set or of Persona-Chat, other data.
"""

from dataclasses import dataclass, field

from baselines.trials.trial import Recipe
from harness.agent import Track

SECONDS, DISTINCT = "seconds", "distinct"
"""What is measured of a row beside the measures of its reports: training, and different replies."""


@dataclass(frozen=True, slots=True)
class Bar:
    """What a measure is to reach: `at_least` or `at_most`, in its own unit (fractions, per word).

    With `below`, the name of another row, that row's value less this one's is to be `at_least`.
    """

    measure: str
    at_least: float | None = None
    at_most: float | None = None
    below: str | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """A figure of the literature to stand beside ours, in the measure's own unit."""

    measure: str
    value: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table.

    `like` names the row whose checkpoint this one takes, with `changes` to the agent's options
    (by their names in config.json, such as `scoring.by`). `tracks`: what is scored, by default
    all that the folder enters. `on_request`: it is left out unless it is named.
    """

    name: str
    baseline: str
    options: tuple[str, ...] = ()
    like: str | None = None
    changes: dict[str, str] = field(default_factory=dict)
    tracks: tuple[Track, ...] | None = None
    bars: tuple[Bar, ...] = ()
    published: tuple[Published, ...] = ()
    on_request: bool = False

    @property
    def recipe(self) -> Recipe:
        """What is trained."""
        return Recipe(baseline=self.baseline, options=self.options)


CONVAI2 = "ConvAI2 hidden test, Dinan et al. 2019"
PERSONA_CHAT = "Persona-Chat revised, Mazaré et al. 2018"

ROWS: tuple[Row, ...] = (
    Row(
        name="constant-words",
        baseline="constant-words",
        published=(Published("f1", 0.196, "ConvAI2, a constant made of common words"),),
    ),
    Row(name="repeat-partner", baseline="repeat-partner"),
    Row(name="random-reply", baseline="random-reply"),
    Row(name="word-frequency", baseline="word-frequency"),
    Row(
        name="tfidf-retrieval",
        baseline="tfidf-retrieval",
        published=(Published("hits@1", 0.207, f"{PERSONA_CHAT}: IR baseline"),),
    ),
    Row(
        name="ranker-tfidf",
        baseline="ranker",
        options=("--encoder", "tfidf"),
        bars=(Bar("hits@1", at_least=0.25), Bar(SECONDS, at_most=5)),
    ),
    Row(
        name="ranker-bow",
        baseline="ranker",
        options=("--encoder", "bow"),
        bars=(
            Bar("hits@1", at_least=0.62),
            Bar("hits@10", at_least=0.97),
            Bar(SECONDS, at_most=60),
        ),
    ),
    Row(
        name="ranker-bow-without-persona",
        baseline="ranker",
        options=("--encoder", "bow", "--set", "text.persona=none"),
        bars=(Bar("hits@1", at_least=0.01, below="ranker-bow"),),
    ),
    Row(
        name="ranker-lstm",
        baseline="ranker",
        options=("--encoder", "lstm"),
        bars=(Bar("hits@1", at_least=0.64), Bar(SECONDS, at_most=240)),
    ),
    Row(
        name="ranker-transformer",
        baseline="ranker",
        options=("--encoder", "transformer"),
        bars=(Bar("hits@1", at_least=0.66), Bar(SECONDS, at_most=360)),
        published=(
            Published("hits@1", 0.421, f"{PERSONA_CHAT}: Transformer"),
            Published("hits@1", 0.607, f"{PERSONA_CHAT}: the same, pretrained on Reddit"),
        ),
    ),
    Row(
        name="kvmemnn",
        baseline="kvmemnn",
        bars=(Bar("hits@1", at_least=0.36), Bar(SECONDS, at_most=120)),
        published=(Published("hits@1", 0.552, CONVAI2), Published("f1", 0.119, CONVAI2)),
    ),
    Row(
        name="kvmemnn-modern",
        baseline="kvmemnn",
        options=("--modern",),
        bars=(Bar("hits@1", at_least=0.42), Bar(SECONDS, at_most=120)),
    ),
    Row(
        name="seq2seq",
        baseline="seq2seq",
        options=("--threads", "1"),  # its small steps are a tenth faster on one thread than on two
        changes={"scoring.by": "pmi"},
        bars=(
            Bar("ppl", at_most=9.5),
            Bar("f1", at_least=0.28),
            Bar(DISTINCT, at_least=0.45),
            Bar("hits@1", at_least=0.55),
            Bar(SECONDS, at_most=360),
        ),
        published=(Published("ppl", 29.8, CONVAI2), Published("f1", 0.1618, CONVAI2)),
    ),
    Row(
        name="seq2seq-by-mean",
        baseline="seq2seq",
        like="seq2seq",
        changes={"scoring.by": "mean"},
        tracks=("hits",),
        bars=(Bar("hits@1", at_least=0.20),),
        published=(Published("hits@1", 0.126, CONVAI2),),
    ),
    Row(
        name="lm-lstm",
        baseline="lm",
        options=("--kind", "lstm"),
        bars=(Bar("ppl", at_most=14), Bar(SECONDS, at_most=240)),
        published=(Published("ppl", 46.0, CONVAI2), Published("f1", 0.1502, CONVAI2)),
    ),
    Row(
        name="lm-transformer",
        baseline="lm",
        options=("--kind", "transformer"),
        bars=(Bar("ppl", at_most=14), Bar(SECONDS, at_most=240)),
    ),
    Row(
        name="lm-historical",
        baseline="lm",
        options=("--historical",),
        published=(Published("ppl", 46.0, CONVAI2), Published("f1", 0.1502, CONVAI2)),
        on_request=True,
    ),
    Row(
        name="seq2seq-historical",
        baseline="seq2seq",
        options=("--historical",),
        published=(
            Published("ppl", 29.8, CONVAI2),
            Published("hits@1", 0.126, CONVAI2),
            Published("f1", 0.1618, CONVAI2),
        ),
        on_request=True,
    ),
)


def chosen(names: tuple[str, ...], rows: tuple[Row, ...] = ROWS) -> tuple[Row, ...]:
    """The rows of these names, in the order of the table; all but those on request if none are.

    A row that shares another's training, or is held against it, brings that one along.
    """
    wanted = set(names or (row.name for row in rows if not row.on_request))
    for row in rows:
        if row.name in wanted:
            wanted.update(needed for needed in (row.like, *_compared(row)) if needed)
    return tuple(row for row in rows if row.name in wanted)


def _compared(row: Row) -> tuple[str | None, ...]:
    return tuple(bar.below for bar in row.bars)
