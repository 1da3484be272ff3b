"""Every byte that goes into a sandbox: a set, a child behind a proxy, and its frames parsed."""

import json
import os
import selectors
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from harness.agent import Track
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


def tapped(folder: Path, dialogues: list[Dialogue], track: Track, *, secret: bytes) -> list[Sent]:
    """All that goes into a sandbox when this set is evaluated on this track."""
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
        contexts = frame.body.get("contexts")
        if contexts is None:  # the rows of the request before, but for those that ended
            before, ended = asked[frame.sequence - 1], frame.body["ended"]
            assert isinstance(ended, list)
            asked[frame.sequence] = [
                example for place, example in enumerate(before) if place not in ended
            ]
            continue
        assert isinstance(contexts, list)
        for context in contexts:
            name, turns = told_of(context)
            if turns:
                names[name] = prompts[turns[-1][1]]
        asked[frame.sequence] = [names[told_of(context)[0]] for context in contexts]
    wanted = {
        (place, turn)
        for place, dialogue in enumerate(dialogues)
        for turn in range(len(dialogue.examples))
    }
    assert {example for examples in asked.values() for example in examples} == wanted
    return asked


def told_of(context: Any) -> tuple[str, list[list[str]]]:  # Any: JSON
    """The id of a context in a request, and the turns that it brings."""
    if isinstance(context, str):
        return context, []
    if isinstance(context, dict):
        return context["id"], context["turns"]
    name, _, turns = context  # what goes on from an earlier one
    assert turns
    return name, turns


def prefix_sizes(sent: list[Sent]) -> dict[int, list[int]]:
    """How many words each row of a ppl request knows, by the request's number."""
    sizes: dict[int, list[int]] = {}
    for frame in requests(sent):
        body: Any = frame.body  # JSON
        if "prefixes" in body:
            sizes[frame.sequence] = [*map(len, body["prefixes"])]
        else:
            before = enumerate(sizes[frame.sequence - 1])
            going_on = [size for place, size in before if place not in body["ended"]]
            assert len(body["words"]) == len(going_on)
            sizes[frame.sequence] = [size + 1 for size in going_on]
    assert any("words" in frame.body for frame in requests(sent))
    return sizes


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
