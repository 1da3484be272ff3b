"""Errors as answers: below /api/ the house's error body, elsewhere a page, both with one status."""

import logging

from flask import Flask, Response, jsonify, render_template, request, url_for
from werkzeug.exceptions import HTTPException

from harness.errors import RostrumError, UsageError

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
}
"""The status of an error code that is not simply 400."""

SENTENCES: dict[int, tuple[str, str, str]] = {
    404: ("not_found", "There is nothing at this address", "The board links every page."),
    405: ("method_not_allowed", "This address does not answer that method", ""),
    413: ("too_large", "The request's body is too large", "Send only what the help page names."),
    415: ("not_json", "The body is not JSON", "Send it with Content-Type: application/json."),
}

TITLES: dict[int, str] = {404: "Not here", 500: "The site failed to answer"}
"""The heading of an error's page."""

_log = logging.getLogger(__name__)


def install(app: Flask) -> None:
    """Give `app` its error handlers."""
    app.register_error_handler(RostrumError, _ours)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unforeseen)


def _ours(error: RostrumError) -> Response:
    status = STATUS.get(error.code, 400 if isinstance(error, UsageError) else 503)
    return answer(status, code=error.code, message=error.message, hint=error.hint)


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
    _log.error("unforeseen error: %s %s", request.method, request.path, exc_info=error)
    return answer(
        500,
        code="internal",
        message="Something unforeseen went wrong in the site",
        hint="It is not your fault; the organizer finds the reason in the site's log.",
    )


def answer(status: int, *, code: str, message: str, hint: str) -> Response:
    """The error as JSON below /api/, else as a page."""
    if request.path.startswith("/api/"):
        response = jsonify({"error": {"code": code, "message": message, "hint": hint}})
    else:
        response = Response(_page(status, message=message, hint=hint), mimetype="text/html")
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="rostrum"'
    return response


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
