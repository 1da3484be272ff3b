"""What it costs to begin: `rostrum --help`, and `import harness` (neither numpy nor torch).

Run `python tests/bench/bench_startup.py [--runs N]`. Beside each stands the start of a bare
interpreter in the same run. Status 1 if a median is above its limit.
"""

import argparse
import statistics
import subprocess
import sys
import time

LIMITS = {"rostrum --help": 0.25, "import harness": 0.15}
COMMANDS = {
    "bare interpreter": [sys.executable, "-c", "pass"],
    "import harness": [
        sys.executable,
        "-c",
        "import sys, harness; assert not {'numpy', 'torch', 'click', 'rich'} & set(sys.modules)",
    ],
    "rostrum --help": [
        sys.executable,
        "-c",
        "import sys; sys.argv = ['rostrum', '--help']; from harness.cli.main import main; main()",
    ],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    bare, missed = 0.0, False
    for name, command in COMMANDS.items():
        seconds = statistics.median(_timed(command) for _ in range(runs))
        bare = bare or seconds
        limit = LIMITS.get(name)
        bar = f"; limit {limit:.2f} s" if limit else ""
        print(f"{name}: median {seconds:.3f} s of {runs}, {seconds / bare:.1f} x bare{bar}")
        missed |= limit is not None and seconds > limit
    sys.exit(missed)


def _timed(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
