"""The wire test: what goes into a sandbox tells nothing of an answer before the answer is in.

A real child runs `harness.remote.serve` behind a proxy that keeps every byte in both directions in
their order. Each track is run over a hidden set of its own in which every reply, and every word
of a reply, is unique and stands in the set's dictionary.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.agent import TRACKS, Track
from harness.dialogue import Dialogue, Example
from tests.wiretap import (
    SECRET,
    Example_,
    Sent,
    asked_examples,
    hidden_set,
    holding,
    last_of_turn,
    prefix_sizes,
    replies_of,
    tapped,
    vocabulary_of,
)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[Sent]]:
    """A function that evaluates a set on a track and returns all that went into the sandbox."""

    def run(dialogues: list[Dialogue], track: Track, *, secret: bytes = SECRET) -> list[Sent]:
        return tapped(tmp_path_factory.mktemp("wire"), dialogues, track, secret=secret)

    return run


def test_f1_a_reply_is_in_no_frame_before_its_answer(record: Callable[..., list[Sent]]) -> None:
    dialogues = hidden_set(seed=1)
    sent = record(dialogues, "f1")
    asked = asked_examples(sent, dialogues)
    turns_end = last_of_turn(asked)
    shown = 0
    for (_, turn), example, is_last in replies_of(dialogues):
        for word in example.replies[0].split():
            frames = holding(sent, word)
            if is_last:
                assert frames == []
            else:
                shown += 1
                assert min(frames) > turns_end[turn]  # of the shard, not of its own batch alone
    assert shown  # the history did arrive
    assert len(asked) > len(turns_end)  # and batches were cut inside turns


def test_f1_candidates_are_in_no_frame(record: Callable[..., list[Sent]]) -> None:
    dialogues = hidden_set(seed=2)
    sent = record(dialogues, "f1")
    for _, example, _ in replies_of(dialogues):
        for candidate in example.candidates[:-1]:
            assert not any(holding(sent, word) for word in candidate.split())


def test_ppl_a_word_is_in_no_request_before_its_rows(record: Callable[..., list[Sent]]) -> None:
    dialogues = hidden_set(seed=3)
    sent = record(dialogues, "ppl")
    asked = asked_examples(sent, dialogues)
    scoring: dict[tuple[Example_, int], int] = {}
    for number, sizes in prefix_sizes(sent).items():
        for key in zip(asked[number], sizes, strict=True):
            assert key not in scoring
            scoring[key] = number
    shown = 0
    for place, example, is_last in replies_of(dialogues):
        words = example.replies[0].split()
        for step, word in enumerate(words):
            frames = holding(sent, word)
            assert all(number > scoring[place, step] for number in frames)
            if step == len(words) - 1 and is_last:
                assert frames == []
            shown += bool(frames)
    assert shown
    assert len(scoring) == sum(len(e.replies[0].split()) for _, e, _ in replies_of(dialogues))


def test_ppl_the_dictionary_is_in_load_alone(record: Callable[..., list[Sent]]) -> None:
    dialogues = hidden_set(seed=3)
    vocabulary = vocabulary_of(dialogues)
    load = record(dialogues, "ppl")[0]
    assert all(
        word in vocabulary
        for _, example, _ in replies_of(dialogues)
        for word in example.replies[0].split()
    )
    assert load.body["vocabulary"] == {"entries": len(vocabulary), "sha256": vocabulary.sha256}
    assert set(load.body) == {"track", "vocabulary", "limits", "protocol"}


def test_hits_a_reply_stands_among_its_own_candidates_alone(
    record: Callable[..., list[Sent]],
) -> None:
    dialogues = hidden_set(seed=4)
    sent = record(dialogues, "hits")
    asked = asked_examples(sent, dialogues)
    turns_end = last_of_turn(asked)
    frames = {frame.sequence: frame for frame in sent}
    for place, example, is_last in replies_of(dialogues):
        (own,) = [number for number, examples in asked.items() if place in examples]
        candidates = frames[own].body["candidates"]
        assert isinstance(candidates, list)
        row = candidates[asked[own].index(place)]
        assert sorted(row) == sorted(example.candidates)
        for word in example.replies[0].split():
            numbers = holding(sent, word)
            assert numbers[0] == own
            assert frames[own].text.count(word.encode()) == 1  # there, and nowhere else
            later = numbers[1:]
            assert (later == []) if is_last else (min(later) > turns_end[place[1]])


def test_hits_which_candidate_is_the_reply_changes_no_byte_of_its_turn(
    record: Callable[..., list[Sent]],
) -> None:
    dialogues = hidden_set(seed=5)
    first = record(dialogues, "hits")
    for turn in range(4):
        second = record([swapped(dialogue, turn) for dialogue in dialogues], "hits")
        asked = asked_examples(first, dialogues)
        end = last_of_turn(asked)[turn]
        assert [f.text for f in second[: end + 1]] == [f.text for f in first[: end + 1]]
        whole = [f.text for f in second] == [f.text for f in first]
        assert whole == (turn == 3)  # the swap shows as history, and only so


def swapped(dialogue: Dialogue, turn: int) -> Dialogue:
    """The dialogue in which another candidate was the reply of this turn, the list as it was."""
    if len(dialogue.examples) <= turn:
        return dialogue
    examples = list(dialogue.examples)
    other = examples[turn].candidates[turn]
    examples[turn] = replace(examples[turn], replies=(other, *examples[turn].replies[1:]))
    return replace(dialogue, examples=tuple(examples))


@pytest.mark.parametrize("track", TRACKS)
def test_labels_rewards_and_names_are_nowhere(
    track: Track, record: Callable[..., list[Sent]]
) -> None:
    dialogues = hidden_set(seed=6)
    everything = b"".join(frame.text for frame in record(dialogues, track))
    for planted in (
        b"secondlabel",
        b"reward",
        b"fileorder",
        b"salted",
        SECRET,
        SECRET.hex().encode(),
    ):
        assert planted not in everything
    for _, example, _ in replies_of(dialogues):
        assert example.reward is not None
        assert example.reward.encode() not in everything
        assert example.replies[1].encode() not in everything


@pytest.mark.parametrize("track", TRACKS)
def test_labels_rewards_and_file_order_change_no_byte(
    track: Track, record: Callable[..., list[Sent]]
) -> None:
    dialogues = hidden_set(seed=7)

    def rewritten(example: Example) -> Example:
        # The dictionary counts all labels, so the second ones change places, not words.
        return replace(
            example, candidates=example.candidates[::-1], reward="another" + str(example.reward)
        )

    changed = [
        replace(dialogue, examples=tuple(map(rewritten, dialogue.examples)))
        for dialogue in dialogues[::-1]
    ]
    for one, two in zip(record(dialogues, track), record(changed, track), strict=True):
        assert one.text == two.text


@pytest.mark.parametrize("track", ["hits", "f1"])
def test_second_labels_change_no_byte(track: Track, record: Callable[..., list[Sent]]) -> None:
    dialogues = hidden_set(seed=8)
    changed = [
        replace(
            dialogue,
            examples=tuple(replace(e, replies=e.replies[:1]) for e in dialogue.examples),
        )
        for dialogue in dialogues
    ]
    assert [f.text for f in record(dialogues, track)] == [f.text for f in record(changed, track)]


@pytest.mark.parametrize("track", TRACKS)
def test_the_order_hangs_on_the_secret(track: Track, record: Callable[..., list[Sent]]) -> None:
    dialogues = hidden_set(seed=9)
    orders = [
        [
            example[0]
            for examples in asked_examples(sent, dialogues).values()
            for example in examples
        ]
        for sent in (record(dialogues, track), record(dialogues, track, secret=b"another"))
    ]
    assert orders[0] != orders[1]
    assert all(order[: len(dialogues)] != sorted(order[: len(dialogues)]) for order in orders)
