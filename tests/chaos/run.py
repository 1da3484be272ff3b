"""`make chaos`: every fault on the real parts, one line each, with the invariants that held.

    python tests/chaos/run.py [NAME ...]

Needs root, bubblewrap, a container engine, PostgreSQL, Redis, RabbitMQ and libfaketime; starts and
ends servers of its own. Exit code 1 if an invariant is broken or something is left.
"""

import sys
import tempfile
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "integration")]

from chaos.faults import BY_NAME, FAULTS, Fault  # noqa: E402  # the paths come first
from chaos.ground import Ground, Park, park  # noqa: E402

ROW = "{:<23}{:<8}{:<50}{:<44}{:>6}"


def main(names: list[str]) -> int:
    """Strike each fault that is named, or all; the exit code."""
    if unknown := [name for name in names if name not in BY_NAME]:
        print(f"unknown: {', '.join(unknown)}; known: {', '.join(BY_NAME)}")
        return 2
    chosen = [BY_NAME[name] for name in names] or FAULTS
    print(ROW.format("fault", "result", "how the submissions ended", "what held", "s"))
    with park() as servers:
        failed = [fault.name for fault in chosen if not _strike(fault, servers)]
    print(f"\n{len(chosen) - len(failed)} of {len(chosen)} faults outlived")
    return 1 if failed else 0


def _strike(fault: Fault, servers: Park) -> bool:
    with tempfile.TemporaryDirectory(prefix="rostrum-chaos-") as folder:
        begun = time.monotonic()
        try:
            outcome = fault.strike(Ground(Path(folder) / "scene", servers))
        except Exception:  # an expectation of the fault itself, or a part that is not there
            print(ROW.format(fault.name, "FAILED", "", "", f"{time.monotonic() - begun:.0f}"))
            traceback.print_exc()
            return False
    ended = ", ".join(f"{count} {how}" for how, count in outcome.ended.most_common())
    word = "ok" if outcome.good else "BROKEN"
    seconds = f"{time.monotonic() - begun:.0f}"
    print(ROW.format(fault.name, word, ended, outcome.invariants, seconds), flush=True)
    for line in (*outcome.broken, *outcome.left):
        print(f"    {line}")
    return outcome.good


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
