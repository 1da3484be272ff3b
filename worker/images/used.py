"""When a runtime was last used on this machine: a mark beside it, because an engine keeps none."""

import time

from worker.images.runtime import Runtime
from worker.place import Place

FOLDER = "used"


def mark_of(digest: str) -> str:
    """The name of a runtime's mark; under bubblewrap also that of its folder."""
    return digest.removeprefix("sha256:")[:16]


def mark_used(runtime: Runtime, *, place: Place) -> None:
    """Say that the runtime is used now."""
    folder = place.root / FOLDER
    folder.mkdir(mode=0o755, exist_ok=True)
    (folder / mark_of(runtime.digest)).touch()


def last_use(place: Place, mark: str) -> float:
    """Seconds since 1970; 0 if nobody ever said so. Never in the future, whatever a clock did."""
    try:
        return min(time.time(), (place.root / FOLDER / mark).stat().st_mtime)
    except OSError:
        return 0.0
