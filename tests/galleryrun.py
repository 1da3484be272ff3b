"""The whole gallery on this machine: one line a case, and how the machine feels afterwards.

`python tests/gallery/run.py [--sandbox docker|bubblewrap ...] [NAME ...]`: name, sandbox,
expected, got, seconds. A submission is run in each sandbox that is here (`bubblewrap+cgroup`: where
a whole cell's memory can be bounded), a repository is fetched, requirements are installed in
each build sandbox. Status 1 unless all is as expected, nothing is left and the machine is well.
"""

import argparse
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

from gallerybuilds import Builds
from gallerycells import MARK, Ending, complaint, run, wrong
from gallerygit import Gits
from galleryworld import CANARY, Case, cases
from hosthealth import Health, left_behind, settled

from worker.images import prepare
from worker.sandbox.choose import open_sandbox

AT_ONCE = 4
SANDBOXES = ("docker", "bubblewrap")

Line = tuple[Case, str, Ending, str | None]
"""A case, where it was, what became of it, and what is wrong with that."""


def main() -> int:
    """Run what was asked for; the exit status."""
    options = _options()
    chosen = [case for case in cases() if not options.names or case.name in options.names]
    os.environ["ROSTRUM_DATABASE_URL"] = CANARY
    for name in options.sandbox:
        prepare(name, _say)
    before, began, wrongs, count = Health.now(), time.monotonic(), 0, 0
    _say(f"before: {before}")
    for case, where, ending, wrong_with in _lines(chosen, options.sandbox):
        count += 1
        wrongs += wrong_with is not None
        _say(_row(case.name, where, case.expected(where), ending, wrong_with))
    after, worse = settled(before)
    _say(f"after:  {after}")
    left = left_behind(MARK)
    _say(f"{count} cases, {count - wrongs} as expected, {time.monotonic() - began:.0f} s")
    for problem in (*worse, *(f"left: {one}" for one in left)):
        _say(f"NOT WELL: {problem}")
    return 1 if wrongs or worse or left else 0


def _lines(chosen: list[Case], sandboxes: list[str]) -> Iterator[Line]:
    """Every case where it belongs, several at a time; in the order of the names."""
    kinds = {kind: [case for case in chosen if case.kind == kind] for kind in ("cell", "git")}
    for name in sandboxes:
        sandbox = open_sandbox(name, runtime=prepare(name, _say))
        walls = getattr(sandbox, "walls", name)
        judged = partial(complaint, walls)
        yield from _all(kinds["cell"], walls, partial(run, sandbox), judged)
    with ExitStack() as opened:
        if kinds["git"]:
            gits = opened.enter_context(Gits())
            yield from _all(kinds["git"], "fetch", gits.run, wrong)
            gits.check()
    if builds := [case for case in chosen if case.kind == "requirements"]:
        for name in sandboxes:
            yield from _all(builds, f"build/{name}", Builds(name).run, wrong, at_once=1)


def _all(
    chosen: list[Case],
    where: str,
    work: Callable[[Case], Ending],
    judged: Callable[[Case, Ending], str | None],
    *,
    at_once: int = AT_ONCE,
) -> Iterator[Line]:
    with ThreadPoolExecutor(at_once) as pool:
        for case, ending in zip(chosen, pool.map(work, chosen), strict=True):
            yield case, where, ending, judged(case, ending)


def _row(
    name: str,
    where: str,
    expected: tuple[str, str | None],
    ending: Ending,
    wrong_with: str | None,
) -> str:
    wanted, got = (" ".join(filter(None, one)) for one in (expected, ending.verdict))
    line = f"{name:31} {where:17} {wanted:31} {got:31} {ending.seconds:5.1f}"
    return line if wrong_with is None else f"{line}  NOT AS EXPECTED: {wrong_with[:500]}"


def _say(line: str) -> None:
    print(line, flush=True)


def _options() -> argparse.Namespace:
    here = {
        "docker": shutil.which("docker") is not None,
        "bubblewrap": shutil.which("bwrap") is not None and os.geteuid() == 0,
    }
    parser = argparse.ArgumentParser(description="Run the gallery of hostile submissions.")
    parser.add_argument("--sandbox", action="append", choices=SANDBOXES)
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    options.sandbox = options.sandbox or [name for name in SANDBOXES if here[name]]
    return options
