"""The wire test: what goes into a sandbox tells nothing of an answer before the answer is in.

A real child runs `harness.remote.serve` behind a proxy that keeps every byte in both directions in
their order. Each track is run over a hidden set of its own in which every reply, and every word
of a reply, is unique and stands in the set's dictionary.
"""

import json
import os
import selectors
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import pytest

from harness.agent import TRACKS, Track
from harness.dialogue import Dialogue, Example
from harness.evaluation import evaluate
from harness.remote.client import Listener
from harness.remote.frames import HEADER, Header, Kind, unpack
from harness.text import Vocabulary

SECRET = b"the competition's secret"
BATCH = 3
"""Smaller than a turn, so that batches are cut inside turns."""

AGENT = """
import numpy as np
from harness import eval_f1, eval_hits, eval_ppl

class Agent:
    def respond(self, contexts):
        return ["hm"] * len(contexts)
    def score_candidates(self, contexts, candidates):
        return [[0.0] * len(texts) for texts in candidates]
    def next_word_probabilities(self, contexts, prefixes, vocabulary):
        return np.ones((len(contexts), len(vocabulary)), np.float32)
"""


@dataclass(frozen=True)
class Sent:
    """One frame into the sandbox, as bytes and parsed; `text` is all of it but LOAD's dictionary.

    `answered` counts the frames that had come out when the first of its bytes went in.
    """

    kind: Kind
    sequence: int
    text: bytes
    body: dict[str, object]
    answered: int


Example_ = tuple[int, int]
"""An example by dialogue and turn."""


def hidden_set(*, dialogues: int = 8, seed: int = 0) -> list[Dialogue]:
    """Dialogues of one to four turns in which no word of any reply, prompt or candidate recurs."""
    fresh = (f"w{number:05d}" for number in count(10_000 * seed))

    def words(number: int) -> str:
        return " ".join(next(fresh) for _ in range(number))

    def example(length: int) -> Example:
        reply = words(length)
        return Example(
            partner=(words(2),),
            replies=(reply, f"secondlabel{words(1)}"),
            candidates=(*(words(length) for _ in range(19)), reply),
            reward=f"reward{words(1)}",
        )

    return [
        Dialogue(
            id=f"fileorder{place}",
            persona=(words(3),),
            examples=tuple(example(1 + (place + turn) % 5) for turn in range(1 + place % 4)),
        )
        for place in range(dialogues)
    ]


def vocabulary_of(dialogues: list[Dialogue]) -> Vocabulary:
    return Vocabulary.build(dialogues)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[Sent]]:
    """A function that evaluates a set on a track and returns all that went into the sandbox."""

    def run(dialogues: list[Dialogue], track: Track, *, secret: bytes = SECRET) -> list[Sent]:
        folder = tmp_path_factory.mktemp("wire")
        file = folder / "code" / f"eval_{track}.py"
        file.parent.mkdir()
        file.write_text(f"{AGENT}\neval_{track}(Agent)\n", encoding="utf-8")
        vocabulary = vocabulary_of(dialogues) if track == "ppl" else None
        with proxied(folder) as (listener, inside, log):
            child = subprocess.Popen(
                [sys.executable, "-P", "-m", "harness.remote.serve", str(file)],
                env={"ROSTRUM_SOCKET": str(inside), "OMP_NUM_THREADS": "1"},
            )
            try:
                with listener.accept(timeout=20) as agent:
                    agent.load(
                        track,
                        vocabulary=vocabulary,
                        load_seconds=30,
                        batch_seconds=30,
                        bank_seconds=0,
                        total_seconds=120,
                    )
                    evaluate(
                        agent,
                        dialogues,
                        track,
                        vocabulary=vocabulary,
                        secret=secret,
                        data_name="salted",
                        batch_size=BATCH,
                    )
                assert child.wait(20) == 0
            finally:
                child.kill()
                child.wait()
        return parse(log)

    return run


@contextmanager
def proxied(folder: Path) -> Iterator[tuple[Listener, Path, list[tuple[bool, bytes]]]]:
    """The evaluator's listener, the path for the child, and the log: (into the sandbox?, bytes)."""
    (folder / "outside").mkdir()
    (folder / "inside").mkdir()
    log: list[tuple[bool, bytes]] = []
    path = folder / "inside" / "agent.sock"
    with (
        Listener(folder / "outside", uid=os.getuid()) as listener,
        socket.socket(socket.AF_UNIX) as door,
    ):
        door.bind(str(path))
        door.listen(1)
        thread = threading.Thread(target=forward, args=(door, listener.path, log))
        thread.start()
        try:
            yield listener, path, log
        finally:
            thread.join(20)
    assert not thread.is_alive()


def forward(door: socket.socket, outside: Path, log: list[tuple[bool, bytes]]) -> None:
    """Carry bytes both ways until either side closes; logged before they are passed on."""
    child, _ = door.accept()
    evaluator = socket.socket(socket.AF_UNIX)
    evaluator.connect(str(outside))
    with child, evaluator, selectors.DefaultSelector() as selector:
        selector.register(child, selectors.EVENT_READ, (False, evaluator))
        selector.register(evaluator, selectors.EVENT_READ, (True, child))
        while True:
            for key, _ in selector.select(60):
                into, target = key.data
                source = key.fileobj
                assert isinstance(source, socket.socket)
                data = source.recv(1 << 20)
                if not data:
                    return
                log.append((into, data))
                target.sendall(data)


def parse(log: list[tuple[bool, bytes]]) -> list[Sent]:
    """The frames that went in; every logged byte belongs to one."""
    streams = {True: b"", False: b""}
    sent: list[Sent] = []
    replies = 0
    pending: int | None = None  # replies when the first byte of the unfinished frame went in
    for into, data in log:
        if into and pending is None:
            pending = replies
        streams[into] += data
        while (frame := split(streams[into])) is not None:
            header, text, size = frame
            streams[into] = streams[into][size:]
            if into:
                assert pending is not None
                assert header.binary_bytes == 0 or header.kind is Kind.LOAD
                body = json.loads(text[HEADER.size :])
                sent.append(Sent(header.kind, header.sequence, text, body, pending))
                pending = replies if streams[into] else None
            elif header.kind is Kind.REPLY:
                replies += 1
                assert header.sequence == replies
    assert streams == {True: b"", False: b""}
    assert [frame.kind for frame in sent[:1] + sent[-1:]] == [Kind.LOAD, Kind.BYE]
    assert {frame.kind for frame in sent[1:-1]} == {Kind.REQUEST}
    return sent


def split(data: bytes) -> tuple[Header, bytes, int] | None:
    """Header, header and JSON as bytes, and the whole size of the first frame, if it is whole."""
    if len(data) < HEADER.size:
        return None
    header = unpack(data[: HEADER.size])
    text = HEADER.size + header.json_bytes
    size = text + header.binary_bytes
    if len(data) < size:
        return None
    return header, data[:text], size


def requests(sent: list[Sent]) -> list[Sent]:
    """The requests, each of which went in when all before it were answered."""
    asked = [frame for frame in sent if frame.kind is Kind.REQUEST]
    assert [(frame.sequence, frame.answered) for frame in asked] == [
        (number, number - 1) for number in range(1, len(asked) + 1)
    ]
    return asked


def asked_examples(sent: list[Sent], dialogues: list[Dialogue]) -> dict[int, list[Example_]]:
    """Which examples each request asks for, by its number, found by their unique prompts."""
    prompts = {
        example.partner[-1]: (place, turn)
        for place, dialogue in enumerate(dialogues)
        for turn, example in enumerate(dialogue.examples)
    }
    names: dict[str, Example_] = {}
    asked: dict[int, list[Example_]] = {}
    for frame in requests(sent):
        contexts = frame.body["contexts"]
        assert isinstance(contexts, list)
        for context in contexts:
            if isinstance(context, dict):
                names[context["id"]] = prompts[context["turns"][-1][1]]
        asked[frame.sequence] = [
            names[context if isinstance(context, str) else context["id"]] for context in contexts
        ]
    wanted = {
        (place, turn)
        for place, dialogue in enumerate(dialogues)
        for turn in range(len(dialogue.examples))
    }
    assert {example for examples in asked.values() for example in examples} == wanted
    return asked


def holding(sent: list[Sent], word: str) -> list[int]:
    """The numbers of the frames whose bytes hold the word; LOAD is 0."""
    return [frame.sequence for frame in sent if word.encode() in frame.text]


def last_of_turn(asked: dict[int, list[Example_]]) -> dict[int, int]:
    """The number of the last request of each turn."""
    return {examples[0][1]: number for number, examples in sorted(asked.items())}


def replies_of(dialogues: list[Dialogue]) -> Iterator[tuple[Example_, Example, bool]]:
    """Each example with its place, and whether it is its dialogue's last."""
    for place, dialogue in enumerate(dialogues):
        for turn, example in enumerate(dialogue.examples):
            yield (place, turn), example, turn == len(dialogue.examples) - 1


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
    for frame in requests(sent):
        prefixes = frame.body["prefixes"]
        assert isinstance(prefixes, list)
        for example, prefix in zip(asked[frame.sequence], prefixes, strict=True):
            key = (example, len(prefix))
            assert key not in scoring
            scoring[key] = frame.sequence
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
