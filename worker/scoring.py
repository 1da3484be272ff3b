"""The way from queued to scored: every track over the hidden set, all reports or none."""

from dataclasses import replace

from harness.agent import Track
from harness.data.shards import plan
from harness.merge import merge
from harness.metrics.lineups import Crowd
from harness.report import Report
from leaderboard import competition, datasets, ledger
from worker.exam import Questions, sit
from worker.hold import Hold
from worker.preflight import fetched_tree, taken_seat
from worker.workplace import Workplace


def scoring(workplace: Workplace, hold: Hold) -> None:
    """Take a leased attempt (running, charged) to its scores.

    Each track has a fresh cell for each shard, so that no dialogue gives another away.
    """
    rules = competition.get(workplace.db, hold.work.competition_id)
    fetched = fetched_tree(workplace, hold, rules.limits)
    bench = workplace.benches.get(rules.sandbox[0])
    seat = taken_seat(workplace, hold, fetched, bench, rules)
    questions = _hidden_questions(workplace, hold, rules)
    reports: dict[Track, Report] = {}
    for track in hold.work.tracks:
        parts: list[Report] = []
        for number, shard in enumerate(plan(questions.dialogues, track)):
            job = seat.job(hold, track, shard=str(number), keep_log=False)
            asked = replace(questions, dialogues=shard)
            parts.append(sit(hold, seat, job, track, asked).checked())
        reports[track] = merge(parts)
    hold.check()
    with hold.stoppable():
        ledger.score(workplace.db, hold.work, reports)


def _hidden_questions(
    workplace: Workplace, hold: Hold, rules: competition.Competition
) -> Questions:
    """The set that the phase scores; it is held in memory only, and its key never leaves."""
    db, name, role = workplace.db, hold.work.competition_id, hold.work.split
    dialogues = datasets.dialogues(db, name, role)
    return Questions(
        dialogues,
        datasets.vocabulary(db, name),
        rules.zero,
        competition.secret(db, name),
        datasets.hidden_name(db, name, role),
        crowd=Crowd.of(dialogues),
    )
