"""The journal: what was answered is not asked again, and another run's is refused by name."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from evalworld import DIALOGUES, EXAMPLES, VOCABULARY, Hashing, Recorder, dictionary, timeless

from harness.agent import TRACKS, Track
from harness.dialogue import Context, Dialogue
from harness.errors import UsageError
from harness.evaluation import evaluate
from harness.journal import Journal
from harness.records import Record
from harness.report import Report
from harness.text import Vocabulary


class Stops(Recorder):
    """Is interrupted at its `calls`-th call, as by Ctrl-C."""

    def __init__(self, calls: int):
        super().__init__()
        self.left = calls

    def _count(self) -> None:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1

    def respond(self, contexts: Sequence[Context]) -> list[str]:
        self._count()
        return super().respond(contexts)

    def score_candidates(
        self, contexts: Sequence[Context], candidates: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        self._count()
        return super().score_candidates(contexts, candidates)

    def next_word_probabilities(
        self, contexts: Sequence[Context], prefixes: Sequence[Sequence[str]], vocabulary: Vocabulary
    ) -> Any:  # Any: an array
        self._count()
        return super().next_word_probabilities(contexts, prefixes, vocabulary)


def run(agent: Hashing, track: Track, **options: Any) -> Report:  # Any: options of evaluate
    options = {"profile": True, "batch_size": 9, "vocabulary": dictionary(track), **options}
    return timeless(evaluate(agent, options.pop("dialogues", DIALOGUES), track, **options))


def stopped(path: Path, track: Track = "f1", *, calls: int = 4, **options: Any) -> Stops:
    """An agent whose run was interrupted, its journal in `path`."""
    agent = Stops(calls)
    with pytest.raises(KeyboardInterrupt):
        run(agent, track, state=Journal(path, agent="v1"), **options)
    return agent


@pytest.mark.parametrize("track", TRACKS)
@pytest.mark.parametrize("schedule", ["lockstep", "refill"])
@pytest.mark.parametrize("calls", [0, 1, 9])
def test_a_stopped_run_goes_on_and_reports_the_same(
    tmp_path: Path, track: Track, schedule: str, calls: int
) -> None:
    path = tmp_path / "journal"
    wanted: list[Record] = []
    expected = run(Hashing(), track, schedule=schedule, record=wanted.append)
    stopped(path, track, calls=calls, schedule=schedule, record=lambda record: None)

    again, records = Recorder(), list[Record]()
    state = Journal(path, agent="v1")
    found = run(again, track, schedule=schedule, state=state, record=records.append)
    assert state.answered == EXAMPLES

    assert found == expected
    assert records == wanted
    ids = {context.id for call in again.calls for context, _ in call}
    assert len(ids) < EXAMPLES or calls == 0 or track == "ppl"


def test_what_is_answered_is_not_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    first = stopped(path, calls=5)
    second = Recorder()
    run(second, "f1", state=Journal(path, agent="v1"))
    asked = [{c.id for call in agent.calls for c, _ in call} for agent in (first, second)]
    assert asked[0].isdisjoint(asked[1])
    assert len(asked[0] | asked[1]) == EXAMPLES


def test_a_finished_journal_asks_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    first = run(Hashing(), "hits", state=Journal(path))
    again = run(Stops(0), "hits", state=Journal(path), batch_size=1, schedule="refill")
    assert again == first


def test_every_torn_end_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    expected = run(Hashing(), "f1")
    stopped(path)
    whole = path.read_bytes()
    lines = whole.count(b"\n")
    for cut in (1, 2, 30, len(whole) - 5, len(whole)):
        path.write_bytes(whole[:-cut])
        assert run(Hashing(), "f1", state=Journal(path, agent="v1")) == expected
        assert path.read_bytes().count(b"\n") == EXAMPLES + 1
    assert 1 < lines < EXAMPLES


def test_losses_without_end_are_kept(tmp_path: Path) -> None:
    class Zero(Stops):
        def next_word_probabilities(self, *arguments: Any) -> Any:  # Any: as above
            rows = super().next_word_probabilities(*arguments)
            rows[:, 5:20] = 0.0
            return rows

    def options(records: list[Record]) -> dict[str, Any]:  # Any: options of evaluate
        return {"record": records.append, "state": Journal(tmp_path / "journal")}

    first: list[Record] = []
    with pytest.raises(KeyboardInterrupt):
        run(Zero(20), "ppl", **options(first))
    second: list[Record] = []
    found = run(Zero(10**6), "ppl", **options(second))
    assert found == run(Zero(10**6), "ppl")
    assert found.score.value == float("inf")
    assert second[: len(first)] == first


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"track": "hits"}, r"another track \(f1, now hits\)"),
        ({"profile": False}, r"another choice of further measures \(yes, now no\)"),
        ({"record": lambda record: None}, "another choice of per-example records"),
        ({"data_name": "other"}, r"another data \(none, now other\)"),
        ({"agent": "v2"}, r"another state of the agent's files \(v1, now v2\)"),
        ({"dialogues": DIALOGUES[1:]}, "other data: dialogue 1 was another one"),
        ({"dialogues": [replace(DIALOGUES[0], persona=("x",)), *DIALOGUES[1:]]}, "dialogue 1 was"),
    ],
)
def test_the_journal_of_another_run_is_refused(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    path = tmp_path / "journal"
    stopped(path, schedule="refill")
    kept = path.read_bytes()
    options = {"track": "f1", "agent": "v1", "schedule": "refill", **change}
    state = Journal(path, agent=options.pop("agent"))
    with pytest.raises(UsageError, match=reason) as caught:
        run(Hashing(), options.pop("track"), state=state, **options)
    assert "begin anew without --resume" in caught.value.message
    assert path.read_bytes() == kept


def test_another_dictionary_or_price_of_a_zero_is_refused(tmp_path: Path) -> None:
    stopped(tmp_path / "journal", "ppl")
    other = Vocabulary.from_counts(dict.fromkeys(VOCABULARY.words[4:20], 1))
    for change, reason in (
        ({"vocabulary": other}, "another dictionary"),
        ({"zero": "floor-1e-10"}, r"another price of a zero \(infinite, now floor-1e-10\)"),
    ):
        state = Journal(tmp_path / "journal", agent="v1")
        with pytest.raises(UsageError, match=reason):
            run(Hashing(), "ppl", state=state, **change)  # type: ignore[arg-type]  # options


@pytest.mark.parametrize(
    "content",
    [
        b"precious text without a line's end",
        b"precious\n",
        b'{"schema": 2}\n',
        b"[1]\n",
        b"\xff\xfe\n",
        b"[" * 100_000 + b"\n",
        b"x" * (17 << 20),
    ],
)
def test_a_file_that_is_no_journal_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="is not a journal of schema 1"):
        run(Hashing(), "f1", state=Journal(path))
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "Expecting"),
        ("null", "cannot unpack"),
        ('[[0, 0, "k"], [0.5, 1, 0, [], null], null, null]', "not enough values"),
        ('[[-1, 0, "k"], [0.5, 1, 0, [], null], null, null, null]', "-1 is not a count"),
        ('[[0, 0, "k"], ["x", 1, 0, [], null], null, null, null]', "'x' is not a number"),
        ('[[0, 0, "k"], [NaN, 1, 0, [], null], null, null, null]', "NaN is not JSON"),
        ('[[0, 0, "k"], [0.5, 1, 0, [], 7], null, null, null]', "7 is not text"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str, reason: str) -> None:
    path = tmp_path / "journal"
    stopped(path)
    with path.open("a", encoding="ascii") as file:
        file.write(line + "\n")
    place = f"journal:{path.read_bytes().count(10)}"
    with pytest.raises(UsageError, match=f"{place}: the journal is damaged: .*{reason}"):
        run(Hashing(), "f1", state=Journal(path, agent="v1"))


def test_an_example_that_stands_twice_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    stopped(path)
    with path.open("ab") as file:
        file.write(path.read_bytes().splitlines(keepends=True)[-1])
    with pytest.raises(UsageError, match="stands twice"):
        run(Hashing(), "f1", state=Journal(path, agent="v1"))


def test_two_runs_do_not_write_one_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    first, second = Journal(path), Journal(path)
    with first.begun({"track": "f1"}), pytest.raises(UsageError, match="another run is writing"):
        run(Hashing(), "f1", state=second)


def test_a_journal_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "no" / "journal"):
        with pytest.raises(UsageError, match="cannot keep a journal in"):
            run(Hashing(), "f1", state=Journal(path))
    with pytest.raises(ValueError, match="begin the journal"):
        Journal(tmp_path / "x").keep([], [])


def test_it_holds_neither_the_data_nor_the_secret(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    run(Hashing(), "hits", state=Journal(path), secret=b"the secret", profile=False)
    text = path.read_text("ascii")
    assert "the secret" not in text
    assert b"the secret".hex() not in text
    assert "word" not in text
    assert path.stat().st_mode & 0o777 == 0o600
    assert set(json.loads(text.splitlines()[0])) >= {"journal", "track", "rule", "harness"}


def test_fewer_or_more_dialogues_of_the_same_data_are_the_same_run(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    stopped(path, dialogues=DIALOGUES[:20], schedule="refill")
    found = run(Hashing(), "f1", state=Journal(path, agent="v1"), schedule="refill")
    assert found == run(Hashing(), "f1")


def test_a_remade_dialogue_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    stopped(path)
    copies = [Dialogue(d.id, d.persona, d.partner_persona, d.examples) for d in DIALOGUES]
    state = Journal(path, agent="v1")
    assert run(Hashing(), "f1", state=state, dialogues=iter(copies)) == run(Hashing(), "f1")
