"""Faults of what the workers stand on: the broker, the database, the container engine."""

import time
from collections.abc import Callable

from chaos.engine import Engine
from chaos.ground import Ground
from chaos.scene import Outcome, Scene, scene

from worker.images import prepare

AWAY_SECONDS = 1.0
AT_ONCE = 4


def redis_lost(ground: Ground) -> Outcome:
    """Redis is emptied, then restarted, while submissions wait and run."""
    broker = ground.server("redis")
    return _broker_lost(ground, broker.url, empty=broker.empty, restart=broker.restart)


def rabbitmq_lost(ground: Ground) -> Outcome:
    """RabbitMQ is emptied, then restarted with nothing in it."""
    broker = ground.server("rabbitmq")

    def restart() -> None:
        broker.kill()
        broker.forget()
        broker.start()

    return _broker_lost(ground, broker.url, empty=broker.empty, restart=restart)


def embedded_broker_lost(ground: Ground) -> Outcome:
    """The embedded broker's file is removed, twice, while submissions wait and run."""

    def remove() -> None:
        for path in (ground.base / "home").glob("broker.db*"):
            path.unlink()

    return _broker_lost(ground, None, empty=remove, restart=remove)


def database_restarted(ground: Ground) -> Outcome:
    """PostgreSQL is killed and started again, then ended in order and started again."""
    server = ground.server("postgres")
    database, broker = server.database(), ground.server("redis").url
    with scene(ground.base, "bubblewrap", database=database, broker=broker) as at:
        _begin(at)
        for end in (server.kill, server.stop):
            _at_work(at)
            end()
            time.sleep(AWAY_SECONDS)
            server.start()
        return _all_scored(at, at.outcome())


def engine_restarted(ground: Ground) -> Outcome:
    """The container engine is killed and started again, then ended in order and started again."""
    engine: Engine = ground.server("engine")
    tag = prepare("docker", lambda _line: None).tag
    assert tag is not None
    engine.carry(tag)
    with scene(ground.base, "docker", DOCKER_HOST=engine.url) as at:
        _begin(at)
        for end in (engine.kill, engine.stop):
            at.wait(lambda: "container" in str(at.left()), what="a container at work")
            end()
            time.sleep(AWAY_SECONDS)
            engine.start()
        return _all_scored(at, at.outcome())


def _broker_lost(
    ground: Ground,
    broker: str | None,
    *,
    empty: Callable[[], None],
    restart: Callable[[], None],
) -> Outcome:
    with scene(ground.base, "bubblewrap", broker=broker) as at:
        _begin(at)
        for fault in (empty, restart):
            _at_work(at)
            fault()
            at.hint(at.submit(2))
        at.wait(lambda: not at.open(), what="at rest")
        empty()
        at.hint(at.submit(2))
        return _all_scored(at, at.outcome())


def _begin(at: Scene) -> None:
    at.stage.start("beat")
    for _ in range(2):
        at.stage.start("worker")
    at.hint(at.submit(AT_ONCE))


def _at_work(at: Scene) -> None:
    """Wait until something runs and something waits."""
    at.wait(lambda: len(at.held()) > 1, what="two at work")


def _all_scored(at: Scene, done: Outcome) -> Outcome:
    assert done.ended == {"scored": len(at.attempts)}, f"{done}\n{at.stage.logs()}"
    return done
