"""The reaper of a worker: removes what others left behind, and keeps what a lock keeps."""

import logging
from collections.abc import Collection

from harness.errors import OperatorError
from leaderboard import conversations
from worker.converse.orphans import is_over
from worker.fetch.store import prune
from worker.images import keep_images
from worker.workplace import Workplace

_log = logging.getLogger(__name__)


def reap(workplace: Workplace) -> None:
    """Every now and then until the shutdown, beginning at once; a failed round is only logged."""
    while True:
        for step in (_remove_cells, _keep_and_prune):
            try:
                step(workplace)
            except Exception:  # an engine or a database that is away; the next round may find it
                _log.exception("the reaper failed: step=%s", step.__name__)
        if workplace.shutdown.wait(workplace.settings.reap_seconds):
            return


def _remove_cells(workplace: Workplace) -> None:
    """Cells that have outlived their deadline, or a chat that has ended without them."""
    if removed := workplace.benches.reap(over=is_over(workplace.db)):
        _log.warning("reaped: cells=%d", removed)


def _keep_and_prune(workplace: Workplace) -> None:
    """Finalists chat from what was scored for as long as they are asked to."""
    kept = conversations.kept(workplace.db)
    _keep(kept.images)
    if pruned := prune(workplace.settings.code_directory, keep=kept.commits):
        _log.info("pruned: trees=%d", pruned)


def _keep(images: Collection[str]) -> None:
    """Give finalists' container images a name that stays; other runtimes are never removed."""
    containers = [digest for digest in images if digest.startswith("sha256:")]
    if not containers:
        return
    try:
        named = keep_images(containers)
    except OperatorError as error:  # no engine on this machine: then there are no images, either
        _log.info("no images to keep: reason=%s", error.message)
        return
    if named:
        _log.info("kept: images=%d", named)
