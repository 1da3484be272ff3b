"""What each example gave, one JSON line a record: the sidecar of a report on public data.

`docs/records.schema.json` describes a line. Lines are canonical: schema 1, keys sorted, no
spaces, UTF-8; what a record does not have is left out, and null stands for infinity.
"""

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from harness.data.lines import bad_line, read_lines
from harness.data.lines import decoded as decoded_lines
from harness.document import DamagedError, Part, decoded
from harness.errors import UsageError
from harness.files import WholeFile
from harness.report import Sidecar, finite

SCHEMA = 1

SUFFIX = ".examples.jsonl"
"""`report.json` has its records in `report.examples.jsonl`."""

MAX_LINE_BYTES = 16 * 1024 * 1024
"""The longest line, that is the largest record, that is written and read."""

_MAX_WORDS = 1_000_000
_FIELDS = {"schema", "dialogue", "example", "partner", "given", "value", "weight"}
_FURTHER = {"answer", "rank", "words"}


@dataclass(frozen=True, slots=True)
class Record:
    """One example of a run: what was asked, what was answered, what it was worth.

    `example` counts from 0 within its dialogue. `partner` is the last utterance before the reply,
    `given` the reply that was given. `value` and `weight` are what it adds to the track's totals.
    hits: `answer` is the best-ranked candidate, `rank` the reply's place from 1 (None: not among
    them). f1: `answer` is the reply. ppl: `words` holds each official word of `given` with its
    loss in nats (infinite at a probability of zero), None where it is outside the dictionary.
    """

    dialogue: str
    example: int
    partner: str
    given: str
    value: float
    weight: float
    answer: str | None = None
    rank: int | None = None
    words: tuple[tuple[str, float | None], ...] | None = None


class Recorder(Protocol):
    """Told of every example, in the order of the data."""

    def __call__(self, record: Record, /) -> None: ...


class Writer:
    """Writes records to a file, which appears when the block ends well; call it with each.

    >>> with Writer(Path("report.examples.jsonl")) as record:  # doctest: +SKIP
    ...     report = evaluate(agent, dialogues, "f1", record=record)
    >>> replace(report, sidecar=record.sidecar).save("report.json")  # doctest: +SKIP
    """

    def __init__(self, path: Path | str):
        self._path = Path(path)
        self._digest = hashlib.sha256()
        self._records = 0
        self._file: WholeFile | None = None

    def __enter__(self) -> Self:
        self._file = WholeFile(self._path)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._file is not None
        if kind is None:
            self._file.keep()
        else:
            self._file.drop()

    def __call__(self, record: Record, /) -> None:
        """Write one record; `UsageError` where it is longer than is read again."""
        assert self._file is not None, "records are written inside the block"
        line = dumped(record)
        if len(line) > MAX_LINE_BYTES:
            raise UsageError(
                f"dialogue {record.dialogue[:60]!r}, reply {record.example + 1} is too long for a "
                f"record of {MAX_LINE_BYTES:,} bytes"
            )
        self._digest.update(line)
        self._records += 1
        self._file.write(line)

    @property
    def sidecar(self) -> Sidecar:
        """What the report says of the file; whole once the block has ended."""
        return Sidecar(self._path.name, self._digest.hexdigest(), self._records)


def beside(report: Path | str) -> Path:
    """Where the records of this report stand: `report.json` has `report.examples.jsonl`."""
    report = Path(report)
    return report.with_name(report.name.removesuffix(".json") + SUFFIX)


def dumped(record: Record) -> bytes:
    """The line of a record. What UTF-8 cannot hold (half a surrogate pair) becomes `?`."""
    document: dict[str, Any] = {  # Any: a JSON document
        "schema": SCHEMA,
        "dialogue": record.dialogue,
        "example": record.example,
        "partner": record.partner,
        "given": record.given,
        "value": finite(record.value),
        "weight": record.weight,
    }
    further = {
        "answer": record.answer,
        "rank": record.rank,
        "words": None if record.words is None else [_word(*pair) for pair in record.words],
    }
    document.update((key, value) for key, value in further.items() if value is not None)
    text = json.dumps(
        document, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    )
    return text.encode("utf-8", errors="replace") + b"\n"


def read(path: Path | str) -> Iterator[Record]:
    """The records of a file, one at a time; `UsageError` with `FILE:LINE: reason` for a bad one."""
    path = Path(path)
    lines = decoded_lines(
        read_lines(path, bound=MAX_LINE_BYTES), name=str(path), bound=MAX_LINE_BYTES
    )
    for number, text in lines:
        try:
            yield _record(decoded(text))
        except DamagedError as error:
            raise bad_line(str(path), number, str(error)) from error


def beside_report(report: Path | str, sidecar: Sidecar) -> Path:
    """The file of records that this report names; `UsageError` if it is gone or was changed."""
    path = Path(report).with_name(sidecar.file)
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except FileNotFoundError as error:
        raise UsageError(f"{sidecar.file} is not beside the report", code="bad_data") from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(f"cannot read {sidecar.file}: {reason}", code="bad_data") from error
    if digest.hexdigest() != sidecar.sha256:
        raise UsageError(
            f"{sidecar.file} is not the file that the report was written with: its sha256 differs",
            code="bad_data",
        )
    return path


def _word(word: str, loss: float | None) -> list[str | float | None]:
    """[word, nats], null for infinite; a word outside the dictionary stands alone."""
    return [word] if loss is None else [word, finite(loss)]


def _record(document: Part) -> Record:
    part = document.fields(_FIELDS, optional=_FURTHER)
    part["schema"].choice((SCHEMA,))
    return Record(
        dialogue=part["dialogue"].text(),
        example=part["example"].count(),
        partner=part["partner"].text(at_most=MAX_LINE_BYTES),
        given=part["given"].text(at_most=MAX_LINE_BYTES),
        value=part["value"].maybe(Part.number, null=math.inf),
        weight=part["weight"].at_least(0),
        answer=part["answer"].text(at_most=MAX_LINE_BYTES) if "answer" in part else None,
        rank=_rank(part["rank"]) if "rank" in part else None,
        words=_words(part["words"]) if "words" in part else None,
    )


def _rank(part: Part) -> int:
    if part.count() == 0:
        part.refuse("a place from 1")
    return part.count()


def _words(part: Part) -> tuple[tuple[str, float | None], ...]:
    return tuple(_loss(item) for item in part.items(at_most=_MAX_WORDS))


def _loss(part: Part) -> tuple[str, float | None]:
    pair = part.items(at_most=2)
    if not pair:
        part.refuse("a word with its loss")
    word = pair[0].text()
    return (word, pair[1].maybe(Part.number, null=math.inf)) if len(pair) > 1 else (word, None)
