"""Where Rostrum runs: `ROSTRUM_*` read from the environment, each with one owner and one default.

What a competition *is* stands in its `competition.toml`, not here.
"""

import math
import os
from datetime import timedelta
from pathlib import Path

from harness.errors import UsageError

SECRET_BYTES = 32


def home() -> Path:
    """`ROSTRUM_HOME`: the folder of the embedded database, broker and secret key."""
    return Path(os.environ.get("ROSTRUM_HOME") or "~/.local/share/rostrum").expanduser().absolute()


def database_url() -> str:
    """`ROSTRUM_DATABASE_URL`, or the embedded SQLite file below `ROSTRUM_HOME`."""
    return os.environ.get("ROSTRUM_DATABASE_URL") or f"sqlite:///{home() / 'rostrum.db'}"


def broker_url() -> str:
    """`ROSTRUM_BROKER_URL`, or the embedded broker's SQLite file below `ROSTRUM_HOME`."""
    return os.environ.get("ROSTRUM_BROKER_URL") or f"sqla+sqlite:///{home() / 'broker.db'}"


def secret_key_path() -> Path:
    """Where the site's signing key is kept, mode 0600."""
    return home() / "secret_key"


def vault_key_path() -> Path:
    """`ROSTRUM_VAULT_KEY`: the key that seals teams' secrets; by default below `ROSTRUM_HOME`."""
    named = os.environ.get("ROSTRUM_VAULT_KEY")
    return Path(named).expanduser().absolute() if named else home() / "vault_key"


def secret_key() -> bytes:
    """The site's signing key, made by `rostrum admin init`; `UsageError` if it is not there."""
    path = secret_key_path()
    try:
        key = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"the secret key {path} cannot be read: {error.strerror}",
            code="no_secret_key",
            hint="Run `rostrum admin init` once, with the same ROSTRUM_HOME.",
        ) from error
    if len(key) < SECRET_BYTES:
        raise UsageError(
            f"the secret key {path} has {len(key)} bytes, fewer than {SECRET_BYTES}",
            code="no_secret_key",
            hint="Remove the file and run `rostrum admin init`.",
        )
    return key


def competition_id() -> str | None:
    """`ROSTRUM_COMPETITION`: the competition that the site shows and commands mean, if set."""
    return os.environ.get("ROSTRUM_COMPETITION") or None


def lost_after() -> timedelta:
    """`ROSTRUM_LOST_SECONDS` (90): silence after which a worker is taken for lost."""
    return timedelta(seconds=positive_seconds("ROSTRUM_LOST_SECONDS", default=90.0))


def retry_after() -> timedelta:
    """`ROSTRUM_RETRY_SECONDS` (60): the wait before the first retry of a fault of ours."""
    return timedelta(seconds=positive_seconds("ROSTRUM_RETRY_SECONDS", default=60.0))


def positive_seconds(name: str, *, default: float) -> float:
    """The setting `name` as seconds > 0; `UsageError` names the setting otherwise."""
    text = os.environ.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise UsageError(f"{name} is {text!r}; it must be a number of seconds above 0")
    return value
