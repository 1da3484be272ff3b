"""Errors as answers: the house's error body or a page, both with one status.

Below /api/ it is the body; below /rate/ the body where JSON is asked for, else a page in the
rater's own frame, which leads to nothing that a rater should not see.
"""

import logging

from flask import Flask, Response, jsonify, render_template, request, url_for
from werkzeug.exceptions import HTTPException

from harness.errors import RostrumError, UsageError
from leaderboard.web.headers import RATER

STATUS: dict[str, int] = {
    "no_token": 401,
    "bad_token": 401,
    "not_yours": 403,
    "not_found": 404,
    "unknown_submission": 404,
    "unknown_competition": 404,
    "no_competition": 404,
    "phase_closed": 409,
    "attempt_under_way": 409,
    "no_log": 404,
    "too_large": 413,
    "not_json": 415,
    "quota_used": 429,
    "locked": 409,
    "not_locked": 404,
}
"""The status of an error code that is not simply 400."""

RATER_STATUS: dict[str, int] = {
    "link_forged": 404,
    "not_your_conversation": 404,
    "link_expired": 410,
    "link_revoked": 410,
    "human_closed": 410,
    "human_not_open": 409,
    "other_tab": 409,
    "not_your_turn": 409,
    "chat_over": 409,
    "too_early": 409,
    "already_answered": 409,
    "share_done": 409,
    "none_left": 409,
    "try_later": 409,
    "empty_text": 400,
    "too_long": 400,
    "bad_answer": 400,
}
"""The status of every error that a rater may read; below /rate/ all others are `internal`."""

SENTENCES: dict[int, tuple[str, str, str]] = {
    404: ("not_found", "There is nothing at this address", "The board links every page."),
    405: ("method_not_allowed", "This address does not answer that method", ""),
    413: ("too_large", "The request's body is too large", "Send only what the help page names."),
    415: ("not_json", "The body is not JSON", "Send it with Content-Type: application/json."),
}

TITLES: dict[int, str] = {404: "Not here", 500: "The site failed to answer"}
"""The heading of an error's page."""

RATER_SENTENCES: dict[int, tuple[str, str]] = {
    404: ("There is nothing at this address", "Please open the link of your invitation again."),
    405: ("This page cannot be opened like that", "Please open the link of your invitation again."),
    413: ("This message is too long to be sent", "Go back, and make it shorter."),
    500: (
        "Something went wrong on our side",
        "It is not your fault, and what you have sent is kept. Please try again in a minute.",
    ),
}
"""What a rater reads instead of `SENTENCES`."""

RATER_TITLES: dict[int, str] = {
    404: "There is nothing here",
    409: "Not just now",
    410: "This has ended",
}

_GENERAL = {code for code, _, _ in SENTENCES.values()} | {"http", "internal"}

_log = logging.getLogger(__name__)


def install(app: Flask) -> None:
    """Give `app` its error handlers."""
    app.register_error_handler(RostrumError, _ours)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unforeseen)


def status_of(error: RostrumError) -> int:
    """The status of an answer that tells this error."""
    known = STATUS | RATER_STATUS
    return known.get(error.code, 400 if isinstance(error, UsageError) else 503)


def wants_json() -> bool:
    """Whether the request asked for JSON and for no page."""
    kinds = ["text/html", "application/json"]
    return request.accept_mimetypes.best_match(kinds) == "application/json"


def _ours(error: RostrumError) -> Response:
    if request.path.startswith(RATER) and error.code not in RATER_STATUS:
        return _unforeseen(error)
    return answer(status_of(error), code=error.code, message=error.message, hint=error.hint)


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:  # a redirect of the router
        return Response(error.get_response().get_data(), status, dict(error.get_response().headers))
    code, message, hint = SENTENCES.get(status, ("http", error.name, ""))
    response = answer(status, code=code, message=message, hint=hint)
    if allow := error.get_response().headers.get("Allow"):
        response.headers["Allow"] = allow
    return response


def _unforeseen(error: Exception) -> Response:
    # the rule, not the address: a rater's holds the secret of an invitation
    _log.error("unforeseen error: %s %s", request.method, request.url_rule, exc_info=error)
    return answer(
        500,
        code="internal",
        message="Something unforeseen went wrong in the site",
        hint="It is not your fault; the organizer finds the reason in the site's log.",
    )


def answer(status: int, *, code: str, message: str, hint: str) -> Response:
    """The error as JSON or as a page, as the address and the request want it."""
    rater = request.path.startswith(RATER)
    if rater and code in _GENERAL:
        message, hint = RATER_SENTENCES.get(status, (message, hint))
    if request.path.startswith("/api/") or (rater and wants_json()):
        response = jsonify({"error": {"code": code, "message": message, "hint": hint}})
    else:
        text = (_rater_page if rater else _page)(status, message=message, hint=hint)
        response = Response(text, mimetype="text/html")
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="rostrum"'
    return response


def _rater_page(status: int, *, message: str, hint: str) -> str:
    """The error in the rater's frame; it needs no database, and knows nobody."""
    return render_template(
        "rater_error.html",
        title=RATER_TITLES.get(status, "That did not work"),
        message=message.rstrip("."),
        hint=hint,
        competition_title=None,
        desk_url=None,
    )


def _page(status: int, *, message: str, hint: str) -> str:
    """The error as a page that needs no database."""
    return render_template(
        "error.html",
        title=TITLES.get(status, "The site cannot do that"),
        message=message,
        hint=hint,
        home_url=url_for("pages.front"),
        demo=False,
        here="",
        json_url=None,
        live_seconds=None,
    )
