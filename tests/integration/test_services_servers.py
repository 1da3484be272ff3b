"""The servers that other tests stand on: what they promise about ends and beginnings."""

import pytest
from services import Postgres, RabbitMQ, Redis
from sqlalchemy import create_engine, text


def _answer(url: str, statement: str) -> object:
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            result = connection.execute(text(statement))
            return result.scalar() if result.returns_rows else None
    finally:
        engine.dispose()


@pytest.mark.postgres
def test_what_was_committed_outlives_a_kill_and_databases_are_apart(postgres: Postgres) -> None:
    first, second = postgres.database(), postgres.database()
    _answer(first, "CREATE TABLE kept AS SELECT 7 AS n")
    postgres.restart()
    assert _answer(first, "SELECT n FROM kept") == 7
    assert _answer(postgres.database(like=first), "SELECT n FROM kept") == 7
    assert _answer(second, "SELECT to_regclass('kept')") is None


@pytest.mark.redis
def test_redis_is_empty_after_a_kill(redis: Redis) -> None:
    with redis.client() as client:
        client.lpush("queue", "hint")
    redis.restart()
    with redis.client() as client:
        assert client.exists("queue") == 0


@pytest.mark.rabbitmq
def test_rabbitmq_forgets_what_it_is_told_to(rabbitmq: RabbitMQ) -> None:
    from kombu import Connection

    with Connection(rabbitmq.url, transport_options={"confirm_publish": True}) as connection:
        queue = connection.SimpleQueue("kept")
        queue.put({"n": 1})
        queue.close()
    rabbitmq.restart()
    with Connection(rabbitmq.url) as connection:
        queue = connection.SimpleQueue("kept")
        assert queue.qsize() == 1
        queue.close()
    rabbitmq.empty()
    with Connection(rabbitmq.url) as connection:
        queue = connection.SimpleQueue("kept")
        assert queue.qsize() == 0
        queue.close()
