"""The evaluation loop: what an agent may see and when, and what its answers are worth."""

import hashlib
import math
import random
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from harness.agent import TRACKS, Track
from harness.data import jsonl
from harness.dialogue import Context, Dialogue, Example
from harness.errors import SubmissionError, UsageError
from harness.evaluation import evaluate
from harness.remote.client import RemoteAgent
from harness.remote.frames import Kind
from harness.remote.link import Link
from harness.remote.session import Session
from harness.report import Report
from harness.text import Vocabulary, split_words

WORDS = [f"word{n}" for n in range(60)]


def make_dialogues(count: int = 30, *, candidates: int = 20, seed: int = 0) -> list[Dialogue]:
    """Dialogues of one to six examples; the reply is the last candidate, as in ConvAI2."""
    rng = random.Random(seed)

    def text() -> str:
        return " ".join(rng.choices(WORDS, k=rng.randint(1, 9)))

    def example() -> Example:
        others = [text() for _ in range(candidates - 1)]
        reply = text()
        return Example((text(),), (reply, "second label"), (*others, reply), reward="0.5")

    return [
        Dialogue(
            f"file-order-{number}",
            persona=(text(), text()),
            examples=tuple(example() for _ in range(rng.randint(1, 6))),
        )
        for number in range(count)
    ]


DIALOGUES = make_dialogues()
EXAMPLES = sum(len(dialogue.examples) for dialogue in DIALOGUES)
VOCABULARY = Vocabulary.from_counts(dict.fromkeys(WORDS[:50], 1))  # ten words are unknown


def dictionary(track: Track) -> Vocabulary | None:
    return VOCABULARY if track == "ppl" else None


def draw(*texts: str) -> np.random.Generator:
    """Numbers that hang on these texts alone."""
    return np.random.default_rng(list(hashlib.sha256("|".join(texts).encode()).digest()))


class Hashing:
    """Answers at random, but alike for the same input, however it is batched."""

    def respond(self, contexts: Sequence[Context]) -> list[str]:
        return [" ".join(draw(c.turns[-1].text).choice(WORDS, 6).tolist()) for c in contexts]

    def score_candidates(
        self, contexts: Sequence[Context], candidates: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        return [
            [float(draw(context.id, text).random()) for text in texts]
            for context, texts in zip(contexts, candidates, strict=True)
        ]

    def next_word_probabilities(
        self, contexts: Sequence[Context], prefixes: Sequence[Sequence[str]], vocabulary: Vocabulary
    ) -> np.ndarray:
        rows = [
            draw(context.id, *prefix).random(len(vocabulary), dtype=np.float32)
            for context, prefix in zip(contexts, prefixes, strict=True)
        ]
        return np.stack(rows)


class Recorder(Hashing):
    """Keeps what it is shown, one entry per call."""

    def __init__(self) -> None:
        self.calls: list[list[tuple[Context, tuple[str, ...]]]] = []

    def respond(self, contexts: Sequence[Context]) -> list[str]:
        self.calls.append([(context, ()) for context in contexts])
        return super().respond(contexts)

    def score_candidates(
        self, contexts: Sequence[Context], candidates: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        self.calls.append([(c, tuple(t)) for c, t in zip(contexts, candidates, strict=True)])
        return super().score_candidates(contexts, candidates)

    def next_word_probabilities(
        self, contexts: Sequence[Context], prefixes: Sequence[Sequence[str]], vocabulary: Vocabulary
    ) -> np.ndarray:
        self.calls.append([(c, tuple(p)) for c, p in zip(contexts, prefixes, strict=True)])
        return super().next_word_probabilities(contexts, prefixes, vocabulary)


@contextmanager
def remote(agent: object, track: Track) -> Iterator[RemoteAgent]:
    """The agent behind a socket pair and the inside's own loop, in a thread."""
    ours, theirs = socket.socketpair()

    def run() -> None:
        link = Link(theirs)
        link.send(Kind.HELLO, 0, {"protocol": "1.0", "harness": "0.1.0", "build": "0" * 64})
        link.receive()
        session = Session(link, track=track, vocabulary=dictionary(track))
        try:
            session.serve(lambda: agent, track=track)
        finally:
            link.close()

    thread = threading.Thread(target=run)
    thread.start()
    with RemoteAgent(ours) as client:
        client.greet(math.inf)
        client.load(
            track,
            vocabulary=dictionary(track),
            load_seconds=10,
            batch_seconds=10,
            bank_seconds=0,
            total_seconds=100,
        )
        yield client
    thread.join(10)
    assert not thread.is_alive()


def timeless(report: Report) -> Report:
    return replace(report, seconds=0.0)


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


def test_which_candidate_is_the_reply_changes_nothing_until_it_is_history() -> None:
    def swapped(dialogue: Dialogue) -> Dialogue:
        *rest, last = dialogue.examples
        reply = last.candidates[3]
        return replace(dialogue, examples=(*rest, replace(last, replies=(reply,))))

    one, two = Recorder(), Recorder()
    evaluate(one, DIALOGUES, "hits")
    evaluate(two, [swapped(dialogue) for dialogue in DIALOGUES], "hits")
    assert one.calls == two.calls


def test_the_reply_stands_anywhere_among_the_candidates() -> None:
    recorder = Recorder()
    evaluate(recorder, make_dialogues(200), "hits")
    replies = {
        (dialogue.persona, dialogue.turns_before(turn)): example.replies[0]
        for dialogue in make_dialogues(200)
        for turn, example in enumerate(dialogue.examples)
    }
    places = [
        candidates.index(replies[context.persona, context.turns])
        for call in recorder.calls
        for context, candidates in call
    ]
    counts = np.bincount(places, minlength=20)
    assert counts.min() > 0.4 * counts.mean()
    assert counts.max() < 1.7 * counts.mean()


class Places(Hashing):
    """Scores candidates by a rule of their place and text."""

    def __init__(self, rule: str):
        self.rule = rule

    def score_candidates(
        self, contexts: Sequence[Context], candidates: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        rules = {
            "constant": lambda place, text: 0.0,
            "first": lambda place, text: -float(place),
            "last": lambda place, text: float(place),
        }
        rule = rules[self.rule]
        return [[rule(*pair) for pair in enumerate(texts)] for texts in candidates]


@pytest.mark.parametrize("rule", ["constant", "first", "last"])
def test_scores_that_know_only_places_are_worth_chance(rule: str) -> None:
    score = evaluate(Places(rule), make_dialogues(400), "hits").score
    assert score.low < 1 / 20 < score.high


class Oracle(Hashing):
    """Gives the true word its `share`, the rest to all words, the whole times `scale`."""

    def __init__(self, share: float = 0.5, *, scale: float = 1.0, specials: float = 0.0):
        self.share, self.scale, self.specials = share, scale, specials
        self.replies = {
            (dialogue.persona, dialogue.turns_before(turn)): split_words(example.replies[0])
            for dialogue in DIALOGUES
            for turn, example in enumerate(dialogue.examples)
        }

    def next_word_probabilities(
        self, contexts: Sequence[Context], prefixes: Sequence[Sequence[str]], vocabulary: Vocabulary
    ) -> np.ndarray:
        rows = np.full((len(contexts), len(vocabulary)), 0.0, np.float32)
        rows[:, :4] = self.specials / 4
        for row, context, prefix in zip(rows, contexts, prefixes, strict=True):
            words = self.replies[context.persona, context.turns]
            assert list(prefix) == words[: len(prefix)]
            word = words[len(prefix)]
            if word in vocabulary:
                row[vocabulary.index[word]] = self.share
                row[4 if vocabulary.index[word] != 4 else 5] = 1 - self.share
            else:
                row[4] = 1.0
        return rows * np.float32(self.scale)


def ppl(agent: Hashing, **options: object) -> Report:
    return evaluate(agent, DIALOGUES, "ppl", vocabulary=VOCABULARY, **options)  # type: ignore[arg-type]


def test_perplexity_counts_known_words_only() -> None:
    words = [
        word
        for dialogue in DIALOGUES
        for example in dialogue.examples
        for word in split_words(example.replies[0])
    ]
    known = [word for word in words if word in VOCABULARY]
    report = ppl(Oracle(0.5))
    assert report.score.value == pytest.approx(2.0)
    assert (report.tokens, report.unknown) == (len(known), len(words) - len(known))
    assert report.unknown
    assert report.vocabulary == 54


@pytest.mark.parametrize("scale", [1.5, 0.1, 2.0**-100, 2.0**100])
def test_scaling_a_row_earns_nothing(scale: float) -> None:
    assert ppl(Oracle(0.25, scale=scale)).score.value == pytest.approx(4.0, rel=1e-6)


def test_mass_on_the_specials_is_lost() -> None:
    assert ppl(Oracle(0.5, specials=1.0)).score.value == pytest.approx(4.0)


def test_a_zero_costs_what_the_competition_says() -> None:
    report = ppl(Oracle(0.0))
    assert report.score.value == math.inf
    assert '"note": "infinite"' in report.dumps()
    floored = ppl(Oracle(0.0), zero="floor-1e-10")
    assert floored.score.value == pytest.approx(1e10)
    assert "zero:floor-1e-10" in floored.signature


class Spoiling(Hashing):
    """Answers well but for one row, which holds `value` once."""

    def __init__(self, value: float):
        self.value = value

    def next_word_probabilities(
        self, contexts: Sequence[Context], prefixes: Sequence[Sequence[str]], vocabulary: Vocabulary
    ) -> np.ndarray:
        rows = np.ones((len(contexts), len(vocabulary)), np.float32)
        rows[-1, -1] = self.value
        return rows


@pytest.mark.parametrize(
    ("value", "detail"),
    [(math.nan, "not_finite"), (math.inf, "not_finite"), (-0.5, "negative"), (-1e9, "negative")],
)
@pytest.mark.parametrize("place", ["here", "remote"])
def test_one_bad_weight_among_many_is_found(value: float, detail: str, place: str) -> None:
    with remote(Spoiling(value), "ppl") as agent, pytest.raises(SubmissionError) as caught:
        ppl(Spoiling(value) if place == "here" else agent)  # type: ignore[arg-type]
    assert (caught.value.code, caught.value.detail) == ("invalid_prediction", detail)


def test_the_signature_says_how_the_score_was_made() -> None:
    digest = jsonl.digest(DIALOGUES)[:12]
    hits = evaluate(Hashing(), DIALOGUES, "hits")
    assert hits.signature == (
        f"track:hits|k:1|rule:rostrum1|tok:answer|cands:20|data:{digest}|seed:0|harness:0.1.0"
    )
    f1 = evaluate(Hashing(), DIALOGUES, "f1", data_name="a" * 64, seed=3, sandbox="docker")
    assert (
        f1.signature == "track:f1|rule:rostrum1|tok:answer|data:aaaaaaaaaaaa|seed:3|harness:0.1.0"
    )
    assert f1.sandbox == "docker"
    assert (f1.tokens, f1.unknown, f1.vocabulary) == (None, None, None)
    assert f"vocab:{VOCABULARY.sha256[:12]}" in ppl(Hashing()).signature
    assert Report.from_json(f1.to_json()) == f1


def test_progress_counts_examples() -> None:
    seen: list[tuple[int, int]] = []
    evaluate(Hashing(), DIALOGUES, "f1", batch_size=7, progress=lambda *pair: seen.append(pair))
    assert seen[0] == (7, EXAMPLES)
    assert seen[-1] == (EXAMPLES, EXAMPLES)
    assert seen == sorted(seen)


def test_an_empty_reply_of_the_set_is_no_word() -> None:
    dialogues = [Dialogue("1", examples=(Example(("hi",), ("",)), Example(("x",), ("word1",))))]
    report = evaluate(Hashing(), dialogues, "ppl", vocabulary=VOCABULARY)
    assert (report.tokens, report.score.n) == (1, 2)


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
