"""What a fault is given: a folder of its own, and servers that it may hurt."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import services
from chaos.clock import SteppedPostgres
from chaos.engine import Engine

SERVERS: dict[str, Callable[[], services.Server]] = {
    "postgres": services.Postgres,
    "redis": services.Redis,
    "rabbitmq": services.RabbitMQ,
    "engine": Engine,
    "stepped": SteppedPostgres,
}


@dataclass
class Ground:
    """`base` does not exist yet; `server` starts the server of a name once and returns it."""

    base: Path
    server: Callable[[str], Any]  # Any: the class that belongs to the name


@dataclass
class Park:
    """Servers by name, each started when it is first asked for; closed together."""

    held: ExitStack
    running: dict[str, services.Server] = field(default_factory=dict)

    def __call__(self, name: str) -> services.Server:
        if name not in self.running:
            server = SERVERS[name]()
            self.held.callback(server.close)
            server.start()
            self.running[name] = server
        return self.running[name]


@contextmanager
def park() -> Iterator[Park]:
    """A park of servers that are ended at the end."""
    with ExitStack() as held:
        yield Park(held)
