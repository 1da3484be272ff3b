"""The reaper of a worker: removes what others left behind, and keeps what a lock keeps.

Cells are looked for in every round; disks are freed in each sixtieth, or at once when one is full.
"""

import logging
from collections.abc import Collection

from harness.errors import OperatorError
from leaderboard import conversations
from worker.converse.orphans import is_over
from worker.fetch.store import prune
from worker.images import keep_images
from worker.images.collect import Marks, alone, collect
from worker.images.disk import used_percent
from worker.images.shelves import Stays, everything, sweep_ruins
from worker.place import Place
from worker.workplace import Workplace

DAY = 86_400.0
DISK_ROUNDS = 60

_log = logging.getLogger(__name__)


def reap(workplace: Workplace) -> None:
    """Every now and then until the shutdown, beginning at once; a failed round is only logged."""
    rounds = 0
    while True:
        steps = [_remove_cells, _keep_and_prune]
        if rounds % DISK_ROUNDS == 0 or _is_full(workplace):
            steps.append(_free_disk)
        for step in steps:
            try:
                step(workplace)
            except Exception:  # an engine or a database that is away; the next round may find it
                _log.exception("the reaper failed: step=%s", step.__name__)
        rounds += 1
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
    store, seconds = workplace.settings.code_directory, workplace.settings.keep_days * DAY
    if pruned := prune(store, keep=kept.commits, seconds=seconds):
        _log.info("pruned: trees=%d", pruned)


def _is_full(workplace: Workplace) -> bool:
    settings = workplace.settings
    folders = (settings.sandbox_directory, settings.cache_directory)
    return any(used_percent(one) > settings.disk_high for one in folders if one.is_dir())


def _free_disk(workplace: Workplace) -> None:
    """Environments, trees, runtimes and wheels that nobody uses, by age and by the disk's marks."""
    settings = workplace.settings
    kept = conversations.kept(workplace.db)
    stays = Stays(kept.commits, kept.environments, kept.images)
    marks = Marks(settings.disk_high, settings.disk_low, settings.keep_days * DAY)
    place = Place.open(settings.sandbox_directory)
    with alone(place.root) as ours:
        if not ours:
            return
        code, cache = settings.code_directory, settings.cache_directory
        gone = collect(everything(place, code=code, cache=cache, stays=stays), marks=marks)
        ruins = sweep_ruins(place)
    if gone or ruins:
        _log.info("freed: things=%d ruins=%d", len(gone), ruins)


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
