"""The life of attempts over PostgreSQL with Redis or RabbitMQ, and with more than one worker.

The same code, the same processes; only the two URLs are others.
"""

import time
from collections.abc import Callable, Sequence

import pytest
from services import RabbitMQ, Redis, Server
from stage import Stage, good

from leaderboard import fleet, hints, invariants, ledger
from leaderboard.states import Queue, State

SLOW = """\
import time

class Agent:
    def respond(self, contexts):
        time.sleep(0.4)
        return ["hello" for _ in contexts]
"""

SCORES = """
    def score_candidates(self, contexts, candidates):
        return [[float(len(text)) for text in row] for row in candidates]
"""

BROKERS = [
    pytest.param("redis", marks=pytest.mark.redis),
    pytest.param("rabbitmq", marks=pytest.mark.rabbitmq),
]

pytestmark = pytest.mark.postgres


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest) -> Redis | RabbitMQ:
    """Each of the two brokers, empty."""
    server: Redis | RabbitMQ = request.getfixturevalue(request.param)
    server.empty()
    return server


def ended(stage: Stage, attempts: Sequence[int]) -> list[State]:
    """How all of these end."""
    return [stage.wait(one, State.SCORED, State.FAILED, State.CANCELLED) for one in attempts]


def takers(stage: Stage, attempts: Sequence[int]) -> set[str]:
    """The workers that have held one of these."""
    moments = [moment for one in attempts for moment in ledger.timeline(stage.db, one)]
    return {moment.worker for moment in moments if moment.worker}


def drained(broker: Server, queue: str) -> None:
    """Wait until the workers have taken every message of the queue."""
    from kombu import Connection

    def is_empty() -> bool:
        if isinstance(broker, Redis):  # which knows no queue that is empty
            with broker.client() as client:
                return client.llen(queue) == 0
        with Connection(broker.url) as connection:
            return connection.default_channel.queue_declare(queue, passive=True).message_count == 0

    wait_until(is_empty)


def wait_until(holds: Callable[[], bool], *, seconds: float = 30) -> None:
    """Wait for a condition; fail when it takes too long."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it does not come true"
        time.sleep(0.1)


@pytest.mark.bubblewrap
def test_two_workers_share_what_waits_and_score_each_once(
    grown: Callable[..., Stage], broker: Server
) -> None:
    stage = grown("bubblewrap", broker=broker.url)
    stage.start("worker", "--name", "one")
    stage.start("worker", "--name", "two")
    stage.start("beat")
    teams = [stage.team(f"team-{n}", good("hits", "f1", agent=SLOW + SCORES)) for n in range(4)]
    attempts = [stage.submit(team) for team in teams]
    assert ended(stage, attempts) == [State.SCORED] * 4
    assert takers(stage, attempts) == {"one", "two"}
    assert [stage.quota(one) for one in attempts] == [["reserve", "charge"]] * 4
    assert invariants.broken(stage.db) == []
    assert {one.name for one in fleet.listing(stage.db)} == {"one", "two"}


@pytest.mark.bubblewrap
@pytest.mark.filterwarnings("ignore:The ``noload``")  # of kombu's tables, under SQLAlchemy 2.1
def test_a_broker_that_is_away_costs_no_attempt(
    grown: Callable[..., Stage], broker: Redis | RabbitMQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = grown("bubblewrap", broker=broker.url)
    worker, beat = stage.start("worker"), stage.start("beat")
    first = stage.submit(stage.team("first", good("f1", agent=SLOW)))
    stage.wait(first, State.PREFLIGHT, State.QUEUED, State.RUNNING)
    broker.kill()
    second = stage.submit(stage.team("second", good("f1", agent=SLOW)))
    assert ended(stage, [first, second]) == [State.SCORED] * 2  # idle slots ask by themselves
    assert [stage.shown(one)["losses"] for one in (first, second)] == [0, 0]
    assert invariants.broken(stage.db) == []
    if isinstance(broker, RabbitMQ):
        broker.forget()
    broker.start()
    monkeypatch.setenv("ROSTRUM_BROKER_URL", broker.url)
    assert hints.send(Queue.PREFLIGHT, second)
    drained(broker, hints.channel(Queue.PREFLIGHT))
    assert (worker.poll(), beat.poll()) == (None, None)


@pytest.mark.bubblewrap
@pytest.mark.redis
def test_no_hint_waits_for_its_acknowledgement_while_all_slots_are_busy(
    grown: Callable[..., Stage], redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the broker would give it to another worker, or take this one for dead, in the end."""
    redis.empty()
    stage = grown("bubblewrap", broker=redis.url)
    monkeypatch.setenv("ROSTRUM_BROKER_URL", redis.url)
    stage.start("worker", "--queues", "preflight,evaluate")
    longer = SLOW.replace("0.4", "1.5")
    busy = [stage.submit(stage.team(name, good("f1", agent=longer))) for name in ("one", "two")]
    stage.wait(busy[0], State.RUNNING)
    for number in busy * 5:
        assert hints.send(Queue.PREFLIGHT, number)
        assert hints.send(Queue.EVALUATE, number)
    for queue in (Queue.PREFLIGHT, Queue.EVALUATE):
        drained(redis, hints.channel(queue))
    with redis.client() as client:
        wait_until(lambda: client.hlen("unacked") == 0)
    assert stage.state(busy[0]) is State.RUNNING
    assert ended(stage, busy) == [State.SCORED] * 2


@pytest.mark.docker
@pytest.mark.redis
def test_in_containers_over_servers_all_is_the_same(
    grown: Callable[..., Stage], redis: Redis
) -> None:
    redis.empty()
    stage = grown("docker", broker=redis.url)
    stage.start("worker")
    stage.start("beat")
    attempt = stage.submit(stage.team("good", good("hits", "f1")))
    assert ended(stage, [attempt]) == [State.SCORED]
    assert set(stage.shown(attempt)["scores"]) == {"hits", "f1"}
    assert invariants.broken(stage.db) == []
