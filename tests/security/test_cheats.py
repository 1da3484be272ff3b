"""Each way in which the original could be cheated gains nothing here.

The cheats are those that were run against ParlAI's ConvAI2 scripts. Each is a test by its name:
the cheat is worth what honest ignorance is worth, or is refused.
"""

import math
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.agent import TRACKS, Track
from harness.dialogue import Context, Dialogue, Example
from harness.errors import SubmissionError
from harness.evaluation import evaluate
from harness.remote.client import Listener, RemoteAgent
from harness.report import Report
from harness.text import Vocabulary

SECRET = b"the competition's secret"


def hidden_set(dialogues: int = 12) -> list[Dialogue]:
    """Dialogues of three turns in which every word stands once; the reply is the last candidate."""
    fresh = (f"w{number:05d}" for number in count())

    def text(words: int) -> str:
        return " ".join(next(fresh) for _ in range(words))

    def example() -> Example:
        reply = text(3)
        return Example((text(2),), (reply,), (*(text(3) for _ in range(19)), reply))

    return [
        Dialogue(f"d{place}", persona=(text(2),), examples=tuple(example() for _ in range(3)))
        for place in range(dialogues)
    ]


DIALOGUES = hidden_set()
VOCABULARY = Vocabulary.build(DIALOGUES)
UNIFORM = float(len(VOCABULARY))
"""The perplexity of knowing nothing."""


def scored(agent: object, track: Track, dialogues: list[Dialogue] = DIALOGUES) -> Report:
    return evaluate(
        agent,  # type: ignore[arg-type]  # agents that cheat
        dialogues,
        track,
        vocabulary=VOCABULARY if track == "ppl" else None,
        secret=SECRET,
        batch_size=5,
    )


def refused(agent: object, track: Track, detail: str) -> None:
    with pytest.raises(SubmissionError) as caught:
        scored(agent, track)
    assert (caught.value.code, caught.value.detail) == ("invalid_prediction", detail)


class Honest:
    """Knows nothing: the same answer to everything."""

    def respond(self, contexts: Sequence[Context]) -> Any:  # Any: children cheat
        return ["nothing"] * len(contexts)

    def score_candidates(
        self, contexts: Sequence[Context], candidates: Sequence[Sequence[str]]
    ) -> Any:  # Any: children cheat
        return [[0.0] * len(texts) for texts in candidates]

    def next_word_probabilities(
        self, contexts: Sequence[Context], prefixes: Sequence[Sequence[str]], vocabulary: Vocabulary
    ) -> Any:  # Any: children cheat
        return np.ones((len(contexts), len(vocabulary)), np.float32)


class Observer(Honest):
    """Answers with everything that its input holds, as if the label stood there."""

    def respond(self, contexts: Sequence[Context]) -> list[str]:
        return [repr(context).replace("'", " ")[:2000] for context in contexts]

    def score_candidates(
        self, contexts: Sequence[Context], candidates: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        return [
            [float(text in repr(context)) for text in texts]
            for context, texts in zip(contexts, candidates, strict=True)
        ]

    def next_word_probabilities(
        self, contexts: Sequence[Context], prefixes: Sequence[Sequence[str]], vocabulary: Vocabulary
    ) -> np.ndarray:
        rows = np.ones((len(contexts), len(vocabulary)), np.float32)
        for row, context, prefix in zip(rows, contexts, prefixes, strict=True):
            for word in repr((context, prefix)).replace("'", " ").split():
                if word in vocabulary:
                    row[vocabulary.index[word]] = 1e6
        return rows


def test_label_in_the_observation() -> None:
    assert scored(Observer(), "f1").score.value == 0.0
    hits, chance = scored(Observer(), "hits"), scored(Honest(), "hits")
    assert hits.score == chance.score
    assert scored(Observer(), "ppl").score.value > UNIFORM  # it bets on words that do not come


@pytest.mark.parametrize("rule", ["equal", "last", "first"])
def test_reply_always_last_with_equal_scores(rule: str) -> None:
    class Places(Honest):
        def score_candidates(
            self, contexts: Sequence[Context], candidates: Sequence[Sequence[str]]
        ) -> list[list[float]]:
            sign = {"equal": 0.0, "last": 1.0, "first": -1.0}[rule]
            return [[sign * place for place in range(len(texts))] for texts in candidates]

    score = scored(Places(), "hits", hidden_set(300)).score
    assert score.low < 1 / 20 < score.high
    assert score.value < 0.08


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_nan_sorts_first(value: float) -> None:
    class Strange(Honest):
        def score_candidates(
            self, contexts: Sequence[Context], candidates: Sequence[Sequence[str]]
        ) -> list[list[float]]:
            return [[0.0] * (len(texts) - 1) + [value] for texts in candidates]

        def next_word_probabilities(self, contexts: Sequence[Context], *rest: object) -> np.ndarray:
            rows = np.ones((len(contexts), len(VOCABULARY)), np.float32)
            rows[:, -1] = value
            return rows

    refused(Strange(), "hits", "not_finite")
    refused(Strange(), "ppl", "not_finite")


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (lambda size: ["x"] * (size - 1), "wrong_count"),
        (lambda size: [], "wrong_count"),
        (lambda size: None, "not_text"),
        (lambda size: [None] * size, "not_text"),
    ],
)
def test_abstaining_from_replies(answer: Any, detail: str) -> None:
    class Silent(Honest):
        def respond(self, contexts: Sequence[Context]) -> Any:  # Any: as above
            return answer(len(contexts))

    refused(Silent(), "f1", detail)


@pytest.mark.parametrize(
    "answer",
    [
        lambda lists: [[0.0] * len(texts) for texts in lists[1:]],
        lambda lists: [[0.0] * (len(texts) - 1) for texts in lists],
        lambda lists: [[] for _ in lists],
        lambda lists: None,
    ],
)
def test_abstaining_from_scores(answer: Any) -> None:
    class Silent(Honest):
        def score_candidates(self, contexts: object, candidates: Any) -> Any:  # Any: as above
            return answer(candidates)

    refused(Silent(), "hits", "wrong_count")


def test_an_empty_reply_counts_as_an_answer() -> None:
    class Empty(Honest):
        def respond(self, contexts: Sequence[Context]) -> list[str]:
            return [""] * len(contexts)

    report = scored(Empty(), "f1")
    assert (report.score.value, report.score.n) == (0.0, 36)


def test_self_reported_metrics() -> None:
    class Text(str):
        metrics = {"f1": 1.0}  # noqa: RUF012  # as the original's agents put it
        f1 = 1.0

        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = str.__hash__

    class Boastful(Honest):
        def respond(self, contexts: Sequence[Context]) -> Any:  # Any: as above
            return [Text("nothing")] * len(contexts)

    class Reporting(Honest):
        def respond(self, contexts: Sequence[Context]) -> Any:  # Any: as above
            return [{"text": "nothing", "metrics": {"f1": 1.0}}] * len(contexts)

        def score_candidates(self, contexts: object, candidates: Any) -> Any:  # Any: as above
            return [{"text_candidates": texts, "hits@1": 1.0} for texts in candidates]

    assert scored(Boastful(), "f1").score.value == 0.0
    refused(Reporting(), "f1", "not_text")
    refused(Reporting(), "hits", "not_finite")


def test_a_dict_whose_get_learns_the_word() -> None:
    class Learning(dict):  # type: ignore[type-arg]  # as the cheat was written
        def get(self, word: object, default: object = None) -> float:
            return 1.0

    class Knowing(np.ndarray):
        """Full of what is asked for."""

        def __getitem__(self, key: object) -> Any:  # Any: as an array's
            found = np.ndarray.__getitem__(self, key)  # type: ignore[index]  # passed on
            return np.ones_like(found) * 1e9

        def __array_finalize__(self, source: object) -> None:
            return None

    class WithDicts(Honest):
        def next_word_probabilities(self, contexts: Sequence[Context], *rest: object) -> Any:
            return [Learning() for _ in contexts]

    class WithArrays(Honest):
        def next_word_probabilities(self, contexts: Sequence[Context], *rest: object) -> Any:
            return np.ones((len(contexts), len(VOCABULARY)), np.float32).view(Knowing)

    refused(WithDicts(), "ppl", "wrong_count")
    assert scored(WithArrays(), "ppl").score.value == pytest.approx(UNIFORM)


def test_negative_mass() -> None:
    class Negative(Honest):
        def next_word_probabilities(self, contexts: Sequence[Context], *rest: object) -> np.ndarray:
            rows = np.full((len(contexts), len(VOCABULARY)), 2.0, np.float32)
            rows[:, 0] = -float(len(VOCABULARY))  # the sum is half of what the words would say
            return rows

    refused(Negative(), "ppl", "negative")


IN_A_CHILD = """
import gc, sys
import numpy as np
import harness
from harness import eval_f1, eval_hits, eval_ppl
from harness.dialogue import Dialogue, Example
from harness.metrics import f1, hits, perplexity

def frames():
    frame = sys._getframe()
    while frame is not None:
        yield from frame.f_locals.values()
        frame = frame.f_back

class Spy:
    seen = []
    def look(self):
        for thing in [*frames(), *gc.get_objects()]:
            if type(thing) in (Dialogue, Example):
                Spy.seen.append(thing)
    def respond(self, contexts):
        self.look()
        return [Spy.seen[-1].replies[0] if Spy.seen else "nothing" for _ in contexts]
    def score_candidates(self, contexts, candidates):
        self.look()
        return [[1.0 * bool(Spy.seen)] * len(texts) for texts in candidates]
    def next_word_probabilities(self, contexts, prefixes, vocabulary):
        self.look()
        return np.ones((len(contexts), len(vocabulary)), np.float32)

class Vandal(Spy):
    def __init__(self):
        import harness.agent, harness.evaluation, harness.metrics.tally, harness.statistics
        f1.measure = f1.overlap = lambda *a, **k: 1.0
        hits.rank = lambda *a, **k: 1
        perplexity.losses = lambda weights, *a, **k: np.zeros(len(weights))
        harness.evaluation.evaluate = None
        harness.metrics.tally.Tally.add = lambda *a, **k: None
        harness.statistics.score = lambda *a, **k: 1.0

class Remembers(Spy):
    candidates = {}
    def score_candidates(self, contexts, candidates):
        for context, texts in zip(contexts, candidates):
            Remembers.candidates[context.turns] = texts
        return [[0.0] * len(texts) for texts in candidates]
    def respond(self, contexts):
        return [" ".join(Remembers.candidates.get(c.turns, ["nothing"])) for c in contexts]
"""


@contextmanager
def child(folder: Path, agent: str, track: Track) -> Iterator[RemoteAgent]:
    """One of the agents above behind the sandbox's own loop, in a process of its own."""
    file = folder / f"eval_{track}.py"
    file.write_text(f"{IN_A_CHILD}\neval_{track}({agent})\n", encoding="utf-8")
    with Listener(folder, uid=None) as listener:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "harness.remote.serve", str(file)],
            env={"ROSTRUM_SOCKET": str(listener.path), "OMP_NUM_THREADS": "1"},
            stderr=subprocess.DEVNULL,
        )
        try:
            with listener.accept(timeout=30) as remote:
                load(remote, track)
                yield remote
            process.wait(timeout=20)
        finally:
            process.kill()
            process.wait()


def load(remote: RemoteAgent, track: Track) -> None:
    remote.load(
        track,
        vocabulary=VOCABULARY if track == "ppl" else None,
        load_seconds=30,
        batch_seconds=30,
        bank_seconds=0,
        total_seconds=120,
    )


def by(agent: str, track: Track, folder: Path) -> Report:
    with child(folder, agent, track) as remote:
        return scored(remote, track)


@pytest.mark.parametrize("track", TRACKS)
def test_frame_peek(track: Track, tmp_path: Path) -> None:
    assert by("Spy", track, tmp_path).score == scored(Honest(), track).score


@pytest.mark.parametrize("track", TRACKS)
def test_monkeypatch(track: Track, tmp_path: Path) -> None:
    assert by("Vandal", track, tmp_path).score == scored(Honest(), track).score


def test_the_same_container_for_hits_then_f1(tmp_path: Path) -> None:
    class Here(Honest):
        def __init__(self) -> None:
            self.seen: dict[object, Sequence[str]] = {}

        def score_candidates(
            self, contexts: Sequence[Context], candidates: Sequence[Sequence[str]]
        ) -> list[list[float]]:
            self.seen.update(zip((c.turns for c in contexts), candidates, strict=True))
            return [[0.0] * len(texts) for texts in candidates]

        def respond(self, contexts: Sequence[Context]) -> list[str]:
            return [" ".join(self.seen.get(context.turns, ("nothing",))) for context in contexts]

    one_process = Here()
    scored(one_process, "hits")
    assert scored(one_process, "f1").score.value > 0.05  # what it would gain

    by("Remembers", "hits", tmp_path)
    assert by("Remembers", "f1", tmp_path).score.value == 0.0


def test_one_session_serves_one_track(tmp_path: Path) -> None:
    with child(tmp_path, "Remembers", "hits") as remote:
        scored(remote, "hits")
        with pytest.raises(SubmissionError):
            load(remote, "f1")
