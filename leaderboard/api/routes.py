"""The addresses of the API. Who may see what: boards and submissions everybody, logs their team."""

from flask import Blueprint, Response, jsonify, request, url_for
from werkzeug.exceptions import BadRequest

from harness.errors import UsageError
from leaderboard import competition, hints, intake
from leaderboard.api.context import database
from leaderboard.api.documents import (
    SCHEMA,
    board_document,
    people_document,
    rules_document,
    submission_document,
)
from leaderboard.api.tokens import caller
from leaderboard.board import board, preflight_log, submission
from leaderboard.human.results import results
from leaderboard.locks import not_locked
from leaderboard.states import Queue
from leaderboard.waiting import silence

api = Blueprint("api", __name__, url_prefix="/api/v1")

SUBMISSION = "/submissions/<int(max=2147483647):submission_id>"


@api.get("/board")
def current_board() -> Response:
    """The board of the competition that the front page shows."""
    return _board(competition.current(database()))


@api.get("/competition")
def current_rules() -> Response:
    """The rules by which submissions to the current competition are run."""
    db = database()
    return jsonify(rules_document(competition.get(db, competition.current(db))))


@api.get("/competitions/<competition_id>/board")
def competition_board(competition_id: str) -> Response:
    """The board of one competition."""
    return _board(competition_id)


@api.get("/competitions/<competition_id>/people")
def competition_people(competition_id: str) -> Response:
    """The finalists of one competition, and what people said of them once that is over."""
    db = database()
    competition.get(db, competition_id)
    found = results(db, competition_id)
    if found is None:
        raise not_locked(competition_id)
    return jsonify(people_document(found))


@api.get(SUBMISSION)
def show_submission(submission_id: int) -> Response:
    """One submission, as everybody may see it."""
    db = database()
    return jsonify(submission_document(submission(db, submission_id), silence(db)))


@api.get(f"{SUBMISSION}/log")
def show_log(submission_id: int) -> Response:
    """The logs of the build and the preflight, for the submission's own team only."""
    db = database()
    team = caller(db)
    view = submission(db, submission_id)
    if view.team_id != team.id:
        raise UsageError(
            f"submission {submission_id} is another team's; its log is not yours to read",
            code="not_yours",
        )
    if not view.logs:
        raise UsageError(
            f"submission {submission_id} has no log",
            code="no_log",
            hint="Logs are made of the build and of the preflight, and kept for 90 days.",
        )
    logs = [{"track": name, "text": preflight_log(db, submission_id, name)} for name in view.logs]
    response = jsonify({"schema": SCHEMA, "submission": submission_id, "logs": logs})
    response.headers["Cache-Control"] = "no-store"
    return response


@api.post("/submissions")
def submit() -> Response:
    """Take in `{"ref": ...}` for the token's team: 202, and the submission's own document."""
    db = database()
    team = caller(db)
    accepted = intake.accept(db, team_id=team.id, ref=_ref())
    hints.send(Queue.PREFLIGHT, accepted.attempt_id)
    response = show_submission(accepted.submission_id)
    response.status_code = 202
    response.headers["Location"] = url_for(
        "api.show_submission", submission_id=accepted.submission_id
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _ref() -> str:
    """The body's `ref`: exactly that key, a text."""
    try:
        body = request.get_json()
    except (BadRequest, RecursionError) as error:
        raise _bad_body("it is not JSON") from error
    if not isinstance(body, dict) or set(body) != {"ref"} or not isinstance(body["ref"], str):
        raise _bad_body("it has other keys or types")
    return body["ref"]


def _bad_body(reason: str) -> UsageError:
    return UsageError(
        f"the body cannot be read: {reason}",
        code="bad_body",
        hint='Send exactly {"ref": "<40 hex digits or a branch>"}.',
    )


def _board(competition_id: str) -> Response:
    db = database()
    response = jsonify(board_document(board(db, competition_id), silence(db)))
    response.add_etag()
    response.make_conditional(request)
    return response
