"""`rostrum serve`: the site on one port, by waitress."""

import logging
import signal
from collections.abc import Callable
from types import FrameType

import click
import waitress

from harness.errors import UsageError
from leaderboard import settings
from leaderboard.competition import current, known
from leaderboard.db.engine import Database, open_database
from leaderboard.web.app import create_app
from leaderboard.web.rater.watch import EXTENSION as WATCH
from leaderboard.web.rater.watch import HOLDS

THREADS = HOLDS + 8
"""Enough for every long poll that may be held, and for eight other requests beside them."""

IDLE_SECONDS = 30
MAX_CONNECTIONS = 200
MAX_REQUEST = 64 << 10
"""Bytes of a body that the server itself takes in; the application refuses far fewer."""


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0: any free."
)
def serve(host: str, port: int) -> None:
    """Serve the board, the submissions, the raters' pages and the API."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    key = settings.secret_key()  # nothing starts without what `rostrum admin init` makes
    db = open_database()
    shown = _competition(db)
    app = create_app(db, key=key)
    try:
        server = waitress.create_server(
            app,
            host=host,
            port=port,
            threads=THREADS,
            channel_timeout=IDLE_SECONDS,
            connection_limit=MAX_CONNECTIONS,
            max_request_body_size=MAX_REQUEST,
            ident=None,
            clear_untrusted_proxy_headers=True,
        )
    except OSError as error:
        raise UsageError(
            f"{host}:{port} cannot be listened on: {error.strerror}; choose another --port"
        ) from error
    click.echo(f"Rostrum serves {shown} at http://{_address(host)}:{server.effective_port}/")
    _interrupt_after(app.extensions[WATCH].close)
    try:
        server.run()  # returns on Ctrl-C
    finally:
        server.close()
        db.close()


def _interrupt_after(step: Callable[[], None]) -> None:
    """Do `step` first on Ctrl-C: the server waits for the requests that it is answering."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        step()
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, interrupt)


def _competition(db: Database) -> str:
    """What the front page will show; a chosen competition that does not exist stops the start."""
    if settings.competition_id() is None and not known(db):
        return "no competition yet"
    return current(db)


def _address(host: str) -> str:
    return f"[{host}]" if ":" in host else host
