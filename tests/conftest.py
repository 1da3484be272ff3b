"""What every test may ask for, and which services must be there.

A test that needs a service, or a part of the machine, says so by a marker. Where it is absent the
test is skipped, unless `ROSTRUM_REQUIRE` (a comma-separated list of the marker names) demands it:
then it fails.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Generator, Iterator
from functools import cache
from pathlib import Path

import pytest
import services
from hypothesis import settings

# the models of tests are toys: threads would wait for one another longer than they compute
os.environ.setdefault("OMP_NUM_THREADS", "1")
settings.register_profile("rostrum", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("rostrum")

collect_ignore = ["gallery"]
"""Hostile folders, which tests give to sandboxes and never import."""

PROJECT = Path(__file__).resolve().parent.parent
SHARED = PROJECT.parent / "shared"


def _docker() -> bool:
    if shutil.which("docker") is None:
        return False
    probe = subprocess.run(["docker", "info"], capture_output=True, timeout=30, check=False)
    return probe.returncode == 0


def _bubblewrap() -> bool:
    return shutil.which("bwrap") is not None and os.geteuid() == 0


def _browser() -> bool:
    return shutil.which("chromium") is not None and shutil.which("chromedriver") is not None


def _gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _bf16() -> bool:
    """Whether the processor computes bf16 itself."""
    import torch

    from harness.torch import precision

    return precision.computes_bf16(torch.device("cpu"))


def _ssh() -> bool:
    return shutil.which("sshd") is not None and shutil.which("git-shell") is not None


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker of tests/unit/leaderboard."""
    config.addinivalue_line("markers", "one_database(name): it is about this database alone")


LEFT_OUT = pytest.StashKey[str]()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what was left out; the process that hands tests to others looks for itself."""
    said = config.stash.get(LEFT_OUT, None)
    if said is None and config.getoption("numprocesses", None) and (lacking := _lacking()):
        said = f"not on this machine: {', '.join(sorted(lacking))}"
    if said:
        terminalreporter.write_line(f"{said}; tests of it were left out")


SERVICES: dict[str, Callable[[], bool]] = {
    "docker": cache(_docker),
    "bubblewrap": cache(_bubblewrap),
    "browser": cache(_browser),
    "shared": cache((SHARED / "oracle").is_dir),
    "gpu": cache(_gpu),
    "bf16": cache(_bf16),
    "postgres": cache(services.has_postgres),
    "redis": cache(services.has_redis),
    "rabbitmq": cache(services.has_rabbitmq),
    "ssh": cache(_ssh),
}

MACHINE = ("gpu", "bf16")
"""What no package can install: where it is absent tests of it are left out, unless required."""


SERVERS = ("postgres", "redis", "rabbitmq", "ssh")
"""Whoever needs one of these servers is also marked `services`."""


def _required() -> set[str]:
    return {name for name in os.environ.get("ROSTRUM_REQUIRE", "").split(",") if name}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where every service is required, no test is skipped for any other reason either."""
    report = yield
    if report.skipped and _required() >= SERVICES.keys() - set(MACHINE):
        report.outcome = "failed"
    return report


def _lacking() -> set[str]:
    """The parts of a machine that this one has not, and that nobody requires."""
    return {name for name in MACHINE if name not in _required() and not SERVICES[name]()}


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the tests that need a server, before `-m` chooses among them."""
    if any(item.get_closest_marker(name) for name in SERVERS):
        item.add_marker("services")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of what this machine has not; the summary says so."""
    marked = [item for item in items if any(item.get_closest_marker(part) for part in MACHINE)]
    lacking = _lacking() if marked else set()
    left = [item for item in marked if any(item.get_closest_marker(part) for part in lacking)]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]
        config.stash[LEFT_OUT] = f"not on this machine: {', '.join(sorted(lacking))}"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or under `ROSTRUM_REQUIRE` fail, a test whose service is absent."""
    required = _required()
    if unknown := required - SERVICES.keys():
        pytest.fail(f"ROSTRUM_REQUIRE names unknown services: {sorted(unknown)}", pytrace=False)
    for name, present in SERVICES.items():
        if item.get_closest_marker(name) and not present():
            if name in required:
                pytest.fail(f"{name} is required (ROSTRUM_REQUIRE) and absent", pytrace=False)
            pytest.skip(f"{name} is absent")


@pytest.fixture(scope="session")
def postgres() -> Iterator[services.Postgres]:
    """A PostgreSQL server of this process; mark the test `postgres`."""
    with services.Postgres() as server:
        yield server


@pytest.fixture(scope="session")
def redis() -> Iterator[services.Redis]:
    """A Redis server of this process; mark the test `redis`."""
    with services.Redis() as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[services.RabbitMQ]:
    """A RabbitMQ server of this process; mark the test `rabbitmq`."""
    with services.RabbitMQ() as server:
        yield server


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared development data; mark the test `shared`."""
    return SHARED
