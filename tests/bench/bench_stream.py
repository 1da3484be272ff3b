"""Reading a file that is larger than memory: speed and peak memory of `harness.data.stream`.

Run `python tests/bench/bench_stream.py [--gigabytes N] [--format txt|jsonl] [--no-candidates]`.
A file of generated talks is written to a temporary folder and removed afterwards. A process of its
own reads it whole, once line by line without looking and once through `stream`; its peak resident
memory counts. Status 1 if that is above the bar.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from multiprocessing import get_context
from pathlib import Path

from harness.data import fbdialog, jsonl, sample, stream
from harness.dialogue import Dialogue, Example

LIMIT_MEGABYTES = 300.0
MARK = b"@@@@@@@@@@"
"""Stands for the number of the repetition in an id, so that no id occurs twice."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=5.0)
    parser.add_argument("--format", choices=("txt", "jsonl"), default="txt")
    parser.add_argument("--no-candidates", action="store_true")
    parser.add_argument("--folder", type=Path, help="Where to put the file; default: /tmp.")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        print(json.dumps(measured(options.read)))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder) / f"talks.{options.format}"
        written = get_context("spawn").Process(  # apart: a child inherits its parent's peak
            target=write, args=(path, int(options.gigabytes * 1e9), not options.no_candidates)
        )
        written.start()
        written.join()
        command = [sys.executable, __file__, "--read", str(path)]
        ended = subprocess.run(command, capture_output=True, text=True, check=True)
    sys.exit(report(json.loads(ended.stdout), name=options.format))


def report(found: dict[str, float], *, name: str) -> bool:
    """Print the figures; whether the bar is missed."""
    megabytes = found["bytes"] / 1e6
    print(
        f"{name}: {megabytes / 1e3:.2f} GB, {found['dialogues']:,} dialogues, "
        f"{found['examples']:,} examples in {found['seconds']:.0f} s "
        f"({megabytes / found['seconds']:.0f} MB/s; of the processor's time "
        f"{megabytes / found['cpu']:.0f} MB/s); plain lines {found['plain_seconds']:.1f} s "
        f"({megabytes / found['plain_cpu']:.0f} MB/s of the processor's time), "
        f"ratio {found['cpu'] / found['plain_cpu']:.1f}; peak memory "
        f"{found['peak_megabytes']:.1f} MB ({found['start_megabytes']:.1f} MB before), "
        f"limit {LIMIT_MEGABYTES:.0f} MB"
    )
    return found["peak_megabytes"] > LIMIT_MEGABYTES


def measured(path: Path) -> dict[str, float]:
    """What it costs this process to read the file; run in one that did nothing before."""
    start = peak_megabytes()
    plain_seconds, plain_cpu, _ = timed(lambda: lines(path))
    seconds, cpu, (dialogues, examples) = timed(lambda: read(path))
    return {
        "bytes": path.stat().st_size,
        "dialogues": dialogues,
        "examples": examples,
        "plain_seconds": plain_seconds,
        "plain_cpu": plain_cpu,
        "seconds": seconds,
        "cpu": cpu,
        "start_megabytes": start,
        "peak_megabytes": peak_megabytes(),
    }


def timed(work: Callable[[], tuple[int, int]]) -> tuple[float, float, tuple[int, int]]:
    """Seconds of the clock and of the processor, and what the work gave."""
    clock, cpu = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - clock, time.process_time() - cpu, result


def lines(path: Path) -> tuple[int, int]:
    """The baseline: every line, unlooked at."""
    with path.open("rb") as file:
        return sum(1 for _ in file), 0


def read(path: Path) -> tuple[int, int]:
    dialogues = examples = 0
    for dialogue in stream(path):
        dialogues += 1
        examples += len(dialogue.examples)
    return dialogues, examples


def peak_megabytes() -> float:
    """The largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def write(path: Path, size: int, candidates: bool) -> None:
    """At least `size` bytes: the same talks again and again, under new ids."""
    talks = [
        replace(talk, id=f"{MARK.decode()}-{talk.id}", examples=kept(talk, candidates))
        for talk in sample.make(0).train
    ]
    folder = path.parent / "block"
    (fbdialog if path.suffix == ".txt" else jsonl).write(folder, talks)
    block = folder.read_bytes()
    with path.open("wb") as file:
        for number in count():
            if file.tell() >= size:
                break
            file.write(block.replace(MARK, b"%010d" % number))


def kept(talk: Dialogue, candidates: bool) -> tuple[Example, ...]:
    if candidates:
        return talk.examples
    return tuple(replace(example, candidates=()) for example in talk.examples)


if __name__ == "__main__":
    main()
