"""A submission of the gallery through the doors of an attempt: track file, cells, verdict."""

import os
import time
from dataclasses import dataclass
from functools import cache
from itertools import count

from cells import load_agent
from galleryworld import GOOD, Case, Verdict, vocabulary_of

from harness.agent import Track
from harness.data.shards import plan
from harness.dialogue import Dialogue
from harness.errors import RostrumError, SubmissionError
from harness.evaluation import evaluate
from harness.merge import merge
from harness.report import Report
from worker.blame import judge
from worker.entry import entered
from worker.sandbox import Exit, Job, Limits, Sandbox

_numbers = count()

MARK = f"gallery-{os.getpid()}"
"""What the cells of this process are called."""


@dataclass(frozen=True)
class Ending:
    """What became of one submission: its verdict, how its last cell ended, what it scored.

    `told` is every word that the evaluation and the runner said of it; `seconds` how long its
    cells took, `ending` how long the last of them took to end.
    """

    verdict: Verdict
    exit: Exit | None = None
    report: Report | None = None
    told: str = ""
    seconds: float = 0.0
    ending: float = 0.0


def run(sandbox: Sandbox, case: Case) -> Ending:
    """One submission, every shard of its data in a fresh cell."""
    began = time.monotonic()
    try:
        (track,) = entered(case.folder, offered=[case.track])
    except SubmissionError as refused:
        return Ending((refused.code, refused.detail))
    ended, told, seconds = None, "", 0.0
    reports: list[Report] = []
    for shard in plan(case.dialogues, track):
        report, error, ended, seconds = _in_a_cell(sandbox, case, track, shard)
        told += f"{error} {ended}"
        verdict = judge(error, ended)
        if verdict is not None:
            spent = time.monotonic() - began
            found = (verdict.code, verdict.detail)
            return Ending(found, ended, None, told, seconds=spent, ending=seconds)
        assert report is not None
        reports.append(report)
    spent = time.monotonic() - began
    return Ending(("scored", None), ended, merge(reports), told, seconds=spent, ending=seconds)


def _in_a_cell(
    sandbox: Sandbox, case: Case, track: Track, dialogues: list[Dialogue]
) -> tuple[Report | None, RostrumError | None, Exit, float]:
    """What the evaluation gave or raised, the end of the cell, the seconds that the end took."""
    limits = Limits(**case.limits)
    job = Job(
        name=f"rostrum-{MARK}-{case.name}-{next(_numbers)}",
        fence=1,
        code=case.folder,
        track_file=f"eval_{track}.py",
        limits=limits,
        keep_log=case.keeps_log,
        deadline_seconds=300,
        labels={"test": MARK},
    )
    vocabulary = vocabulary_of(dialogues) if track == "ppl" else None
    report, error = None, None
    with sandbox.start(job) as cell:
        try:
            cell.agent.load(
                track,
                vocabulary=vocabulary,
                load_seconds=limits.load,
                batch_seconds=limits.batch,
                bank_seconds=limits.bank,
                total_seconds=limits.total,
            )
            report = evaluate(
                cell.agent, dialogues, track, vocabulary=vocabulary, data_name="0" * 64
            )
        except RostrumError as raised:
            error = raised
        began = time.monotonic()
        ended = cell.finish()
        return report, error, ended, time.monotonic() - began


@cache
def honest(case_track: Track, data: str) -> Report:
    """What the good agent scores on the same data in this process."""
    case = Case(GOOD, {"track": case_track, "data": data})
    dialogues = case.dialogues
    vocabulary = vocabulary_of(dialogues) if case_track == "ppl" else None
    return evaluate(load_agent(GOOD), dialogues, case_track, vocabulary=vocabulary)


def complaint(walls: str, case: Case, ending: Ending) -> str | None:
    """What is wrong with how a case ended, if anything: verdict, score, what it left or told."""
    if ending.verdict != case.expected(walls):
        return f"got {ending.verdict}: {ending.told[-2000:]}"
    if ending.exit is not None and not ending.exit.gone:
        return "its cell is not gone"
    if ending.ending > 5:
        return f"its cell took {ending.ending:.1f} s to end"
    if ending.exit is not None and not case.keeps_log and ending.exit.log:
        return "a hidden run left a log"
    if not case.keeps_log and any(one.partner[0] in ending.told for one in _examples(case)):
        return "a hidden run told what it was asked"
    if ending.report is not None:
        return case.complaint(ending.report, honest(case.track, case.page.get("data", "talk")))
    return None


def _examples(case: Case) -> list:
    return [example for dialogue in case.dialogues for example in dialogue.examples]


def wrong(case: Case, ending: Ending) -> str | None:
    """What is wrong with how a fetch or a build ended, if anything."""
    if ending.verdict != case.expected("verdict"):
        return f"got {ending.verdict}: {ending.told[-2000:]}"
    if "HARM" in ending.told:
        return ending.told
    if ending.seconds > (most := float(case.page.get("seconds", 60)) + 10):
        return f"it took {ending.seconds:.1f} s, more than {most:.0f}"
    return None
