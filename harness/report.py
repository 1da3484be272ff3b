"""The result document: a score with its interval, and a signature that says how it was made.

A `Report` is one track of one run. Its JSON form is versioned (`schema`), has a fixed set of
keys and round-trips exactly. `totals` are what the score and its interval were computed from,
one entry per dialogue, so that two reports over the same set can be compared later. `measures`
are the further numbers of the run, which rank nobody. A document of schema 1 is read too.
"""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import __version__
from harness.agent import Track
from harness.document import DamagedError, Part, decoded
from harness.errors import UsageError
from harness.files import write_whole

SCHEMA = 2

MAX_BYTES = 64 * 1024 * 1024
"""The largest report that is read: some 20,000 dialogues with all measures take a tenth of it."""

SANDBOXES = ("in-process", "trusted", "bubblewrap", "docker")
"""Where the agent ran, from the weakest separation to the strongest."""

UNITS: dict[Track, str] = {"hits": "fraction", "f1": "fraction", "ppl": "per word"}

TOKENIZERS: dict[Track, str] = {"hits": "answer", "f1": "answer", "ppl": "official"}
"""How each track's rule takes texts apart; stands in the signature."""


@dataclass(frozen=True, slots=True)
class Total:
    """What one dialogue adds to a score: the score is a function of sum(value) / sum(weight).

    hits and f1: `value` sums the per-example measure, `weight` counts examples.
    ppl: `value` sums -ln p in nats (may be infinite), `weight` counts scored words.
    """

    value: float
    weight: float


@dataclass(frozen=True, slots=True)
class Score:
    """A number for people: the value, a 95 % interval over dialogues, the number of examples.

    `low` and `high` bound `value` in the metric's own unit (hits and f1: fractions; ppl: per
    word). `n` counts examples. Infinite values are written as null with the note "infinite".
    """

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Measure:
    """A further number of a run, beside its score: hits@5, precision, BLEU, distinct-1, ...

    `name`, `unit` and `higher_is_better` (None where neither is better, as for a length) are
    those of `harness.metrics.catalogue`. `low` and `high` are a 95 % interval over dialogues,
    None where a metric has none. `totals` holds what each dialogue adds, one row of the metric's
    statistics per dialogue; empty where they do not add up. `signature` is sacrebleu's for its
    metrics, `harness.metrics.lineups.signature` for persona detection, else None. `n` counts
    examples; for persona detection dialogues.
    """

    name: str
    value: float
    low: float | None
    high: float | None
    n: int
    unit: str
    higher_is_better: bool | None
    totals: tuple[tuple[float, ...], ...] = ()
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class Sidecar:
    """The file of per-example records beside a report on public data: its name, hash, records."""

    file: str
    sha256: str
    records: int


@dataclass(frozen=True, slots=True)
class Signature:
    """How a score was made, in sacrebleu's sense; equal signatures make scores comparable.

    `data` and `vocabulary` are hashes, of which 12 hex digits are written; a hidden set is named
    by a salted hash. The text has a fixed order:
    `track:hits|k:1|rule:rostrum1|tok:answer|cands:20|data:<12 hex>|seed:0|harness:0.1.0`;
    `k` and `cands` stand in hits alone, `zero` and `vocab` in ppl alone. `tok` says how texts
    become words: `answer` is `harness.text.normalise`, `official` is `split_words`.
    """

    track: Track
    data: str
    rule: str = "rostrum1"
    k: int | None = None
    candidates: int | None = None
    zero: str | None = None
    vocabulary: str | None = None
    seed: int = 0
    harness: str = __version__

    def __str__(self) -> str:
        fields = {
            "track": self.track,
            "k": self.k,
            "rule": self.rule,
            "tok": TOKENIZERS[self.track],
            "cands": self.candidates,
            "zero": self.zero,
            "data": self.data[:12],
            "vocab": self.vocabulary[:12] if self.vocabulary else None,
            "seed": self.seed,
            "harness": self.harness,
        }
        return "|".join(f"{key}:{value}" for key, value in fields.items() if value is not None)


@dataclass(frozen=True, slots=True)
class Report:
    """One track of one run of one agent.

    `tokens` (scored words), `unknown` (target words outside the dictionary, skipped) and
    `vocabulary` (dictionary entries with the specials) belong to ppl and are None elsewhere.
    `seconds` is the wall time of the run; it is never published exactly. `agent` is what the
    agent's side said of itself in HELLO; empty in-process. `measures` rank nobody; `sidecar`
    names the per-example records, which exist on public data only.
    """

    track: Track
    score: Score
    signature: str
    sandbox: str = "in-process"
    totals: tuple[Total, ...] = ()
    tokens: int | None = None
    unknown: int | None = None
    vocabulary: int | None = None
    seconds: float = 0.0
    agent: dict[str, str] = field(default_factory=dict)
    measures: tuple[Measure, ...] = ()
    sidecar: Sidecar | None = None

    def to_json(self) -> dict[str, Any]:  # Any: a JSON document
        """The document as plain values; infinities become null beside `"note": "infinite"`."""
        from harness.report_form import written  # it needs the types above

        return written(self)

    def dumps(self) -> str:
        """The document as text, keys sorted, one line."""
        return json.dumps(self.to_json(), sort_keys=True, allow_nan=False, ensure_ascii=False)

    @classmethod
    def from_json(cls, document: object, *, name: str = "the report") -> "Report":
        """The report of a document made by `to_json`.

        `UsageError` (code `bad_report`) says which part is damaged; `name` stands for the file.
        """
        from harness.report_form import parsed

        try:
            return parsed(Part(document))
        except DamagedError as error:
            raise _damaged(name, error) from error

    @classmethod
    def load(cls, path: Path | str) -> "Report":
        """The report in a file of at most `MAX_BYTES`; `UsageError` says what is wrong, where."""
        from harness.report_form import parsed

        path = Path(path)
        try:
            with path.open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise UsageError(f"cannot read {path}: {reason}", code="bad_report") from error
        if len(raw) > MAX_BYTES:
            raise _damaged(path.name, f"a report is at most {MAX_BYTES:,} bytes")
        try:
            return parsed(decoded(raw.decode("utf-8")))
        except UnicodeDecodeError as error:
            raise _damaged(path.name, f"not UTF-8 at byte {error.start + 1}") from error
        except DamagedError as error:
            raise _damaged(path.name, error) from error

    def save(self, path: Path | str) -> None:
        """Write the document to a file, whole or not at all."""
        write_whole(Path(path), self.dumps().encode("utf-8") + b"\n")


def finite(value: float) -> float | None:
    """The value as JSON can hold it: None for infinity. `ValueError` for what is no number."""
    if math.isnan(value) or value == -math.inf:
        raise ValueError(f"{value} is no figure of a report")
    return None if value == math.inf else value


def _damaged(name: str, reason: object) -> UsageError:
    return UsageError(f"{name}: {reason}", code="bad_report")
