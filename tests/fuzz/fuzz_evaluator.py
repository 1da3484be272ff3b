"""Fuzz the evaluator's end, guided by coverage: whatever the inside sends, the law holds.

    python tests/fuzz/fuzz_evaluator.py CORPUS [libFuzzer options]

The law: a session ends with an answer, a `SubmissionError` or, before HELLO, an `OperatorError`,
both of a known code; no buffer is larger than the answer that was asked for. Needs atheris.
"""

import sys
import time
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["harness"]):
    from harness.agent import check_replies, check_scores
    from harness.errors import VERDICTS, RostrumError
    from harness.remote.client import RemoteAgent
    from harness.rows import check_rows, declared_base

from bent import seed
from recorded import case, frames_from
from scripted import ScriptedSocket
from sessions import _CONTEXTS, _PREFIXES, LIMITS, SESSIONS, VOCABULARY

BOUND = 64 + 2 * (6 * 2048 + 8)
"""The largest answer that may be asked for: the JSON of two replies."""

RECORDED = frames_from("inside")
NAMES = sorted(RECORDED)


def one(data: bytes) -> None:
    """One session against the frames of an input."""
    name, chunk, frames = case(data, RECORDED)
    first, answers = (frames[0], frames[1:]) if frames else (b"", [])
    link = ScriptedSocket(first, answers, chunk=chunk)
    end = None
    try:
        session(link, SESSIONS[name].track, questions=SESSIONS[name].questions)
    except RostrumError as error:
        end = error
    assert end is None or end.detail in (None, *VERDICTS[end.code].details)
    assert link.largest <= BOUND


def session(link: ScriptedSocket, track: str, *, questions: int) -> None:
    """Greet, load, ask, and check the answers as the evaluator does."""
    with RemoteAgent(link) as agent:
        agent.greet(time.monotonic() + 5)
        vocabulary = VOCABULARY if track == "ppl" else None
        agent.load(track, vocabulary=vocabulary, **LIMITS)
        base = declared_base(agent, VOCABULARY) if track == "ppl" else None
        for number in range(questions):
            contexts = _CONTEXTS[number]
            if track == "f1":
                check_replies(agent.respond(contexts), count=len(contexts))
            elif track == "hits":
                rows = agent.score_candidates(contexts, [["b", "aa", ""], ["c"]])
                check_scores(rows, sizes=[3, 1])
            else:
                answer = agent.next_word_probabilities(contexts, _PREFIXES[number], VOCABULARY)
                count, size = len(contexts), len(VOCABULARY)
                checked = check_rows(answer, count=count, vocabulary_size=size, base=base)
                assert (checked.sums > 0).all()


if __name__ == "__main__":
    seed(Path(sys.argv[1]), RECORDED)
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
