"""Mutation run: small faults are put into a copy of `harness/metrics`; its tests must notice.

Run `python tests/mutation/run.py [--least 0.9] [--keep DIR] [PATTERN ...]` with an interpreter that
has mutmut 3 and what the tests import (see the README beside this file). The checkout is copied to
a temporary folder first and never changed. Prints killed and surviving mutants module by module;
status 1 if the share of killed ones is below `--least`. A PATTERN (`harness.metrics.f1*`) picks
mutants by name.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
TESTS = "test_metrics*.py"

CONFTEST = """\
from hypothesis import settings

# The same examples for each mutant, and none remembered from the one before.
settings.register_profile("mutation", derandomize=True, database=None, deadline=None)
settings.load_profile("mutation")
"""

KILLED = {"killed", "timeout", "segfault", "suspicious", "caught by type check"}
"""What mutmut calls a mutant that was noticed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--least", type=float, default=0.9)
    parser.add_argument("--keep", type=Path, help="work in this new folder and leave it")
    parser.add_argument("patterns", nargs="*")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = options.keep or Path(folder) / "copy"
        copy(place)
        command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(os.cpu_count())]
        subprocess.run(
            [*command, *options.patterns], cwd=place, env=environment(), check=False, stdout=2
        )
        share = show(dict(results(place)))
    sys.exit(share < options.least)


def copy(place: Path) -> None:
    """The harness and the tests of its metrics, as mutmut wants them."""
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PROJECT / "harness", place / "harness", ignore=skip)
    (place / "tests").mkdir()
    for test in sorted((PROJECT / "tests" / "unit" / "harness").glob(TESTS)):
        shutil.copy(test, place / "tests")
    (place / "tests" / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    shutil.copy(HERE / "mutmut.toml", place / "pyproject.toml")


def environment() -> dict[str, str]:
    # Workers are forked: threads of the linear algebra would not survive it.
    return {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def results(place: Path) -> Iterator[tuple[str, str]]:
    """The name and the fate of each mutant."""
    listed = subprocess.run(
        [sys.executable, "-m", "mutmut", "results", "--all", "true"],
        cwd=place,
        env=environment(),
        check=True,
        capture_output=True,
        text=True,
    )
    for line in listed.stdout.splitlines():
        name, _, fate = line.strip().rpartition(": ")
        if name and fate != "not checked":
            yield name, fate


def show(fates: dict[str, str]) -> float:
    """Print what survived and the share of killed mutants, by module and in all."""
    modules: dict[str, Counter[bool]] = defaultdict(Counter)
    for name, fate in fates.items():
        modules[name.rpartition(".")[0]][fate in KILLED] += 1
        if fate not in KILLED:
            print(f"{fate}: {name}")
    for module, counts in sorted(modules.items()):
        print(f"{module}: {counts[True]} of {counts.total()} killed")
    killed = sum(fate in KILLED for fate in fates.values())
    share = killed / len(fates) if fates else 0.0
    print(f"in all: {killed} of {len(fates)} killed = {share:.1%}")
    return share


if __name__ == "__main__":
    main()
