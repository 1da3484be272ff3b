"""Has a Python process see a time of day that is so far from the true one as a file says.

What reads the clock through Python or SQLite is stepped; what measures durations goes on as before.
(libfaketime would do it for any program, but breaks Python's `time.sleep`.)
"""

import os
import sqlite3
import sqlite3.dbapi2
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_FILE = Path(os.environ["CHAOS_CLOCK"])
_true_time = time.time
_connect = sqlite3.connect


def _now() -> float:
    return _true_time() + int(_FILE.read_text("ascii"))


def _strftime(pattern: str, what: str) -> str:
    assert what == "now", "only the present is asked for"
    moment = datetime.fromtimestamp(_now(), UTC)
    return moment.strftime(pattern.replace("%f", "%S.") + f"{moment.microsecond // 1000:03d}")


def _connected(*arguments: Any, **options: Any) -> sqlite3.Connection:  # Any: sqlite3's own
    made: sqlite3.Connection = _connect(*arguments, **options)
    made.create_function("strftime", 2, _strftime)
    return made


time.time = _now
sqlite3.connect = sqlite3.dbapi2.connect = _connected  # type: ignore[assignment]  # as before
