"""What was answered so far, kept in a file, so that a run which was stopped can go on.

A journal is JSON lines: the facts of the run first, then one answer a line, appended after each
batch. It holds no text of the data and no secret; a dialogue is known again by its place and a
hash. What a crash tore from the end is dropped, and asked for again.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness import __version__
from harness.asking import Answer
from harness.data import jsonl
from harness.dialogue import Dialogue
from harness.errors import UsageError
from harness.metrics.gain import Gain
from harness.schedule import Item, Known

SCHEMA = 1

MAX_LINE_BYTES = 16 << 20
"""The longest line that is read; a line grows with the words of a reply."""

_INFINITE = "infinite"

_NAMED = {
    "track": "track",
    "rule": "rule of scoring",
    "harness": "version of the harness",
    "data": "data",
    "vocabulary": "dictionary",
    "zero": "price of a zero",
    "profile": "choice of further measures",
    "records": "choice of per-example records",
    "agent": "state of the agent's files",
}
"""The facts of a run, as an error names them."""


class Journal:
    """The answers of one run in the file at `path`, which is begun if absent.

    `agent` tells one version of the agent from another, such as a hash of its files. `answered`
    counts the examples whose answers the file holds, `before` those it held when the run began.
    `evaluate(..., state=journal)` reads and
    writes it. Two runs cannot write one file at once.
    """

    def __init__(self, path: Path, *, agent: str | None = None):
        self.path = path
        self.answered = 0
        self.before = 0
        self._agent = agent
        self._file: int | None = None
        self._held: dict[tuple[int, int], tuple[str, Answer]] = {}
        self._keys: dict[int, str] = {}

    @contextmanager
    def begun(self, facts: Mapping[str, str | None]) -> Iterator[None]:
        """Lasts while a run of these facts goes on; the file's answers of such a run are taken in.

        `UsageError` if the file is another run's, naming the difference; if it is damaged, with
        the line; if it cannot be written or another run is writing it.
        """
        try:
            self._open({**facts, "harness": __version__, "agent": self._agent})
            yield
        finally:
            self._close()

    def answer(self, example: Known) -> Answer | None:
        """What the file holds for the example, None if nothing; `UsageError` if its data is other.

        An answer is given once: it is then the caller's, and leaves the memory.
        """
        held = self._held.pop((example.place, example.turn), None)
        if held is None:
            return None
        key, answer = held
        if key != self._key(example.place, example.dialogue, example.turn):
            raise UsageError(
                f"{self.path} was begun on other data: dialogue {example.place + 1} was another "
                "one; name the same data, or begin anew without --resume"
            )
        return answer

    def keep(self, batch: Sequence[Item], answers: Sequence[Answer]) -> None:
        """Append the answers of a batch, in one write."""
        lines = [
            _line(item, answer, key=self._key(item.place, item.dialogue, item.turn))
            for item, answer in zip(batch, answers, strict=True)
        ]
        self._write(_encoded(lines))
        self.answered += len(batch)

    def remove(self) -> None:
        """Delete the file: the run is over."""
        self.path.unlink(missing_ok=True)

    def _open(self, facts: Mapping[str, str | None]) -> None:
        header = _encoded([{"journal": SCHEMA, **facts}])
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            whole = self._read(facts, header=header)
            self.before = self.answered = len(self._held)
            os.ftruncate(self._file, whole)
            os.lseek(self._file, whole, os.SEEK_SET)
            self._write(b"" if whole else header)
        except BlockingIOError as error:
            raise UsageError(f"another run is writing {self.path}; wait for it") from error
        except OSError as error:
            raise UsageError(f"cannot keep a journal in {self.path}: {error.strerror}") from error

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _key(self, place: int, dialogue: Dialogue, turn: int) -> str:
        """The hash of a dialogue, made once and forgotten after its last example."""
        key = self._keys.get(place)
        if key is None:
            line = jsonl.dumps([dialogue])
            key = self._keys[place] = hashlib.blake2b(line, digest_size=8).hexdigest()
        if turn == len(dialogue.examples) - 1:
            del self._keys[place]
        return key

    def _write(self, content: bytes) -> None:
        if self._file is None:
            raise ValueError("begin the journal before keeping answers")
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(self._file, rest) :]

    def _read(self, facts: Mapping[str, str | None], *, header: bytes) -> int:
        """Take in the file's answers; the number of bytes up to its last whole line."""
        self._held, self._keys = {}, {}
        whole = 0
        with self.path.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE_BYTES), b""), 1):
                if not line.endswith(b"\n"):
                    if len(line) == MAX_LINE_BYTES or not (whole or header.startswith(line)):
                        raise self._foreign() if number == 1 else self._damaged(number, "too long")
                    break
                if number == 1:
                    self._expect(line, facts)
                else:
                    self._take(line, number)
                whole += len(line)
        return whole

    def _take(self, line: bytes, number: int) -> None:
        try:
            place, turn, key, answer = _answer(_parsed(line))
        except (ValueError, TypeError, RecursionError) as error:
            raise self._damaged(number, str(error)) from error
        if (place, turn) in self._held:
            raise self._damaged(number, "this example stands twice")
        self._held[place, turn] = key, answer

    def _expect(self, line: bytes, facts: Mapping[str, str | None]) -> None:
        try:
            header = _parsed(line)
        except (ValueError, RecursionError):
            raise self._foreign() from None
        if not isinstance(header, dict) or header.get("journal") != SCHEMA:
            raise self._foreign()
        for fact, value in facts.items():
            if (kept := header.get(fact)) != value:
                raise UsageError(
                    f"{self.path} was begun with another {_NAMED[fact]} ({_short(kept)}, now "
                    f"{_short(value)}); go back to that one, or begin anew without --resume"
                )

    def _foreign(self) -> UsageError:
        return UsageError(f"{self.path} is not a journal of schema {SCHEMA}; name another file")

    def _damaged(self, number: int, reason: str) -> UsageError:
        return UsageError(f"{self.path}:{number}: the journal is damaged: {reason}")


def _encoded(documents: Sequence[object]) -> bytes:
    text = "".join(json.dumps(document, allow_nan=False) + "\n" for document in documents)
    return text.encode("ascii")


def _short(value: object) -> str:
    return "none" if value is None else str(value)[:12]


def _line(item: Item, answer: Answer, *, key: str) -> list[Any]:  # Any: JSON
    gain = answer.gain
    return [
        [item.place, item.turn, key],
        [_written(gain.value), gain.weight, gain.skipped, list(gain.more), gain.reply],
        answer.answer,
        answer.rank,
        None if answer.losses is None else [_written(loss) for loss in answer.losses],
    ]


def _written(value: float | None) -> float | str | None:
    return _INFINITE if value == float("inf") else value


def _parsed(line: bytes) -> Any:  # Any: JSON
    return json.loads(line.decode("ascii"), parse_constant=_no_constant)


def _no_constant(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _answer(document: Any) -> tuple[int, int, str, Answer]:  # Any: parsed here
    (place, turn, key), (value, weight, skipped, more, reply), answer, rank, losses = document
    gain = Gain(
        _number(value),
        weight=_number(weight),
        skipped=_whole(skipped),
        more=tuple(_number(one) for one in more),
        reply=_text(reply),
    )
    kept = None if losses is None else tuple(None if x is None else _number(x) for x in losses)
    return (
        _whole(place),
        _whole(turn),
        str(key),
        Answer(gain, _text(answer), None if rank is None else _whole(rank), kept),
    )


def _number(value: object) -> float:
    if value == _INFINITE:
        return float("inf")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{value!r:.40} is not a number")
    return float(value)


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r:.40} is not a count")
    return value


def _text(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{value!r:.40} is not text")
    return value
