"""Reports and records of small runs, made by the evaluation itself, for what shows them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.agent import Track
from harness.dialogue import Context, Dialogue, Example
from harness.evaluation import evaluate
from harness.records import Writer, beside
from harness.report import Report
from harness.text import Vocabulary

TALK = ("hello there", "i like cats a lot", "do you have a dog ?", "no , but i want one")
HOSTILE = "<script>alert(1)</script> & \u202egnirts\u202c \x1b[31m\x07 end"


def dialogues(count: int = 6, *, said: str = "what do you like ?") -> list[Dialogue]:
    """Dialogues of two and three replies; the first ones are alike, the numbers differ."""
    return [
        Dialogue(
            id=f"talk {number}",
            persona=("i like cats .",),
            examples=tuple(
                Example(
                    partner=(said,),
                    replies=(f"{TALK[(number + turn) % 4]} {number}",),
                    candidates=(f"{TALK[(number + turn) % 4]} {number}", "never", "yes", "maybe"),
                )
                for turn in range(2 + number % 2)
            ),
        )
        for number in range(count)
    ]


class Says:
    """An agent that says one thing, ranks by length, and deems every word alike but one."""

    def __init__(self, reply: str = "i like cats", *, zero: bool = False) -> None:
        self.reply, self.zero = reply, zero

    def respond(self, contexts: Sequence[Context]) -> list[str]:
        return [self.reply for _ in contexts]

    def score_candidates(
        self, contexts: Sequence[Context], candidates: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        return [[-abs(len(text) - len(self.reply)) for text in row] for row in candidates]

    def next_word_probabilities(
        self, contexts: Sequence[Context], prefixes: Sequence[Sequence[str]], vocabulary: Vocabulary
    ) -> NDArray[np.float32]:
        row = np.ones(len(vocabulary), dtype=np.float32)
        row[vocabulary.index["cats"]] = 0.0 if self.zero else 0.001
        return np.tile(row, (len(contexts), 1))


def saved(
    path: Path,
    track: Track,
    *,
    agent: Says | None = None,
    over: Sequence[Dialogue] | None = None,
    records: bool = True,
    change: Callable[[Report], Report] = lambda report: report,
) -> Path:
    """The report of a run in `path`, its records beside it if wanted."""
    talks = dialogues() if over is None else over
    words = Vocabulary.build(dialogues(4)) if track == "ppl" else None
    with Writer(beside(path)) as write:
        report = evaluate(
            agent or Says(), talks, track, vocabulary=words, profile=True, record=write
        )
    if records:
        report = replace(report, sidecar=write.sidecar)
    else:
        beside(path).unlink()
    change(report).save(path)
    return path
