"""Every fault that the competition must outlive, as a table."""

from collections.abc import Callable
from dataclasses import dataclass

from chaos import machine, servers, workers
from chaos.ground import Ground
from chaos.scene import Outcome


@dataclass(frozen=True)
class Fault:
    """A fault: its name, what happens, and the parts of a machine that it needs (test markers)."""

    name: str
    what: str
    needs: tuple[str, ...]
    strike: Callable[[Ground], Outcome]


FAULTS = (
    Fault(
        "worker-killed",
        "a worker killed with SIGKILL at 30 random instants of a run",
        ("postgres", "redis", "docker", "bubblewrap"),
        workers.killed,
    ),
    Fault(
        "told-three-times",
        "every task delivered three times at once, to three workers",
        ("redis", "bubblewrap"),
        workers.told_three_times,
    ),
    Fault(
        "redis-lost",
        "Redis emptied, restarted, emptied while all was quiet",
        ("redis", "bubblewrap"),
        servers.redis_lost,
    ),
    Fault(
        "rabbitmq-lost",
        "RabbitMQ emptied, restarted with nothing in it, emptied while all was quiet",
        ("rabbitmq", "bubblewrap"),
        servers.rabbitmq_lost,
    ),
    Fault(
        "embedded-broker-lost",
        "the embedded broker's file removed, twice at work, once while all was quiet",
        ("bubblewrap",),
        servers.embedded_broker_lost,
    ),
    Fault(
        "database-restarted",
        "PostgreSQL killed and started again, stopped and started again",
        ("postgres", "redis", "bubblewrap"),
        servers.database_restarted,
    ),
    Fault(
        "engine-restarted",
        "the container engine killed and started again, stopped and started again",
        ("docker",),
        servers.engine_restarted,
    ),
    Fault(
        "disk-full",
        "the disk under database, broker and sandbox folder full, twice",
        ("bubblewrap",),
        machine.disk_full,
    ),
    Fault(
        "database-clock-stepped",
        "the database's clock set an hour forward, then back",
        ("postgres", "bubblewrap"),
        machine.database_clock_stepped,
    ),
    Fault(
        "machine-clock-stepped",
        "the clock of a machine with everything on it set an hour forward, then back",
        ("bubblewrap",),
        machine.machine_clock_stepped,
    ),
    Fault(
        "two-beats",
        "two beats at once, twenty times faster than one, while workers are killed",
        ("postgres", "redis", "bubblewrap"),
        machine.two_beats,
    ),
)

BY_NAME = {fault.name: fault for fault in FAULTS}
