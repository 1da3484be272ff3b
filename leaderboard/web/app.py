"""The application: database in, WSGI application out."""

import hashlib
from functools import cache, partial
from pathlib import Path

from flask import Flask, url_for
from jinja2 import StrictUndefined
from markupsafe import Markup, escape

from harness import __version__
from leaderboard import formats
from leaderboard.api.context import EXTENSION, KEY_EXTENSION
from leaderboard.api.routes import api
from leaderboard.db.engine import Database
from leaderboard.human import talk
from leaderboard.shown import one_line
from leaderboard.web import headers, problems
from leaderboard.web.pages import pages
from leaderboard.web.rater import rater
from leaderboard.web.rater.watch import EXTENSION as WATCH_EXTENSION
from leaderboard.web.rater.watch import Watch

MAX_BODY = 56 << 10
"""Bytes of a request's body that are read: the longest message that a human protocol can allow,
4,000 characters, is 48,000 bytes as a form at most."""

STATIC = Path(__file__).parent / "static"


def create_app(db: Database, *, key: bytes | None = None) -> Flask:
    """The site over an open database. Opens nothing else and starts no thread.

    `key` signs the raters' links; without one it is read from the home when a link is opened.
    """
    app = Flask("leaderboard.web", static_folder=str(STATIC), template_folder="templates")
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 31_536_000  # the address holds the content's hash
    app.extensions[EXTENSION] = db
    app.extensions[KEY_EXTENSION] = key
    app.extensions[WATCH_EXTENSION] = Watch(partial(talk.versions, db))
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        shown=lambda text, limit=200: one_line(str(text), limit=limit),
        iso=formats.iso,
        utc=formats.utc,
        minute=formats.minute,
        count=formats.count,
        coded=_coded,
    )
    app.jinja_env.globals.update(asset=_asset, version=__version__)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it
    app.register_blueprint(pages)
    app.register_blueprint(api)
    app.register_blueprint(rater)
    headers.install(app)
    problems.install(app)
    return app


def _asset(name: str) -> str:
    """The address of a static file, different whenever its content is."""
    return url_for("static", filename=name, v=_digest(name))


def _coded(text: str) -> Markup:
    """Our own sentence, with what stands between backticks as code."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part
        for place, part in enumerate(parts)
    )


@cache
def _digest(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
