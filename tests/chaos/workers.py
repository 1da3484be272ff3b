"""Faults of workers: killed at random instants, told the same thing three times at once."""

import random
import time
from concurrent.futures import ThreadPoolExecutor

from chaos.ground import Ground
from chaos.scene import Outcome, scene

from leaderboard.states import State

KILLS = 30
WORKERS = 3
AT_WORK = 8
"""Submissions that are under way all the time, so that every instant is one of a run."""

SEED = 20261121
TIMES = 3


def killed(ground: Ground) -> Outcome:
    """A worker is killed with SIGKILL at 30 random instants, in both sandboxes."""
    database, broker = ground.server("postgres").database(), ground.server("redis").url
    draw = random.Random(SEED)
    with scene(ground.base, "docker", "bubblewrap", database=database, broker=broker) as at:
        at.stage.start("beat")
        workers = [at.stage.start("worker") for _ in range(WORKERS)]
        for _ in range(KILLS):
            at.submit(max(0, AT_WORK - at.open()))
            time.sleep(draw.uniform(0.1, 1.9))
            victim = draw.choice(at.working(workers))
            workers.remove(victim)
            at.stage.kill(victim)
            workers.append(at.stage.start("worker"))
        done = at.outcome(notes=[f"{KILLS} kills, seed {SEED}"])
        lost = at.codes()["worker_lost"]
        assert lost >= KILLS, f"only {lost} attempts were lost"
        assert done.ended["scored"], f"nobody was scored: {done}\n{at.stage.logs()}"
        return done


def told_three_times(ground: Ground) -> Outcome:
    """Every message is sent three times at the same moment, to three workers."""
    with scene(ground.base, "bubblewrap", broker=ground.server("redis").url) as at:
        for _ in range(WORKERS):
            at.stage.start("worker", "--concurrency", "2")
        attempts = at.submit(6, pause=0.05)
        with at.telling(), ThreadPoolExecutor(TIMES) as crowd:
            while at.open():
                list(crowd.map(at.tell, [attempts] * TIMES))
        done = at.outcome(notes=[f"{TIMES} times {len(attempts)} messages, again and again"])
        assert done.ended["scored"] == len(attempts), f"{done}\n{at.stage.logs()}"
        for state in (State.FETCHING, State.RUNNING):
            assert at.visits(state) == len(attempts), f"{state}: {at.visits(state)} leases"
        return done
