"""The packages of an attempt: built while it is prepared, the very same whenever it runs again."""

import logging
from pathlib import Path
from threading import Event

from harness.errors import OperatorError, SubmissionError, UsageError
from leaderboard import ledger
from worker.hold import Hold
from worker.images import Environment, prepare_environment, stored_environment
from worker.images.build import BuildError, Rules
from worker.place import Place
from worker.workplace import Bench, Workplace

_log = logging.getLogger(__name__)


def built_packages(
    workplace: Workplace, hold: Hold, tree: Path, bench: Bench, *, rules: Rules
) -> Environment | None:
    """What the tree's requirements ask for; the team reads the log of the build, however it ends.

    None if it asks for nothing. Errors as in `prepare_environment`.
    """
    try:
        made = prepare_environment(
            tree / "requirements.txt",
            runtime=bench.runtime,
            place=Place.open(workplace.settings.sandbox_directory),
            build=rules,
            sandbox=bench.sandbox,
            tell=lambda line: _log.info("attempt=%d %s", hold.work.attempt_id, line),
            stop=hold.stop,
        )
    except SubmissionError as error:
        _keep(workplace, hold, ended=f"{error.code} ({error.detail}): {error.message}", error=error)
        raise
    except UsageError as error:
        raise OperatorError("evaluator_bug", message=error.message) from error
    if made is not None:
        _keep(workplace, hold, ended=f"the environment {made.name}", made=made)
    return made


def kept_packages(
    name: str | None,
    tree: Path,
    *,
    place: Place,
    bench: Bench,
    rules: Rules,
    stop: Event | None = None,
) -> Path | None:
    """The packages that were stored under this name; made anew only if they are the same.

    `OperatorError` (`image_missing`) if they cannot be had any more: nothing else may stand in.
    """
    if name is None:
        return None
    if found := stored_environment(name, place=place):
        return found.path
    try:
        made = prepare_environment(
            tree / "requirements.txt",
            runtime=bench.runtime,
            place=place,
            build=rules,
            sandbox=bench.sandbox,
            tell=_log.info,
            stop=stop,
        )
    except (SubmissionError, UsageError) as error:
        raise _gone(name, error.code or "pip failed") from error
    if made is None or made.name != name:
        raise _gone(name, "they would be others today")
    return made.path


def _gone(name: str, why: str) -> OperatorError:
    return OperatorError("image_missing", message=f"the packages {name} are gone: {why}")


def _keep(
    workplace: Workplace,
    hold: Hold,
    *,
    ended: str,
    made: Environment | None = None,
    error: SubmissionError | None = None,
) -> None:
    """How it ended, what was chosen, what was printed."""
    lines = [f"[rostrum] {ended}"]
    if made is not None:
        lines += [f"[rostrum] {one.name}=={one.version}" for one in made.packages]
    printed = made.log if made else error.log if isinstance(error, BuildError) else ""
    ledger.keep_log(
        workplace.db, hold.work, name="build", text="\n".join([printed.rstrip(), *lines, ""])
    )
