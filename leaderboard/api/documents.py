"""The read models as JSON documents; a page shows the same values."""

from dataclasses import asdict
from typing import Any

from harness.report import finite
from leaderboard.board import Board, Failure, SubmissionView
from leaderboard.expected import Expected
from leaderboard.figures import Cell
from leaderboard.formats import iso
from leaderboard.human.results import ResultLine, Results
from leaderboard.ledger import Moment
from leaderboard.quota import Usage
from leaderboard.rules import Competition
from leaderboard.waiting import Silence

SCHEMA = 1

Document = dict[str, Any]  # Any: a JSON object


def board_document(board: Board, silence: Silence | None) -> Document:
    """The board in its order; scores as published, infinite ones null with a note."""
    return {
        "schema": SCHEMA,
        "competition": board.competition_id,
        "title": board.title,
        "demo": board.demo,
        "phase": {"name": board.phase, "closes": iso(board.closes), "split": board.split},
        "waiting": silence.sentence if silence else None,
        "rows": [
            {
                "entry": row.entry,
                "team": row.team,
                "rank": row.rank,
                "baseline": row.baseline,
                "finalist": row.finalist,
                "why": row.why,
                "submission": row.submission_id,
                "commit": row.commit,
                "scored_at": iso(row.scored_at),
                "tracks": {track: cell_document(cell) for track, cell in row.tracks.items()},
            }
            for row in board.rows
        ],
    }


def people_document(found: Results) -> Document:
    """The finalists; what people said of them only once the human evaluation is closed."""
    closed = found.closed_at is not None
    return {
        "schema": SCHEMA,
        "competition": found.competition_id,
        "title": found.title,
        "protocol": found.protocol_sha256,
        "opened_at": iso(found.opened_at) if found.opened_at else None,
        "closed_at": iso(found.closed_at) if found.closed_at else None,
        "raters": found.raters,
        "conversations": found.conversations,
        "ratings": {"done": found.done, "wanted": found.asked},
        "finalists": [finalist_document(line, closed=closed) for line in found.lines],
    }


def finalist_document(line: ResultLine, *, closed: bool) -> Document:
    """One finalist, with what people said of it once the evaluation is closed."""
    scores: Document = {
        "enjoyment": asdict(line.enjoyment) if line.enjoyment else None,
        "detected": asdict(line.detected) if line.detected else None,
        "served": asdict(line.served) if line.served else None,
    }
    return {
        "place": line.place,
        "entry": line.entry,
        "team": line.team,
        "submission": line.submission_id,
        "passed_over": line.passed_over,
        "withheld": line.withheld,
        **(scores if closed else {}),
    }


def submission_document(view: SubmissionView, silence: Silence | None) -> Document:
    """One submission: what everybody may see, and nothing that the program printed."""
    return {
        "schema": SCHEMA,
        "id": view.id,
        "attempt": view.attempt_id,
        "competition": view.competition_id,
        "team": view.team,
        "baseline": view.baseline,
        "entry": view.entry,
        "ref": view.ref,
        "commit": view.commit,
        "accepted_at": iso(view.accepted_at),
        "state": view.state.value,
        "since": iso(view.since),
        "final": view.final,
        "sentence": view.sentence,
        "ahead": view.ahead,
        "expected": _expected(view.expected) if view.expected else None,
        "retries": view.retries,
        "losses": view.losses,
        "waiting": silence.sentence if silence and view.ahead is not None else None,
        "tracks": list(view.tracks),
        "sandbox": view.sandbox,
        "can_chat": view.can_chat,
        "verdict": _verdict(view.verdict) if view.verdict else None,
        "withheld": view.withheld,
        "scores": {track: cell_document(cell) for track, cell in view.scores.items()},
        "timeline": [_moment(moment) for moment in view.timeline],
        "quota": _quota(view.quota),
    }


def rules_document(rules: Competition) -> Document:
    """What a submission is run by, under the names of competition.toml, for `rostrum check`."""
    asked: dict[str, Document] = {
        "hits": {"candidates": rules.candidates},
        "ppl": {"zero": rules.zero},
    }
    return {
        "schema": SCHEMA,
        "competition": {"id": rules.id, "title": rules.title, "sandbox": list(rules.sandbox)},
        "tracks": {track: asked.get(track, {}) for track in rules.tracks},
        "limits": dict(rules.limits),
        "preflight": {"dialogues": rules.preflight_dialogues},
        "build": asdict(rules.build),
        "gpu": {"allowed": rules.gpu},
    }


def cell_document(cell: Cell) -> Document:
    """One published score with everything that makes it comparable."""
    document: Document = {
        "value": finite(cell.value),
        "low": finite(cell.low),
        "high": finite(cell.high),
        "text": cell.text,
        "interval": cell.interval,
        "n": cell.n,
        "signature": cell.signature,
        "sandbox": cell.sandbox,
    }
    if None in (document["value"], document["low"], document["high"]):
        document["note"] = "infinite"
    if cell.tokens is not None:
        document |= {"tokens": cell.tokens, "vocabulary": cell.vocabulary}
    return document


def _expected(found: Expected) -> Document:
    return {
        "at": iso(found.at),
        "text": found.sentence,
        "usual_seconds": round(found.usual.total_seconds(), 1),
        "runs": found.runs,
        "slots": found.slots,
    }


def _verdict(failure: Failure) -> Document:
    return {
        "code": failure.code,
        "detail": failure.detail,
        "title": failure.title,
        "hint": failure.hint,
        "fault": failure.fault.value,
        "help": f"/help#{failure.code}",
    }


def _moment(moment: Moment) -> Document:
    return {
        "at": iso(moment.at),
        "from": moment.source.value if moment.source else None,
        "state": moment.target.value,
        "code": moment.code,
        "note": moment.note,
    }


def _quota(usage: Usage) -> Document:
    return {
        "text": usage.sentence,
        "month": usage.month,
        "used": usage.used,
        "allowed": usage.allowed,
        "preflights_used": usage.preflights_used,
        "preflights_allowed": usage.preflights_allowed,
        "refunds_waiting": usage.refunds_waiting,
        "opens": iso(usage.opens) if usage.opens else None,
    }
