"""`rostrum admin submissions`: every submission, with unrounded scores for the organizers.

What changes one stands in `leaderboard.admin.moves`.
"""

import click
from rich.console import Console

from harness.report import Report, finite
from leaderboard.admin.moves import cancel, fail, id_argument, rerun, withhold
from leaderboard.admin.output import (
    Document,
    answer,
    as_json_option,
    competition_option,
    iso,
    opened,
    safe,
    table,
)
from leaderboard.db.engine import open_database
from leaderboard.ledger import Moment, timeline
from leaderboard.quota import stamp
from leaderboard.submissions import SubmissionLine, SubmissionView, listing, reports, submission


@click.group("submissions")
def submissions() -> None:
    """List and show submissions, run them again, cancel or fail them, withhold their scores."""


for _command in (rerun, cancel, fail, withhold):
    submissions.add_command(_command)


@submissions.command("list")
@competition_option
@as_json_option
def list_submissions(competition_id: str | None, as_json: bool) -> None:
    """List the submissions, the newest first."""
    db, chosen = opened(competition_id)
    found = listing(db, chosen)
    made = table(
        ("id", "team", "entry", "commit", "state", "since", "verdict"),
        [
            (
                line.id,
                line.team,
                line.entry,
                (line.commit or line.ref)[:12],
                line.state.value,
                stamp(line.since),
                _verdict_text(line),
            )
            for line in found
        ],
        empty="No submissions yet.",
    )
    answer(
        {"competition": chosen, "submissions": [_line_document(line) for line in found]},
        as_json=as_json,
        show=lambda console: console.print(made),
    )


@submissions.command("show")
@id_argument
@as_json_option
def show_submission(submission_id: int, as_json: bool) -> None:
    """Show one submission: state, verdict, unrounded scores, timeline with workers."""
    db = open_database()
    view = submission(db, submission_id)
    scores = reports(db, view.attempt_id)
    moments = timeline(db, view.attempt_id)
    document = _line_document(view) | {
        "competition": view.competition_id,
        "retries": view.retries,
        "losses": view.losses,
        "sandbox": view.sandbox,
        "can_chat": view.can_chat,
        "scores": {track: _report_document(report) for track, report in scores.items()},
        "timeline": [_moment_document(moment) for moment in moments],
        "quota": view.quota.sentence,
    }
    answer(document, as_json=as_json, show=lambda console: _show(console, view, scores, moments))


def _show(
    console: Console, view: SubmissionView, scores: dict[str, Report], moments: list[Moment]
) -> None:
    console.print(f"Submission {view.id} of", safe(view.team), "·", safe(view.entry))
    console.print("Commit ", safe(view.commit or "not fetched yet"), "of", safe(view.ref))
    console.print("State  ", safe(view.state.value), "·", safe(view.sentence), soft_wrap=True)
    if view.verdict is not None:
        console.print("Verdict", safe(_verdict_text(view)), "·", safe(view.verdict.title))
        console.print("To do  ", view.verdict.hint, markup=False, soft_wrap=True)
    if scores:
        console.print()
        console.print(
            table(
                ("track", "score", "low", "high", "n", "sandbox", "signature"),
                [
                    (
                        track,
                        f"{report.score.value:.6g}",
                        f"{report.score.low:.6g}",
                        f"{report.score.high:.6g}",
                        report.score.n,
                        report.sandbox,
                        report.signature,
                    )
                    for track, report in scores.items()
                ],
                empty="",
            )
        )
    console.print()
    console.print(
        table(
            ("when", "state", "code", "note", "worker"),
            [(stamp(m.at), m.target.value, m.code, m.note, m.worker) for m in moments],
            empty="",
        )
    )
    console.print(view.quota.sentence, markup=False, soft_wrap=True)


def _verdict_text(line: SubmissionLine) -> str:
    if line.verdict is None:
        return ""
    return line.verdict.code + (f" ({line.verdict.detail})" if line.verdict.detail else "")


def _line_document(line: SubmissionLine) -> Document:
    verdict = line.verdict
    return {
        "id": line.id,
        "attempt": line.attempt_id,
        "team": line.team,
        "baseline": line.baseline,
        "entry": line.entry,
        "ref": line.ref,
        "commit": line.commit,
        "accepted_at": iso(line.accepted_at),
        "state": line.state.value,
        "since": iso(line.since),
        "final": line.final,
        "sentence": line.sentence,
        "tracks": list(line.tracks),
        "withheld": line.withheld,
        "verdict": verdict
        and {
            "code": verdict.code,
            "detail": verdict.detail,
            "title": verdict.title,
            "hint": verdict.hint,
            "fault": verdict.fault.value,
        },
    }


def _report_document(report: Report) -> Document:
    score = report.score
    document: Document = {
        "value": finite(score.value),
        "low": finite(score.low),
        "high": finite(score.high),
        "n": score.n,
        "signature": report.signature,
        "sandbox": report.sandbox,
        "seconds": report.seconds,
        "agent": report.agent,
    }
    if None in (document["value"], document["low"], document["high"]):
        document["note"] = "infinite"
    if report.track == "ppl":
        document |= {
            "tokens": report.tokens,
            "unknown": report.unknown,
            "vocabulary": report.vocabulary,
        }
    return document


def _moment_document(moment: Moment) -> Document:
    return {
        "at": iso(moment.at),
        "from": moment.source and moment.source.value,
        "to": moment.target.value,
        "worker": moment.worker,
        "code": moment.code,
        "note": moment.note,
    }
