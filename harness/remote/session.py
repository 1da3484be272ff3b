"""The open session inside the sandbox: the agent is built, asked, and its answers are sent.

`serve` opens it before the track file runs; `harness.scripts` finds it by `current()`. It is a
convenience for honest agents: the evaluator checks again whatever is sent from here.
"""

import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from harness.agent import VERBS, Track, check_replies, check_scores, invalid
from harness.dialogue import Context
from harness.errors import SubmissionError, UsageError
from harness.remote.answers import sparse_answer
from harness.remote.contexts import ContextReader, PrefixReader
from harness.remote.frames import Body, Frame, FrameError, Kind, array, fields, texts
from harness.remote.handshake import OLDEST, Version
from harness.remote.link import Link
from harness.remote.messages import read_load
from harness.rows import Base, SparseRows, check_changes, declared_base, pays, spread
from harness.text import Vocabulary

_current: "Session | None" = None


def current() -> "Session | None":
    """The session of this process, if the evaluator started it."""
    return _current


def open_session(session: "Session") -> None:
    """Make this the session that the track file will find."""
    global _current  # noqa: PLW0603  # one process serves one evaluator
    _current = session


class Answer(NamedTuple):
    """What a verb gave: texts in JSON, or arrays beside their description."""

    body: Body
    binary: memoryview | bytes | None = None


class Session:
    """One connection to the evaluator, after LOAD; `serve` answers until BYE.

    `spoken` says whether the evaluator takes a base row and changes to it; where it does not,
    an agent's sparse rows are sent as the dense ones that they stand for.
    """

    def __init__(
        self, link: Link, *, track: Track, vocabulary: Vocabulary | None, spoken: Version = OLDEST
    ):
        self.track = track
        self._link = link
        self._vocabulary = vocabulary
        self._sparse = spoken.sparse
        self._base: Base | None = None
        self._contexts = ContextReader(continues=spoken.continues)
        self._prefixes = PrefixReader(self._contexts)
        self._sequence = 0
        self._open = True

    @classmethod
    def opened(cls, link: Link) -> "Session":
        """Wait for LOAD and open the session it asks for."""
        frame = link.receive()
        if frame.kind is not Kind.LOAD:
            raise FrameError(f"{frame.kind.name} where LOAD belongs")
        load = read_load(frame.body)
        vocabulary = None
        if load.sha256 is not None:
            vocabulary = _dictionary(bytes(frame.binary))
            if (len(vocabulary), vocabulary.sha256) != (load.entries, load.sha256):
                raise FrameError("the dictionary is not the one that LOAD names")
        return cls(link, track=load.track, vocabulary=vocabulary, spoken=load.spoken)

    def serve(self, make_agent: Callable[[], Any], *, track: Track) -> None:  # Any: an agent
        """Build the agent and answer requests until BYE.

        An error inside the agent is printed, told to the evaluator as a hint without text, and
        ends the process with status 1. `UsageError` if the file is another track's.
        """
        if track != self.track:
            raise UsageError(f"eval_{self.track}.py calls eval_{track}; call eval_{self.track}")
        if not self._open:
            raise UsageError(f"eval_{track} was called twice; call it once")
        try:
            agent = make_agent()
        except Exception:
            self.fail("construct")
        ready = self._ready(agent)
        self._link.send(Kind.READY, 0, ready.body, binary=ready.binary)
        while (frame := self._link.receive()).kind is not Kind.BYE:
            self._expect_request(frame)
            answer = self._answer(agent, frame.body)
            self._link.send(Kind.REPLY, self._sequence, answer.body, binary=answer.binary)
        self._open = False

    def _expect_request(self, frame: Frame) -> None:
        """Requests are numbered from 1."""
        if (frame.kind, frame.sequence) != (Kind.REQUEST, self._sequence + 1):
            raise FrameError(f"{frame.kind.name} {frame.sequence} is not the next request")
        self._sequence = frame.sequence

    def fail(self, hint: str, detail: str | None = None) -> NoReturn:
        """Print the traceback, send FAIL if the evaluator still listens, end the process."""
        with suppress(Exception):
            traceback.print_exc()
            sys.stderr.flush()
        if self._open:
            self._open = False
            with suppress(OSError):
                self._link.send(Kind.FAIL, self._sequence, {"hint": hint, "detail": detail})
        sys.exit(1)

    def _ready(self, agent: Any) -> Answer:  # Any: an agent
        """The base row, if the agent declares one and the evaluator takes it."""
        if self._vocabulary is not None:
            with self._failing("construct"):
                self._base = declared_base(agent, self._vocabulary)
        if self._base is None or not self._sparse:
            return Answer({})
        return _array(self._base.weights, dtype="<f4")

    def _answer(self, agent: Any, body: Body) -> Answer:  # Any: an agent
        ask = self._understood(body)
        with self._failing("verb"):
            return ask(agent)

    @contextmanager
    def _failing(self, hint: str) -> Iterator[None]:
        """Any error of the agent ends the session by FAIL."""
        try:
            yield
        except SubmissionError as error:
            if error.code == "invalid_prediction" and error.detail is not None:
                self.fail("prediction", error.detail)
            self.fail(hint)
        except Exception:
            self.fail(hint)

    def _understood(self, body: Body) -> Callable[[Any], Answer]:  # Any: an agent
        """The request, parsed: what to call the agent with."""
        verb = body.get("verb")
        if verb == VERBS["f1"]:
            _, contexts = fields(body, verb=str, contexts=list)
            known = self._contexts.read(contexts)
            return lambda agent: _respond(agent, known)
        if verb == VERBS["hits"]:
            _, contexts, lists = fields(body, verb=str, contexts=list, candidates=list)
            known, candidates = self._contexts.read(contexts), _lists(lists)
            return lambda agent: _score_candidates(agent, known, candidates)
        if verb == VERBS["ppl"] and (vocabulary := self._vocabulary) is not None:
            known, prefixes = self._prefixes.read(body)
            return lambda agent: self._next_words(agent, known, prefixes, vocabulary)
        raise FrameError("the verb is unknown, or has no dictionary")

    def _next_words(
        self,
        agent: Any,  # Any: an agent
        contexts: list[Context],
        prefixes: list[tuple[str, ...]],
        vocabulary: Vocabulary,
    ) -> Answer:
        """The rows as they are, but for form: their values are checked outside."""
        rows = agent.next_word_probabilities(contexts, prefixes, vocabulary)
        count, words = len(contexts), len(vocabulary)
        if isinstance(rows, SparseRows) and self._base is not None:
            check_changes(rows, count=count, vocabulary_size=words)
            if self._sparse and pays(rows=count, changes=len(rows.columns), vocabulary_size=words):
                return Answer(*sparse_answer(rows))
            rows = spread(rows, self._base)
        shape = (count, words)
        if not isinstance(rows, np.ndarray) or rows.dtype != np.float32 or rows.shape != shape:
            raise invalid("wrong_count", f"next_word_probabilities did not return float32 {shape}")
        return _array(rows, dtype="<f4")


def _respond(agent: Any, contexts: list[Context]) -> Answer:  # Any: an agent
    return Answer({"replies": check_replies(agent.respond(contexts), count=len(contexts))})


def _score_candidates(
    agent: Any,  # Any: an agent
    contexts: list[Context],
    candidates: list[tuple[str, ...]],
) -> Answer:
    scores = agent.score_candidates(contexts, candidates)
    rows = check_scores(scores, sizes=[len(texts) for texts in candidates])
    return _array(np.concatenate([np.zeros(0), *rows]), dtype="<f8")


def _dictionary(data: bytes) -> Vocabulary:
    try:
        return Vocabulary.from_tsv(data.decode("utf-8"))
    except (UnicodeDecodeError, UsageError) as error:
        raise FrameError("the dictionary of LOAD is malformed") from error


def _array(values: NDArray[Any], *, dtype: str) -> Answer:  # Any: float32 or float64
    values = np.ascontiguousarray(values, dtype=dtype)
    return Answer(array(dtype, values.shape), values.reshape(-1).view(np.uint8).data)


def _lists(value: Sequence[object]) -> list[tuple[str, ...]]:
    return [tuple(texts(item)) for item in value]
