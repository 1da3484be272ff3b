"""Real servers for tests: PostgreSQL, Redis, RabbitMQ; each has its own folder and its own port.

They listen on 127.0.0.1 alone, run as their Debian package's user (as us, where we are not root),
want a password, leave nothing behind, and keep their port over a restart. What PostgreSQL has
committed survives a `kill`; Redis keeps nothing on disk, RabbitMQ what was sent to be kept.
"""

import atexit
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:  # a machine without a server may be without its driver
    import psycopg
    import redis

START_SECONDS = 90
END_SECONDS = 30


class Server(ABC):
    """One server process; `url` is what a client of it is given. Close it, or leave a `with`."""

    account: str
    """The user of the operating system that it runs as, where we are root."""

    polite = signal.SIGTERM
    """What it ends upon, orderly and soon."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"rostrum-{type(self).__name__.lower()}-"))
        self.port = free_port()
        self.password = secrets.token_hex(8)
        self._process: subprocess.Popen[bytes] | None = None
        if self._owner is not None:
            os.chown(self.folder, self._owner.pw_uid, self._owner.pw_gid)
        atexit.register(self.close)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start it and wait until it answers; nothing if it runs."""
        deadline = time.monotonic() + START_SECONDS
        while not (self.alive and self._answers()):
            if not self.alive:  # also one that ended at once: what was killed may still be going
                self._launch()
            if time.monotonic() > deadline:
                raise AssertionError(f"{type(self).__name__} does not start: {self.said()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it orderly."""
        self._end(self.polite)

    def kill(self) -> None:
        """End it at once, as a machine that loses power would."""
        self._end(signal.SIGKILL)

    def restart(self, *, seconds: float = 0.0) -> None:
        """Kill it, leave it down for `seconds`, start it again at the same port."""
        self.kill()
        time.sleep(seconds)
        self.start()

    def close(self) -> None:
        """End it and remove its files; it cannot be started again."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.close)

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The id of its main process, which leads a group."""
        assert self._process is not None
        return self._process.pid

    def said(self) -> str:
        """The end of its log."""
        log = self.folder / "log"
        return log.read_text("utf-8", "replace")[-3000:] if log.exists() else "(nothing)"

    @property
    @abstractmethod
    def url(self) -> str:
        """What a client is given."""

    @abstractmethod
    def _command(self) -> list[str]:
        """The server's program and arguments; what it needs on disk is made here."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether a client is served."""

    def _variables(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8"}

    def _launch(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = self._popen(self._command(), log.fileno())

    def _popen(self, command: list[str], output: int) -> "subprocess.Popen[bytes]":
        owner = self._owner
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self._variables(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=owner.pw_uid if owner else None,
            group=owner.pw_gid if owner else None,
            extra_groups=[] if owner else None,
        )

    def _run(self, *command: str) -> None:
        """Run a command that must succeed, as the server's user."""
        made = self._popen(list(command), subprocess.PIPE)
        said, _ = made.communicate(timeout=START_SECONDS)
        assert made.returncode == 0, said.decode("utf-8", "replace")

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        try:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, how)
            self._process.wait(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=END_SECONDS)
        self._process = None

    @property
    def _owner(self) -> pwd.struct_passwd | None:
        if os.geteuid() != 0:
            return None
        try:
            return pwd.getpwnam(self.account)
        except KeyError:
            return pwd.getpwnam("nobody")


class Postgres(Server):
    """PostgreSQL with a superuser `rostrum`; `url` is SQLAlchemy's, of an empty database."""

    account = "postgres"
    polite = signal.SIGINT  # SIGTERM would wait for its clients to go

    def __init__(self) -> None:
        super().__init__()
        self._numbers = count(1)

    @property
    def url(self) -> str:
        """The database `postgres`, which tests leave empty."""
        return self.url_of("postgres")

    def url_of(self, database: str, *, user: str = "rostrum", password: str | None = None) -> str:
        """SQLAlchemy's URL of a database by name."""
        chosen = self.password if password is None else password
        return f"postgresql+psycopg://{user}:{chosen}@127.0.0.1:{self.port}/{database}"

    def database(self, *, like: str | None = None) -> str:
        """The URL of a fresh database: empty, or a copy of the one at the URL `like`.

        A copy can be made only while nobody is connected to the other.
        """
        name = f"rostrum_{next(self._numbers)}"
        template = like.rpartition("/")[2] if like else "template0"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url_of(name)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is connected to it."""
        self.execute(f'DROP DATABASE "{url.rpartition("/")[2]}" WITH (FORCE)')

    def execute(self, statement: str, *, database: str = "postgres") -> None:
        """Run one statement as the superuser, in no transaction."""
        with self._connected(database) as connection:
            connection.execute(statement.encode())

    def _connected(self, database: str) -> "psycopg.Connection[tuple[object, ...]]":
        import psycopg

        url = self.url_of(database).replace("+psycopg", "")
        return psycopg.connect(url, autocommit=True, connect_timeout=5)

    def _command(self) -> list[str]:
        data = self.folder / "data"
        if not data.exists():
            self._make(data)
        settings = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "64MB",
            "fsync": "off",  # a killed server loses nothing by it, only a machine would
            "full_page_writes": "off",
            "log_min_messages": "fatal",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(postgres_programs() / "postgres"), "-D", str(data), *options]

    def _make(self, data: Path) -> None:
        secret = self.folder / "password"
        secret.write_text(self.password, "utf-8")
        if self._owner is not None:
            os.chown(secret, self._owner.pw_uid, self._owner.pw_gid)
        secret.chmod(0o600)
        self._run(
            str(postgres_programs() / "initdb"),
            *("--pgdata", str(data), "--username", "rostrum", "--auth", "scram-sha-256"),
            *("--pwfile", str(secret), "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"),
        )

    def _answers(self) -> bool:
        import psycopg

        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


class Redis(Server):
    """Redis; `url` is Celery's."""

    account = "redis"

    @property
    def url(self) -> str:
        """The URL of its database 0."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def empty(self) -> None:
        """Forget all messages and queues."""
        with self.client() as client:
            client.flushall()

    def client(self) -> "redis.Redis":
        """A client of it, to be closed."""
        import redis

        return redis.Redis.from_url(self.url, socket_connect_timeout=5, socket_timeout=5)

    def _command(self) -> list[str]:
        settings = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "requirepass": self.password,
            "dir": str(self.folder),
            "save": "",
            "appendonly": "no",
        }
        options = [part for name, value in settings.items() for part in (f"--{name}", value)]
        return ["redis-server", *options]

    def _answers(self) -> bool:
        import redis

        try:
            with self.client() as client:
                return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False


class RabbitMQ(Server):
    """RabbitMQ with a port mapper of its own; `url` is Celery's."""

    account = "rabbitmq"

    def __init__(self) -> None:
        super().__init__()
        self._mapper_port = free_port()
        self._spread_port = free_port()
        self._mapper: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL of its only virtual host."""
        return f"amqp://rostrum:{self.password}@127.0.0.1:{self.port}//"

    def empty(self) -> None:
        """Forget all messages and queues; whoever listens to one is told that it has gone."""
        told = "[rabbit_amqqueue:delete(Q, false, false, <<>>) || Q <- rabbit_amqqueue:list()]."
        self._run("/usr/lib/rabbitmq/bin/rabbitmqctl", "--quiet", "eval", told)

    def forget(self) -> None:
        """While it is down: remove all that it would remember."""
        assert not self.alive
        shutil.rmtree(self.folder / "data", ignore_errors=True)

    def close(self) -> None:
        """End it and its port mapper; remove its files."""
        super().close()
        if self._mapper is not None:
            self._mapper.kill()
            self._mapper.wait(timeout=END_SECONDS)

    def _variables(self) -> dict[str, str]:
        folder = self.folder
        return super()._variables() | {
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._mapper_port),
            "RABBITMQ_NODENAME": f"rostrum{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._spread_port),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_LOG_BASE": str(folder),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "env"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
            "RUNNING_UNDER_SYSTEMD": "true",  # the script then becomes the server
        }

    def _command(self) -> list[str]:
        if self._mapper is None:
            self._mapper = self._popen(["epmd"], subprocess.DEVNULL)
        (self.folder / "env").touch()
        (self.folder / "plugins").write_text("[].\n", "utf-8")
        settings = {
            "listeners.tcp.1": f"127.0.0.1:{self.port}",
            "default_user": "rostrum",
            "default_pass": self.password,
            "log.console.level": "warning",
            "vm_memory_high_watermark.absolute": "512MB",
            "disk_free_limit.absolute": "1MB",
        }
        lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
        (self.folder / "rabbitmq.conf").write_text(lines, "utf-8")
        return ["/usr/lib/rabbitmq/bin/rabbitmq-server"]

    def _answers(self) -> bool:
        from kombu import Connection

        try:
            with Connection(self.url, connect_timeout=5, heartbeat=0) as connection:
                connection.connect()
        except OSError:
            return False
        return True


def postgres_programs() -> Path:
    """The folder of PostgreSQL's programs, which Debian keeps out of PATH; newest first."""
    if found := shutil.which("postgres"):
        return Path(found).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/usr/lib/postgresql"))


def has_postgres() -> bool:
    """Whether PostgreSQL and its driver are here."""
    return (postgres_programs() / "initdb").exists() and find_spec("psycopg") is not None


def has_redis() -> bool:
    """Whether Redis and its client are here."""
    return shutil.which("redis-server") is not None and find_spec("redis") is not None


def has_rabbitmq() -> bool:
    """Whether RabbitMQ is here; its client comes with Celery."""
    return Path("/usr/lib/rabbitmq/bin/rabbitmq-server").exists()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
