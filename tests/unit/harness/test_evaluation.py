"""The evaluation loop: what an agent may see and when, and how a report says what was done."""

import math
import random
from dataclasses import replace

import pytest
from evalworld import (
    DIALOGUES,
    EXAMPLES,
    VOCABULARY,
    Hashing,
    Recorder,
    dictionary,
    remote,
    timeless,
)

from harness.agent import TRACKS, Track
from harness.data import jsonl
from harness.dialogue import Dialogue, Example
from harness.errors import UsageError
from harness.evaluation import evaluate
from harness.metrics import f1
from harness.records import Record
from harness.report import Report
from harness.schedule import Schedule
from harness.text import split_words


@pytest.mark.parametrize("track", TRACKS)
@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_a_remote_agent_is_worth_the_same(track: Track, batch_size: int) -> None:
    here = evaluate(Hashing(), DIALOGUES, track, vocabulary=dictionary(track))
    with remote(Hashing(), track) as agent:
        there = evaluate(
            agent, DIALOGUES, track, vocabulary=dictionary(track), batch_size=batch_size
        )
    assert timeless(there) == timeless(here)
    assert len(here.totals) == len(DIALOGUES)
    assert here.score.n == EXAMPLES
    assert 0 < here.score.low < here.score.value < here.score.high


@pytest.mark.parametrize("track", TRACKS)
@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_all_answers_of_a_turn_come_before_its_replies_are_shown(
    track: Track, batch_size: int
) -> None:
    recorder = Recorder()
    evaluate(recorder, DIALOGUES, track, vocabulary=dictionary(track), batch_size=batch_size)
    depths = [{len(context.turns) for context, _ in call} for call in recorder.calls]
    assert all(len(depth) == 1 for depth in depths)  # no batch spans two turns
    flat = [depth.pop() for depth in depths]
    assert flat == sorted(flat)
    assert max(len(call) for call in recorder.calls) == min(batch_size, len(DIALOGUES))
    if track != "ppl":
        assert sum(map(len, recorder.calls)) == EXAMPLES


@pytest.mark.parametrize("track", TRACKS)
def test_contexts_are_complete_and_ids_tell_nothing(track: Track) -> None:
    recorder = Recorder()
    evaluate(recorder, DIALOGUES, track, vocabulary=dictionary(track), secret=b"one")
    seen = {context.id: context for call in recorder.calls for context, _ in call}
    assert len(seen) == EXAMPLES
    expected = {
        replace(dialogue.context(turn, context_id=""))
        for dialogue in DIALOGUES
        for turn in range(len(dialogue.examples))
    }
    assert {replace(context, id="") for context in seen.values()} == expected
    assert all(len(name) == 32 and int(name, 16) >= 0 for name in seen)
    other = Recorder()
    evaluate(other, DIALOGUES, track, vocabulary=dictionary(track), secret=b"two")
    assert seen.keys().isdisjoint(context.id for call in other.calls for context, _ in call)


@pytest.mark.parametrize("track", TRACKS)
def test_file_order_candidate_order_labels_and_rewards_change_nothing_shown(track: Track) -> None:
    def plain(example: Example) -> Example:
        shuffled = random.Random(5).sample(example.candidates, len(example.candidates))
        return Example(example.partner, example.replies[:1], tuple(shuffled), reward=None)

    changed = [
        replace(dialogue, examples=tuple(map(plain, dialogue.examples)))
        for dialogue in reversed(DIALOGUES)
    ]
    one, two = Recorder(), Recorder()
    first = evaluate(one, DIALOGUES, track, vocabulary=dictionary(track), batch_size=7)
    second = evaluate(two, changed, track, vocabulary=dictionary(track), batch_size=7)
    assert one.calls == two.calls
    assert first.totals == second.totals[::-1]  # reported in the order of the file


def test_the_signature_says_how_the_score_was_made() -> None:
    digest = jsonl.digest(DIALOGUES)[:12]
    hits = evaluate(Hashing(), DIALOGUES, "hits")
    assert hits.signature == (
        f"track:hits|k:1|rule:rostrum1|tok:answer|cands:20|data:{digest}|seed:0|harness:0.1.0"
    )
    said = evaluate(Hashing(), DIALOGUES, "f1", data_name="a" * 64, seed=3, sandbox="docker")
    assert (
        said.signature == "track:f1|rule:rostrum1|tok:answer|data:aaaaaaaaaaaa|seed:3|harness:0.1.0"
    )
    assert said.sandbox == "docker"
    assert (said.tokens, said.unknown, said.vocabulary) == (None, None, None)
    assert (
        f"vocab:{VOCABULARY.sha256[:12]}"
        in evaluate(Hashing(), DIALOGUES, "ppl", vocabulary=VOCABULARY).signature
    )
    assert Report.from_json(said.to_json()) == said


def test_progress_counts_examples() -> None:
    seen: list[tuple[int, int]] = []
    evaluate(Hashing(), DIALOGUES, "f1", batch_size=7, progress=lambda *pair: seen.append(pair))
    assert seen[0] == (7, EXAMPLES)
    assert seen[-1] == (EXAMPLES, EXAMPLES)
    assert seen == sorted(seen)


@pytest.mark.parametrize(
    ("dialogues", "track", "reason"),
    [
        ([DIALOGUES[0], DIALOGUES[0]], "f1", "same id"),
        ([Dialogue("7", examples=(Example(("hi",), ("ho",)),))], "hits", "'7', reply 1 has no"),
        (DIALOGUES, "ppl", "dictionary"),
        ([], "f1", "no example"),
    ],
)
def test_data_that_cannot_be_scored(dialogues: list[Dialogue], track: Track, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        evaluate(Hashing(), dialogues, track)


def test_a_batch_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="batch size 0"):
        evaluate(Hashing(), DIALOGUES, "f1", batch_size=0)
    with pytest.raises(UsageError, match="batch of 0 words"):
        evaluate(Hashing(), DIALOGUES, "f1", batch_tokens=0)


def test_an_unknown_schedule_is_refused() -> None:
    with pytest.raises(UsageError, match="'lockstop' is unknown; known: lockstep, refill"):
        evaluate(Hashing(), DIALOGUES, "f1", schedule="lockstop")  # type: ignore[arg-type]  # meant


@pytest.mark.parametrize("schedule", ["lockstep", "refill"])
def test_a_fault_of_the_data_shows_before_anything_is_asked(schedule: Schedule) -> None:
    recorder = Recorder()
    with pytest.raises(UsageError, match="same id"):
        evaluate(recorder, [*DIALOGUES, DIALOGUES[0]], "f1", schedule=schedule)
    assert recorder.calls == []


def test_each_example_is_recorded_with_what_was_answered() -> None:
    for track in TRACKS:
        records: list[Record] = []
        report = evaluate(
            Hashing(), DIALOGUES, track, vocabulary=dictionary(track), record=records.append
        )
        assert len(records) == EXAMPLES
        assert math.fsum(r.value for r in records) == pytest.approx(
            math.fsum(total.value for total in report.totals)
        )
        in_order = iter(records)  # that of the data, though they were not asked so
        for dialogue in DIALOGUES:
            for turn, example in enumerate(dialogue.examples):
                record = next(in_order)
                assert (record.dialogue, record.example) == (dialogue.id, turn)
                assert (record.partner, record.given) == (example.partner[-1], example.replies[0])
                _expect_answer(record, example, track)


def test_a_dialogue_without_examples_holds_no_record_back() -> None:
    records: list[Record] = []
    dialogues = [DIALOGUES[0], Dialogue("empty"), *DIALOGUES[1:]]
    evaluate(Hashing(), dialogues, "f1", record=records.append)
    assert [(r.dialogue, r.example) for r in records] == [
        (dialogue.id, turn) for dialogue in DIALOGUES for turn in range(len(dialogue.examples))
    ]


def _expect_answer(record: Record, example: Example, track: Track) -> None:
    if track == "hits":
        assert record.answer in example.candidates
        assert record.rank is not None
        assert (record.rank == 1) == (record.value == 1.0) == (record.answer == record.given)
    elif track == "f1":
        assert record.answer is not None
        assert record.value == f1.measure(record.answer, replies=example.replies)
    else:
        assert record.words is not None
        assert [word for word, _ in record.words] == split_words(record.given)
        known = [loss for word, loss in record.words if word in VOCABULARY]
        assert all(loss is None for word, loss in record.words if word not in VOCABULARY)
        assert len(known) == record.weight
        assert math.fsum(loss for loss in known if loss is not None) == record.value
