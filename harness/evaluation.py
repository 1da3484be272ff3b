"""The evaluation: every example of a set asked for and scored, whatever the agent is.

`harness.schedule` says which examples share a batch and when a reply becomes history,
`harness.asking` how an agent is asked on each track, `harness.disguise` what names and orders it
sees. The agent may live in this process or be a `harness.remote.client.RemoteAgent`: the path is
the same and every answer is checked here. The report is the same for every size of batch and
schedule, for an agent whose answers do not hang on who shares its batch.
"""

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Protocol

from harness.agent import Track
from harness.asking import Answer, AnyAgent, Detail, asker
from harness.data import jsonl
from harness.dialogue import Dialogue, Example
from harness.disguise import Disguise
from harness.errors import UsageError
from harness.journal import Journal
from harness.metrics.lineups import Crowd
from harness.metrics.tally import Tally
from harness.records import Record, Recorder
from harness.report import Report, Signature
from harness.schedule import BATCH_SIZE, Item, Known, Schedule, Size, batches
from harness.statistics import score
from harness.text import Vocabulary, split_words

PUBLIC_SECRET = b"rostrum public"
"""The key of names and orders on public data; a hidden set has a secret one."""


class Progress(Protocol):
    """Told after each batch how many examples are answered, of how many (None: not known yet)."""

    def __call__(self, done: int, total: int | None, /) -> None: ...


def evaluate(
    agent: AnyAgent,
    dialogues: Iterable[Dialogue],
    track: Track,
    *,
    vocabulary: Vocabulary | None = None,
    secret: bytes = PUBLIC_SECRET,
    data_name: str | None = None,
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
    batch_tokens: int | None = None,
    schedule: Schedule = "lockstep",
    profile: bool = False,
    crowd: Crowd | None = None,
    zero: str = "infinite",
    sandbox: str = "in-process",
    progress: Progress | None = None,
    record: Recorder | None = None,
    state: Journal | None = None,
    agent_facts: Mapping[str, str] | None = None,
) -> Report:
    """Ask the agent for every example of the dialogues and score its answers.

    `secret` keys the names and orders that the agent sees; it does not change what is asked.
    `data_name` names the set in the signature (a hidden one's is salted); by default it is the
    sha256 of the set's canonical JSONL. `seed` draws the intervals. ppl needs `vocabulary` and
    takes `zero`, what a probability of zero costs. `agent_facts` are kept in the report.

    A batch has at most `batch_size` rows and, with `batch_tokens`, at most so many words when
    padded to its longest. `schedule` "lockstep" is the one for hidden sets; "refill" keeps
    batches full and takes `dialogues` from a stream as it goes. `profile` adds the measures that
    cost time; `crowd` is whom they tell a persona from: that of the whole set, where the dialogues
    are a shard of one. `record` is told of every example, in the order of the data. `state` keeps
    what was answered, and what it holds already is not asked again.

    `UsageError` where the data cannot be scored on this track or `state` is another run's;
    `SubmissionError` where an answer is not valid; whatever the agent raises in this process.
    """
    if track == "ppl" and vocabulary is None:
        raise UsageError("ppl needs the dictionary; give it with --dictionary")
    size = Size(batch_size, batch_tokens)
    start = time.monotonic()
    intake = _Intake(track, digest=hashlib.sha256() if data_name is None else None)
    arriving: Iterable[Dialogue] = intake.admit(dialogues)
    total = None
    if isinstance(dialogues, Sequence) or schedule == "lockstep":
        arriving = list(arriving)  # so that a fault of the data shows before anything is asked
        total = intake.examples
    tally = Tally(track, profile=profile, crowd=crowd)
    books = _Books(tally, profile=profile, record=record, state=state)
    facts = _facts(track, vocabulary, zero=zero, data_name=data_name, detail=books.detail)
    disguise = Disguise(secret, track)
    ask = asker(
        agent, track, vocabulary=vocabulary, disguise=disguise, zero=zero, detail=books.detail
    )
    with nullcontext() if state is None else state.begun(facts):
        for batch in batches(schedule, arriving, disguise=disguise, size=size, skip=books.known):
            books.take(batch, ask(batch))
            if progress is not None:
                progress(books.done, total)
    books.close()
    signature = Signature(
        track=track,
        data=data_name if data_name is not None else intake.name(),
        k=1 if track == "hits" else None,
        candidates=intake.candidates() if track == "hits" else None,
        zero=zero if track == "ppl" else None,
        vocabulary=vocabulary.sha256 if track == "ppl" and vocabulary else None,
        seed=seed,
    )
    report = _report(books.tally, intake, signature, vocabulary=vocabulary)
    return replace(
        report,
        sandbox=sandbox,
        agent=dict(agent_facts or {}),
        seconds=time.monotonic() - start,
    )


def _report(
    tally: Tally, intake: "_Intake", signature: Signature, *, vocabulary: Vocabulary | None
) -> Report:
    count, examples, seed = intake.dialogues, intake.examples, signature.seed
    totals = tally.totals(count)
    report = Report(
        track=signature.track,
        score=score(signature.track, totals, examples=examples, seed=seed),
        signature=str(signature),
        totals=totals,
        measures=tally.measures(count=count, examples=examples, seed=seed),
    )
    if signature.track != "ppl" or vocabulary is None:
        return report
    words, unknown = tally.words, tally.skipped
    return replace(report, tokens=words, unknown=unknown, vocabulary=len(vocabulary))


class _Books:
    """What the answers add up to, and who is told of them."""

    def __init__(
        self, tally: Tally, *, profile: bool, record: Recorder | None, state: Journal | None
    ):
        self.tally = tally
        self.detail = Detail(profile=profile, records=record is not None)
        self.done = 0
        self._told = None if record is None else _InOrder(record)
        self._state = state

    def take(self, batch: Sequence[Item], answers: Sequence[Answer]) -> None:
        """A batch is answered."""
        if self._state is not None:
            self._state.keep(batch, answers)
        for item, answer in zip(batch, answers, strict=True):
            self.enter(item.place, item.turn, item.dialogue, answer)

    def enter(self, place: int, turn: int, dialogue: Dialogue, answer: Answer) -> None:
        """One example is answered."""
        example = dialogue.examples[turn]
        self.tally.add(place, answer.gain, example=example, dialogue=dialogue)
        self.done += 1
        if self._told is not None:
            last = turn == len(dialogue.examples) - 1
            self._told.take(place, _record(dialogue.id, turn, example, answer), last=last)

    def close(self) -> None:
        """No more answers come."""
        if self._told is not None:
            self._told.close()

    def known(self, example: Known) -> bool:
        """Whether the journal holds the example's answer, which is then entered."""
        answer = self._state.answer(example) if self._state is not None else None
        if answer is None:
            return False
        self.enter(*example, answer)
        return True


class _InOrder:
    """Passes records on in the order of the data, however the examples were asked."""

    def __init__(self, record: Recorder):
        self._record = record
        self._waiting: dict[int, list[Record]] = {}
        self._whole: set[int] = set()
        self._next = 0

    def take(self, place: int, record: Record, *, last: bool) -> None:
        """A record of the dialogue at `place`, the `last` one of it or not."""
        self._waiting.setdefault(place, []).append(record)
        if last:
            self._whole.add(place)
        while self._next in self._whole:
            self._whole.remove(self._next)
            self._pass(self._next)
            self._next += 1

    def close(self) -> None:
        """Pass on what waits behind a dialogue without examples."""
        for place in sorted(self._waiting):
            self._pass(place)

    def _pass(self, place: int) -> None:
        for record in self._waiting.pop(place):
            self._record(record)


@dataclass(slots=True)
class _Intake:
    """The dialogues of a set as they come by: checked, counted, hashed."""

    track: Track
    digest: "hashlib._Hash | None"
    dialogues: int = 0
    examples: int = 0
    _ids: set[str] = field(default_factory=set)
    _sizes: set[int] = field(default_factory=set)

    def admit(self, dialogues: Iterable[Dialogue]) -> Iterator[Dialogue]:
        """The dialogues, each once it is checked; `UsageError` at the first bad one."""
        for dialogue in dialogues:
            if dialogue.id in self._ids:
                raise UsageError("two dialogues of the set have the same id; give each its own")
            self._ids.add(dialogue.id)
            if self.track == "hits":
                _expect_candidates(dialogue)
            self._sizes.update([len(example.candidates) for example in dialogue.examples])
            if self.digest is not None:
                self.digest.update(jsonl.dumps([dialogue]))
            self.dialogues += 1
            self.examples += len(dialogue.examples)
            yield dialogue

    def name(self) -> str:
        """The sha256 of the canonical JSONL of what came by, 64 hex digits."""
        assert self.digest is not None
        return self.digest.hexdigest()

    def candidates(self) -> int | None:
        """How many candidates each example has, None if they differ."""
        return next(iter(self._sizes)) if len(self._sizes) == 1 else None


def _expect_candidates(dialogue: Dialogue) -> None:
    for number, example in enumerate(dialogue.examples, 1):
        if not example.candidates:
            raise UsageError(
                f"dialogue {dialogue.id!r}, reply {number} has no candidates; "
                "hits needs them on every example"
            )


def _facts(
    track: Track,
    vocabulary: Vocabulary | None,
    *,
    zero: str,
    data_name: str | None,
    detail: Detail,
) -> dict[str, str | None]:
    """What two parts of one run have in common; the secret is not among it."""
    return {
        "track": track,
        "rule": Signature(track, "").rule,
        "data": data_name,
        "vocabulary": vocabulary.sha256 if track == "ppl" and vocabulary else None,
        "zero": zero if track == "ppl" else None,
        "profile": "yes" if detail.profile else "no",
        "records": "yes" if detail.records else "no",
    }


def _record(dialogue: str, turn: int, example: Example, answer: Answer) -> Record:
    given = example.replies[0]
    losses = answer.losses
    return Record(
        dialogue=dialogue,
        example=turn,
        partner=example.partner[-1],
        given=given,
        value=answer.gain.value,
        weight=answer.gain.weight,
        answer=answer.answer,
        rank=answer.rank,
        words=None if losses is None else tuple(zip(split_words(given), losses, strict=True)),
    )
