"""The pages: read the request, call one read model, render."""

from typing import Any

from flask import Blueprint, Response, make_response, render_template, request, url_for

from leaderboard import competition
from leaderboard.api.context import database
from leaderboard.board import board, submission
from leaderboard.human.results import results
from leaderboard.locks import locked, not_locked
from leaderboard.waiting import silence
from leaderboard.web import help as help_text
from leaderboard.web.board_page import board_page as board_view
from leaderboard.web.people_page import people_page as people_view
from leaderboard.web.submission_page import submission_page as submission_view

pages = Blueprint("pages", __name__)

LIVE_SECONDS = 5
"""How often a page with something moving on it asks for itself again."""

BOARD_SECONDS = 30


@pages.get("/")
def front() -> Response:
    """The board of the current competition; without one, a page that says so."""
    ids = competition.known(database())
    if not ids:
        return _render("empty.html", here="board")
    return _board(competition.current(database()), json_url=url_for("api.current_board"))


@pages.get("/c/<competition_id>/")
def board_page(competition_id: str) -> Response:
    """The board of one competition."""
    return _board(
        competition_id,
        json_url=url_for("api.competition_board", competition_id=competition_id),
    )


@pages.get("/c/<competition_id>/people")
def people_page(competition_id: str) -> Response:
    """The finalists of one competition, and what people said of them once that is over."""
    db = database()
    rules = competition.get(db, competition_id)
    fixed, found = locked(db, competition_id), results(db, competition_id)
    if fixed is None or found is None:
        raise not_locked(competition_id)
    return _render(
        "people.html",
        page=people_view(found, fixed),
        competition_id=rules.id,
        demo=competition.is_demo(db, competition_id),
        json_url=url_for("api.competition_people", competition_id=competition_id),
    )


@pages.get("/submissions/<int(max=2147483647):submission_id>")
def submission_page(submission_id: int) -> Response:
    """One submission: its state now, its timeline, its verdict or scores."""
    db = database()
    found = submission(db, submission_id)
    return _render(
        "submission.html",
        page=submission_view(found, silence(db), site=_site()),
        competition_id=found.competition_id,
        demo=competition.is_demo(db, found.competition_id),
        json_url=url_for("api.show_submission", submission_id=submission_id),
        live_seconds=None if found.final else LIVE_SECONDS,
    )


@pages.get("/help")
def help_page() -> Response:
    """The rules of the current competition, the states, every verdict, the API."""
    db = database()
    chosen = competition.current(db) if competition.known(db) else None
    return _render(
        "help.html",
        here="help",
        page=help_text.help_page(competition.get(db, chosen) if chosen else None, site=_site()),
        demo=competition.is_demo(db, chosen) if chosen else False,
    )


def _board(competition_id: str, *, json_url: str) -> Response:
    db = database()
    found = board(db, competition_id)
    rules = competition.get(db, competition_id)
    fixed = locked(db, competition_id) is not None
    return _render(
        "board.html",
        here="board",
        people_url=url_for("pages.people_page", competition_id=competition_id) if fixed else None,
        page=board_view(found, rules, silence(db)),
        competition_id=competition_id,
        demo=found.demo,
        json_url=json_url,
        live_seconds=BOARD_SECONDS,
    )


def _render(template: str, **values: Any) -> Response:  # Any: a template's variables
    """The page with what every page needs, and an ETag, so that an unchanged one is not resent."""
    chrome = {"demo": False, "here": "", "json_url": None, "live_seconds": None}
    home = url_for("pages.front")
    if chosen := values.pop("competition_id", None):
        home = _home(chosen)
    response = make_response(render_template(template, **{**chrome, "home_url": home, **values}))
    response.add_etag()
    response.make_conditional(request)
    return response


def _site() -> str:
    """The site's own address, as the reader reached it."""
    return request.host_url.rstrip("/")


def _home(competition_id: str) -> str:
    """The front page, or the competition's own board where the front page shows another one."""
    if competition.current(database()) == competition_id:
        return url_for("pages.front")
    return url_for("pages.board_page", competition_id=competition_id)
