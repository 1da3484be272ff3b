"""The addresses of a rater, all below their invitation's link.

A form comes form-encoded. Its answer is JSON where the request accepts that and no HTML, else a
redirect to the conversation's page, which shows what its state asks for: the chat, a question, or
the end. Reading an address never changes what is asked of anybody: mail scanners open links.
"""

import re
import time
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify, make_response, redirect, render_template, request
from flask import url_for as address

from harness.errors import UsageError
from leaderboard import competition, hints
from leaderboard.api.context import database, signing_key
from leaderboard.human import claims, invitations, talk
from leaderboard.human.invitations import RaterView
from leaderboard.human.stages import ChatState
from leaderboard.human.talk import TalkView
from leaderboard.locks import locked
from leaderboard.states import Queue
from leaderboard.web.problems import status_of, wants_json
from leaderboard.web.rater import page
from leaderboard.web.rater.watch import watch

rater = Blueprint("rater", __name__, url_prefix="/rate/<token>")

CHAT = "/chats/<int(max=2147483647):conversation_id>"

HOLD_SECONDS = 25
"""How long a poll is held while nothing happens; proxies give up after 30 s and more."""

TICK_SECONDS = 1
"""How often a held poll looks at its own conversation, so that deadlines fire while it waits."""

HINT_SECONDS = 0.3
"""How long a claim waits for the broker; the sweep hints for what still waits."""

_TAB = re.compile(r"[0-9a-f]{8,32}")
_CLIENT = re.compile(r"[0-9a-f]{8,32}")

Step = Callable[[RaterView], TalkView]


@rater.get("")
def desk(token: str) -> Response:
    """What is done, what is asked, and one button."""
    return _desk(token, _who(token))


@rater.post("/start")
def start(token: str) -> Response:
    """A new conversation, or the unfinished one, for this tab alone."""
    who = _who(token)
    tab = talk.new_tab()
    try:
        conversation_id = claims.claim(database(), who.id, tab=tab)
    except UsageError as error:
        if wants_json():
            raise
        return _desk(token, who, refusal=error)
    hints.send(Queue.CONVERSE, conversation_id, seconds=HINT_SECONDS)
    return _see(_address(token, conversation_id, tab=tab))


@rater.get(CHAT)
def chat(token: str, conversation_id: int) -> Response:
    """The conversation: a chat, a question, thanks, or why it has ended."""
    who = _who(token)
    view = talk.view(database(), who.id, conversation_id, tab=_tab())
    return _page(token, who, view)


@rater.get(f"{CHAT}/events")
def events(token: str, conversation_id: int) -> Response:
    """Where the conversation stands, as soon as its version is above `after`."""
    who = _who(token)
    after, have = _number("after"), _number("have")
    view = talk.view(database(), who.id, conversation_id, tab=_tab())
    end = time.monotonic() + HOLD_SECONDS
    with watch().hold(conversation_id) as hold:
        while hold and hold.stands and view.version <= after and time.monotonic() < end:
            hold.wait(after=after, seconds=TICK_SECONDS)
            view = talk.view(database(), who.id, conversation_id, tab=_tab())
    return jsonify(page.document(view, have=have))


@rater.post(f"{CHAT}/turns")
def say(token: str, conversation_id: int) -> Response:
    """One message. The same `client_id` again is the same message."""

    def step(who: RaterView) -> TalkView:
        return talk.say(
            database(),
            who.id,
            conversation_id,
            tab=_held_tab(),
            client_id=_client_id(),
            text=_field("text").replace("\r\n", "\n"),
        )

    return _step(token, conversation_id, step)


@rater.post(f"{CHAT}/close")
def close(token: str, conversation_id: int) -> Response:
    """The chat is over; the questions follow."""
    return _step(
        token,
        conversation_id,
        lambda who: talk.close(database(), who.id, conversation_id, tab=_held_tab()),
    )


@rater.post(f"{CHAT}/leave")
def leave(token: str, conversation_id: int) -> Response:
    """The rater goes before the end."""
    return _step(
        token,
        conversation_id,
        lambda who: talk.leave(database(), who.id, conversation_id, tab=_held_tab()),
    )


@rater.post(f"{CHAT}/enjoyment")
def enjoyment(token: str, conversation_id: int) -> Response:
    """The first answer, 1 to 4."""

    def step(who: RaterView) -> TalkView:
        value = _field("value")
        if value not in ("1", "2", "3", "4"):
            raise _unanswered()
        return talk.judge_enjoyment(database(), who.id, conversation_id, value=int(value))

    return _step(token, conversation_id, step)


@rater.post(f"{CHAT}/persona")
def persona(token: str, conversation_id: int) -> Response:
    """The second answer: the drawn id of one of the two persons."""

    def step(who: RaterView) -> TalkView:
        choice = _field("choice")
        if not choice:
            raise _unanswered()
        return talk.judge_persona(database(), who.id, conversation_id, choice=choice)

    return _step(token, conversation_id, step)


def _who(token: str) -> RaterView:
    return invitations.read(database(), token, key=signing_key())


def _step(token: str, conversation_id: int, step: Step) -> Response:
    """Do one step; an error stands above the conversation's present page, with what was written."""
    who = _who(token)
    try:
        view = step(who)
    except UsageError as error:
        if wants_json():
            raise
        view = talk.view(database(), who.id, conversation_id, tab=_tab())
        response = _page(token, who, view, problem=_said(error), draft=_field("text"))
        response.status_code = status_of(error)
        return response
    if wants_json():
        return jsonify(page.document(view, have=_number("have")))
    return _see(_address(token, conversation_id, tab=_tab(), anchor="end"))


def _desk(token: str, who: RaterView, *, refusal: UsageError | None = None) -> Response:
    db = database()
    fixed, found = locked(db, who.competition_id), claims.desk(db, who.id)
    response = _render(
        "rater_desk.html",
        token,
        who,
        desk=found,
        protocol=fixed.protocol if fixed else None,
        problem=_said(refusal) if refusal and refusal.code != found.code else "",
    )
    if refusal:
        response.status_code = status_of(refusal)
    return response


def _page(
    token: str, who: RaterView, view: TalkView, *, problem: str = "", draft: str = ""
) -> Response:
    """The page that the conversation's state asks for."""
    return _render(
        _template(view),
        token,
        who,
        view=view,
        standing=page.standing(view),
        turns=page.turns(view),
        waits=page.waits(view),
        slow=page.slow_line(view),
        client_id=f"{len(view.turns):032x}",
        tab=_tab() or "",
        problem=problem,
        draft=draft,
        chat_url=_address(token, view.id, tab=_tab()),
        look_url=_look_address(token, view.id),
        to={name: address(f"rater.{name}", token=token, conversation_id=view.id) for name in FORMS},
    )


FORMS = ("events", "say", "close", "leave", "enjoyment", "persona")


def _said(error: UsageError) -> str:
    """The sentence above the page that is shown instead; what that page offers needs no hint."""
    hint = "" if error.code in ("already_answered", "other_tab") else error.hint
    return f"{error.message} {hint}".strip()


def _template(view: TalkView) -> str:
    if view.state in page.TALKING:
        return "rater_chat.html"
    if view.state is ChatState.RATING:
        return "rater_enjoyment.html" if view.enjoyment is None else "rater_persona.html"
    return "rater_thanks.html" if view.state is ChatState.RATED else "rater_void.html"


def _render(template: str, token: str, who: RaterView, **values: Any) -> Response:  # Any: as named
    """A page of the rater's own frame."""
    title = competition.get(database(), who.competition_id).title
    return make_response(
        render_template(
            template,
            competition_title=title,
            desk_url=address("rater.desk", token=token),
            start_url=address("rater.start", token=token),
            **values,
        )
    )


def _address(
    token: str, conversation_id: int, *, tab: str | None, anchor: str | None = None
) -> str:
    return address(
        "rater.chat", token=token, conversation_id=conversation_id, tab=tab, _anchor=anchor
    )


def _look_address(token: str, conversation_id: int) -> str:
    """The end of the chat's page, at an address other than the present one.

    A browser that is asked for the address where it is, but for the part after #, loads nothing.
    """
    return address(
        "rater.chat",
        token=token,
        conversation_id=conversation_id,
        tab=_tab(),
        look=2 if request.args.get("look") == "1" else 1,
        _anchor="end",
    )


def _see(place: str) -> Response:
    response = redirect(place, code=303)
    assert isinstance(response, Response)
    return response


def _field(name: str) -> str:
    return request.form.get(name, "")


def _number(name: str) -> int:
    """A small number of the request, -1 where there is none."""
    text = request.values.get(name, "")
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else -1


def _tab() -> str | None:
    """The tab that asks, None where the address names none."""
    text = request.values.get("tab", "")
    return text if _TAB.fullmatch(text) else None


def _held_tab() -> str:
    """The tab that asks for a change; one without a name holds nothing."""
    return _tab() or "none"


def _client_id() -> str:
    text = _field("client_id")
    if not _CLIENT.fullmatch(text):
        raise UsageError(
            "This message came without its number, so it was not sent.",
            code="bad_answer",
            hint="Load the page again.",
        )
    return text


def _unanswered() -> UsageError:
    return UsageError("Please choose one of the answers.", code="bad_answer")
