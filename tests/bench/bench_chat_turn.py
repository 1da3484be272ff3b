"""What a turn of a live chat costs beyond the agent's own compute, with ten chats at once.

Run `python tests/bench/bench_chat_turn.py [--sandbox docker|bubblewrap] [--turns N] [--think S]`.
Site, worker and beat are the real processes on the embedded default; the raters' browsers are a
process of their own. A turn lasts from the sending of the rater's message until the reply has
reached the page; what the agent measured of itself is taken off. Beside it, in the same run: the
same ten loading their first page, and the bare round trip to one cell. Status 1 if the median is
above the limit.
"""

import argparse
import os
import re
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path

from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integration"))
from chat_clients import Timed, loaded, talked
from people import Hall
from stage import PERIODS, good

from harness.dialogue import Context, Turn
from leaderboard.human import invitations
from worker.images import stored_runtime
from worker.place import Place
from worker.sandbox import Job, Limits
from worker.sandbox.choose import open_sandbox, pick
from worker.settings import from_environment

RATERS = 10
LIMIT_SECONDS = 0.150
TRIPS = 300

AGENT = """\
import time

class Agent:
    def respond(self, contexts):
        begin = time.perf_counter()
        replies = [f"number {len(context.turns)} is my favourite ." for context in contexts]
        return [f"{time.perf_counter() - begin:.9f} {reply}" for reply in replies]
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sandbox", choices=["docker", "bubblewrap"], default=None)
    parser.add_argument("--turns", type=int, default=15, help="of each rater, at most 20")
    parser.add_argument("--think", type=float, default=1.0, help="mean seconds before a turn")
    options = parser.parse_args()
    sandbox = options.sandbox or pick()
    with tempfile.TemporaryDirectory(prefix="rostrum-bench-") as folder:
        hall = Hall.build(Path(folder) / "stage", sandbox, agent=AGENT)
        for name in PERIODS:
            del hall.stage.variables[name]
        try:
            overheads = measured(hall, turns=options.turns, think=options.think)
        finally:
            hall.stage.close()
    print(f"two cores ({os.cpu_count()} here), {sandbox}, {RATERS} chats at once")
    sys.exit(statistics.median(overheads) > LIMIT_SECONDS)


def measured(hall: Hall, *, turns: int, think: float) -> list[float]:
    """Run everything and say what it took; the overhead of each turn in seconds."""
    port = site_of(hall)
    hall.stage.start("worker", "--chats", str(RATERS))
    hall.stage.start("beat")
    tokens = invited(hall)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as clients:
        pages = clients.submit(loaded, port, tokens, times=turns, think=think).result()
        timed = clients.submit(talked, port, tokens, turns=turns, think=think).result()
    trip = statistics.median(round_trips(hall))
    overheads = [each.received - each.sent - float(each.reply.split()[0]) for each in timed]
    page, turn = statistics.median(pages), statistics.median(overheads)
    say("a turn beyond the agent's compute", overheads)
    say("  of it until the message is stored", [part[0] for part in parts(hall, timed)])
    say("  then until the reply is stored", [part[1] for part in parts(hall, timed)])
    say("  then until the page has it", [part[2] for part in parts(hall, timed)])
    say("the answer to the sending alone", [each.posting for each in timed])
    say("loading the first page", pages)
    print(
        f"bare round trip to one cell: median {trip * 1e3:.2f} ms of {TRIPS}; a turn is "
        f"{turn / trip:.0f} x that and {turn / page:.1f} x a page; "
        f"limit {LIMIT_SECONDS * 1e3:.0f} ms"
    )
    return overheads


def say(what: str, seconds: list[float]) -> None:
    """One line of figures."""
    tenth = statistics.quantiles(seconds, n=10)[-1]
    print(
        f"{what}: median {statistics.median(seconds) * 1e3:.0f} ms, p90 {tenth * 1e3:.0f} ms, "
        f"max {max(seconds) * 1e3:.0f} ms, n {len(seconds)}",
        flush=True,
    )


def site_of(hall: Hall) -> int:
    """Start the site; the port it listens on."""
    hall.stage.start("serve", "--port", "0")
    deadline = time.monotonic() + 30
    while not (found := re.search(r"http://127\.0\.0\.1:(\d+)/", hall.stage.logs())):
        assert time.monotonic() < deadline, hall.stage.logs()
        time.sleep(0.1)
    return int(found[1])


def invited(hall: Hall) -> list[str]:
    """The tokens of ten raters."""
    names = [f"rater {number}" for number in range(RATERS)]
    made = invitations.invite(hall.stage.db, "life", names=names, share=None, days=1, key=hall.key)
    return [each.token for each in made]


def parts(hall: Hall, timed: list[Timed]) -> list[tuple[float, float, float]]:
    """Each turn in three: until its message was stored, until its reply was, until it was seen."""
    with hall.stage.db.read() as session:
        rows = session.execute(text("SELECT conversation_id, number, at FROM turns")).all()
    stored = {(row[0], row[1]): datetime.fromisoformat(f"{row[2]}+00:00") for row in rows}
    found = []
    for each in timed:
        asked = stored[each.conversation, each.number].timestamp()
        answered = stored[each.conversation, each.number + 1].timestamp()
        found.append((asked - each.sent, answered - asked, each.received - answered))
    return found


def round_trips(hall: Hall) -> list[float]:
    """Seconds of single calls of `respond`, with nobody but the cell at work."""
    place = Place.open(from_environment().sandbox_directory)
    runtime = stored_runtime(hall.stage.sandbox, hall.image(), place=place)
    code = hall.stage.base / "cell"
    code.mkdir()
    for name, content in good("f1", agent=AGENT).items():
        (code / name).write_text(content, "utf-8")
    job = Job(
        name=f"rostrum-bench-{os.getpid()}",
        fence=1,
        code=code,
        track_file="eval_f1.py",
        limits=Limits(),
    )
    with open_sandbox(hall.stage.sandbox, runtime=runtime).start(job) as cell:
        cell.agent.load("f1", load_seconds=60, batch_seconds=60, bank_seconds=0, total_seconds=600)
        seconds = []
        for number in range(TRIPS):
            context = Context(str(number), turns=(Turn("partner", "hello !"),))
            begin = time.perf_counter()
            cell.agent.respond([context])
            seconds.append(time.perf_counter() - begin)
    return seconds


if __name__ == "__main__":
    main()
