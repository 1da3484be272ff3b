"""Keeps the store of fetched trees small: what nobody used for long goes, so do ruins.

A tree is used when an attempt asks for it, which renews the facts file beside it. Ruins are the
working folders of fetches whose worker was killed.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Collection
from pathlib import Path

KEEP_SECONDS = 14 * 86_400.0
"""Longer than any attempt may take; a tree that is needed again is fetched again."""

RUIN_SECONDS = 3600.0
"""Longer than any fetch may take."""

SCRATCH_PREFIX = ".fetch-"


def prune(
    store: Path,
    *,
    keep: Collection[str] = frozenset(),
    now: float | None = None,
    seconds: float = KEEP_SECONDS,
) -> int:
    """Remove trees unused for `seconds`, and ruins, below `store`; how many. `now` is seconds since
    1970.

    Trees of the commits `keep` stay, however long nobody asked for them.
    """
    moment = time.time() if now is None else now
    ruins = [path for path in store.glob(f"{SCRATCH_PREFIX}*") if _age(path, moment) > RUIN_SECONDS]
    facts = [
        path
        for path in store.glob("*/*.json")
        if path.stem not in keep and _age(path, moment) > seconds
    ]
    for file in facts:
        file.unlink(missing_ok=True)
        remove(file.with_suffix(""))
    for ruin in ruins:
        remove(ruin)
    return len(facts) + len(ruins)


def remove(folder: Path) -> None:
    """Remove a tree whose folders may be read-only."""
    for parent, _, _ in os.walk(folder):
        with contextlib.suppress(OSError):
            Path(parent).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _age(path: Path, moment: float) -> float:
    try:
        return moment - path.lstat().st_mtime
    except FileNotFoundError:
        return 0.0
