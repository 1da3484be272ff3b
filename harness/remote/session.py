"""The open session inside the sandbox: the agent is built, asked, and its answers are sent.

`serve` opens it before the track file runs; `harness.scripts` finds it by `current()`. It is a
convenience for honest agents: the evaluator checks again whatever is sent from here.
"""

import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from harness.agent import VERBS, Track, check_replies, check_scores, invalid
from harness.dialogue import Context
from harness.errors import SubmissionError, UsageError
from harness.remote.frames import Body, FrameError, Kind, array, fields, texts
from harness.remote.link import Link
from harness.remote.messages import ContextReader
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
    """What a verb gave: texts in JSON, or one array beside its description."""

    body: Body
    binary: memoryview | None = None


class Session:
    """One connection to the evaluator, after LOAD; `serve` answers until BYE."""

    def __init__(self, link: Link, *, track: Track, vocabulary: Vocabulary | None):
        self.track = track
        self._link = link
        self._vocabulary = vocabulary
        self._contexts = ContextReader()
        self._sequence = 0
        self._open = True

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
        self._link.send(Kind.READY, 0, {})
        while (frame := self._link.receive()).kind is not Kind.BYE:
            self._sequence = frame.sequence
            answer = self._answer(agent, frame.body)
            self._link.send(Kind.REPLY, self._sequence, answer.body, binary=answer.binary)
        self._open = False

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

    def _answer(self, agent: Any, body: Body) -> Answer:  # Any: an agent
        ask = self._understood(body)
        try:
            return ask(agent)
        except SubmissionError as error:
            if error.code == "invalid_prediction" and error.detail is not None:
                self.fail("prediction", error.detail)
            self.fail("verb")
        except Exception:
            self.fail("verb")

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
            _, contexts, lists = fields(body, verb=str, contexts=list, prefixes=list)
            known, prefixes = self._contexts.read(contexts), _lists(lists)
            return lambda agent: _next_words(agent, known, prefixes, vocabulary)
        raise FrameError("the verb is unknown, or has no dictionary")


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


def _next_words(
    agent: Any,  # Any: an agent
    contexts: list[Context],
    prefixes: list[tuple[str, ...]],
    vocabulary: Vocabulary,
) -> Answer:
    """The rows as they are, but for form: their values are checked outside."""
    rows = agent.next_word_probabilities(contexts, prefixes, vocabulary)
    shape = (len(contexts), len(vocabulary))
    if not isinstance(rows, np.ndarray) or rows.dtype != np.float32 or rows.shape != shape:
        raise invalid("wrong_count", f"next_word_probabilities did not return float32 {shape}")
    return _array(rows, dtype="<f4")


def _array(values: NDArray[Any], *, dtype: str) -> Answer:  # Any: float32 or float64
    values = np.ascontiguousarray(values, dtype=dtype)
    return Answer(array(dtype, values.shape), values.reshape(-1).view(np.uint8).data)


def _lists(value: Sequence[object]) -> list[tuple[str, ...]]:
    return [tuple(texts(item)) for item in value]
