"""The recorded sessions as a table: who stands inside, what is asked, which versions are spoken."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.agent import Track
from harness.dialogue import Context, Turn
from harness.errors import RostrumError
from harness.remote.client import RemoteAgent
from harness.rows import SparseRows
from harness.text import Vocabulary

HERE = Path(__file__).resolve().parent
LIMITS = {"load_seconds": 30, "batch_seconds": 20, "bank_seconds": 10, "total_seconds": 60}
VOCABULARY = Vocabulary.from_counts({"tea": 3, "na\u00efve": 2, "?": 1})

_FIRST = Context("one", ("i like tea .",), (), (Turn("partner", "hi \u201cyou\u201d"),))
_SECOND = Context(
    "two", (), ("p\\",), (Turn("partner", "x"), Turn("self", "y"), Turn("partner", "z\U0001f600"))
)
_LATER = Context(
    "three", ("i like tea .",), (), (*_FIRST.turns, Turn("self", "a"), Turn("partner", "b"))
)
_CONTEXTS = ([_FIRST, _SECOND], [_SECOND, _LATER], [_SECOND, _LATER], [_LATER])
_PREFIXES = (
    [(), ("?", "x")],
    [("tea",), ("?", "x")],
    [("tea", "x"), ("?", "x", "tea")],
    [("?", "x", "tea", "na\u00efve")],
)
"""The last two go on from the one before: at first both rows do, then the second."""


@dataclass(frozen=True)
class Session:
    """One session: `agent` is a class of `agents.py`; `inside` and `outside` are versions;
    `questions` is how many are asked."""

    track: Track
    agent: str
    inside: str = "1.1"
    outside: str = "1.1"
    questions: int = 2


SESSIONS = {
    "f1": Session("f1", "Plain"),
    "hits": Session("hits", "Plain"),
    "ppl-dense": Session("ppl", "Plain"),
    "ppl-sparse": Session("ppl", "Sparse"),
    "ppl-continued": Session("ppl", "Sparse", questions=4),
    "ppl-continued-dense": Session("ppl", "Plain", questions=3),
    "ppl-sparse-sent-dense": Session("ppl", "Crowded"),
    "fail-construct": Session("f1", "FailsToBuild"),
    "fail-verb": Session("f1", "FailsToAnswer"),
    "fail-prediction": Session("f1", "SaysTooMuch"),
    "fail-base-row": Session("ppl", "BadBase"),
    "fail-changes": Session("ppl", "BadChanges"),
    "f1-inside-1.0": Session("f1", "Plain", inside="1.0"),
    "ppl-inside-1.0": Session("ppl", "Plain", inside="1.0"),
    "f1-outside-1.0": Session("f1", "Plain", outside="1.0"),
    "ppl-outside-1.0": Session("ppl", "Plain", outside="1.0"),
    "ppl-sparse-outside-1.0": Session("ppl", "Sparse", outside="1.0"),
}


def converse(agent: RemoteAgent, session: Session) -> list[Any]:
    """Load and ask; what came back as plain values, a verdict as its code and detail."""
    said: list[Any] = []
    try:
        vocabulary = VOCABULARY if session.track == "ppl" else None
        agent.load(session.track, vocabulary=vocabulary, **LIMITS)
        for number in range(session.questions):
            said.append(_ask(agent, session.track, number))
    except RostrumError as error:
        said.append({"code": error.code, "detail": error.detail})
    return said


def _ask(agent: RemoteAgent, track: Track, number: int) -> Any:
    contexts = _CONTEXTS[number]
    if track == "f1":
        return agent.respond(contexts)
    if track == "hits":
        rows = agent.score_candidates(contexts, [["b", "aa", ""], ['\\"c\u0001']])
        return [row.tolist() for row in rows]
    rows = agent.next_word_probabilities(contexts, _PREFIXES[number], VOCABULARY)
    if isinstance(rows, SparseRows):
        return [np.asarray(part).tolist() for part in (rows.starts, rows.columns, rows.weights)]
    return rows.tolist()
