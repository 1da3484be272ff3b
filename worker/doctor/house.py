"""The installation: its database and clock, its broker, its secrets, its folders."""

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy

from harness.errors import UsageError
from leaderboard import competition, ledger
from leaderboard import settings as site
from worker.doctor.finding import Finding, fail, ok, warn
from worker.embedded import PREFIX, is_embedded
from worker.place import Place
from worker.settings import Settings

BROKER_SECONDS = 5.0
DRIFT_WARN, DRIFT_FAIL = 2.0, 30.0
"""Seconds between our clock and the database's. Leases run by the database's clock alone; deadlines
of cells and the ages of folders by ours."""

_OTHERS = 0o077


def database() -> Iterator[Finding]:
    """Whether it can be reached and is ours, and how far its clock is from this machine's."""
    url = sqlalchemy.make_url(site.database_url())
    name = url.render_as_string(hide_password=True)
    try:
        db = ledger.open_database()
    except UsageError as error:
        yield fail("database", f"{name}: {error.message}", error.hint or _START)
        return
    try:
        before = datetime.now(UTC)
        with db.read() as session:
            told = ledger.now(session)
        yield ok("database", name)
        known = competition.known(db)
        if not known:
            yield warn("competition", "none yet", "`rostrum admin competition load FILE`.")
        if url.get_backend_name() != "sqlite":  # there, both are the same clock
            yield drift((told - before).total_seconds())
    finally:
        db.close()


_START = "Start it, and see ROSTRUM_DATABASE_URL; `rostrum admin init` makes the tables."


def drift(seconds: float) -> Finding:
    """How a difference of clocks stands."""
    text = f"the database's is {abs(seconds):.1f} s {'ahead' if seconds > 0 else 'behind'}"
    if abs(seconds) >= DRIFT_FAIL:
        return fail("clock", text, "Set this machine's clock by NTP (`timedatectl set-ntp true`).")
    if abs(seconds) >= DRIFT_WARN:
        return warn("clock", text, "Have both machines set their clocks by NTP.")
    return ok("clock", f"within {DRIFT_WARN:g} s of the database's")


def sandboxes() -> tuple[str, ...]:
    """The sandboxes that this installation's competitions name; docker where that is not known."""
    try:
        db = ledger.open_database()
    except UsageError:
        return ("docker",)
    try:
        named = {name for one in competition.known(db) for name in competition.get(db, one).sandbox}
    finally:
        db.close()
    return tuple(sorted(named)) or ("docker",)


def broker() -> Iterator[Finding]:
    """Whether messages can be sent; without them work goes on, only later."""
    url = site.broker_url()
    shown = sqlalchemy.make_url(url.removeprefix(PREFIX)) if is_embedded(url) else None
    name = shown.render_as_string(hide_password=True) if shown is not None else _hidden(url)
    if shown is not None and shown.get_backend_name() == "sqlite":
        file = Path(shown.database or "")
        made = file.is_file()  # to connect would make it
        yield ok("broker", name) if made else fail("broker", f"there is no {file}", _START)
        return
    from worker.app import make_app  # celery takes a moment to load

    try:
        with make_app(url).connection_for_write(connect_timeout=BROKER_SECONDS) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=BROKER_SECONDS)
            connection.channel().close()
    except Exception as error:  # whatever a broker's client can raise
        reason = " ".join(str(error).split())[:200]
        yield fail("broker", f"{name}: {reason}", "Start it, and see ROSTRUM_BROKER_URL.")
        return
    yield ok("broker", name)


def _hidden(url: str) -> str:
    head, at, tail = url.rpartition("@")
    scheme, _, user = head.partition("://")
    return f"{scheme}://{user.partition(':')[0]}:***@{tail}" if at else url


def secrets() -> Iterator[Finding]:
    """Keys and databases that nobody but this user may read."""
    yield private("secret key", site.secret_key_path(), absent="only the site needs it")
    yield private("vault key", site.vault_key_path(), absent="private repositories need it")
    url = sqlalchemy.make_url(site.database_url())
    if url.get_backend_name() == "sqlite" and url.database and Path(url.database).exists():
        yield private("database file", Path(url.database), absent="")


def private(name: str, path: Path, *, absent: str) -> Finding:
    """Whether a file is there for us alone: its mode, or that of the folder around it."""
    try:
        found, around = path.stat(), path.parent.stat()
    except FileNotFoundError:
        return ok(name, f"not on this machine ({absent})")
    except OSError as error:
        return fail(name, f"{path}: {error.strerror}", "Run this as the user of the worker.")
    if found.st_uid not in (os.geteuid(), 0):
        return fail(name, f"{path} belongs to another user", f"chown it to this one: {path}")
    if found.st_mode & _OTHERS and around.st_mode & _OTHERS:
        mode = stat.S_IMODE(found.st_mode)
        return fail(name, f"{path} can be read by others (mode {mode:04o})", f"chmod 600 {path}")
    return ok(name, f"{path}, for this user alone")


def folders(settings: Settings, *, walled: bool) -> Iterator[Finding]:
    """The sandbox folder: ours alone to write, passable for cells, apart from what is secret."""
    root = settings.sandbox_directory.absolute()
    try:
        Place.open(root)
    except (UsageError, OSError) as error:
        yield fail("sandbox folder", str(error), "See ROSTRUM_SANDBOX_DIR in docs/settings.md.")
        return
    home = site.home()
    if home.is_relative_to(root) or root.is_relative_to(home):
        yield fail(
            "sandbox folder",
            f"{root} and the work folder {home} hold each other",
            "Set ROSTRUM_SANDBOX_DIR to a folder that is apart from ROSTRUM_HOME.",
        )
        return
    closed = [place for place in (root, *root.parents) if not place.stat().st_mode & stat.S_IXOTH]
    if closed and walled:
        yield fail(
            "sandbox folder",
            f"other users cannot pass {closed[0]}",
            "Set ROSTRUM_SANDBOX_DIR to a folder that every user can reach.",
        )
    elif os.statvfs(root).f_flag & os.ST_NOEXEC:
        yield fail(
            "sandbox folder",
            f"{root} is mounted noexec: no program of a runtime or package starts from it",
            "Set ROSTRUM_SANDBOX_DIR to a folder on another disk.",
        )
    else:
        yield ok("sandbox folder", str(root))
