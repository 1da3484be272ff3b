"""Where a worker runs, read once from `ROSTRUM_*`.

What a competition is stands in `competition.toml`; this page holds only what differs from one
machine to the next. A value that cannot be read stops the start, by name.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError
from leaderboard.settings import home


@dataclass(frozen=True, slots=True)
class Settings:
    """The worker's surroundings.

    `sandbox_directory` is the only folder whose contents a sandboxed process ever sees;
    `local_repos` the only folder below which repositories of this machine are cloned (None:
    none); `git_hosts` the only hosts cloned from (empty: every public one), `git_private_hosts`
    (`name` or `name:port`) those that may lie in a private range, `known_hosts` the host keys that
    ssh accepts, `git_ca_file` the certificates that https is checked against (None: the system's),
    `large_hosts` further hosts of LFS objects and weights, `docker_runtime` what the engine runs
    containers by, such as `runsc` (None: its default). Times are seconds.

    A disk that is fuller than `disk_high` percent is freed of what can be made again until
    `disk_low`; what is unused for `keep_days` goes in any case.
    """

    sandbox_directory: Path
    cache_directory: Path
    local_repos: Path | None = None
    git_hosts: frozenset[str] = frozenset()
    git_private_hosts: frozenset[str] = frozenset()
    git_ca_file: Path | None = None
    known_hosts: Path | None = None
    large_hosts: frozenset[str] = frozenset()
    docker_runtime: str | None = None
    heartbeat_seconds: float = 15.0
    lost_seconds: float = 90.0
    beat_seconds: float = 60.0
    reap_seconds: float = 60.0
    fetch_seconds: float = 300.0
    disk_high: float = 90.0
    disk_low: float = 80.0
    keep_days: float = 14.0

    @property
    def code_directory(self) -> Path:
        """Where exported trees stand: `<key>/<commit>`."""
        return self.sandbox_directory / "code"


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this process; `UsageError` names a variable that cannot be read."""
    return Settings(
        sandbox_directory=Path(
            environment.get("ROSTRUM_SANDBOX_DIR") or "/var/tmp/rostrum-sandbox"  # noqa: S108
        ),
        cache_directory=Path(
            environment.get("ROSTRUM_CACHE_DIR") or Path.home() / ".cache" / "rostrum"
        ),
        local_repos=_path(environment, "ROSTRUM_LOCAL_REPOS"),
        git_hosts=_names(environment, "ROSTRUM_GIT_HOSTS"),
        git_private_hosts=_names(environment, "ROSTRUM_GIT_PRIVATE_HOSTS"),
        git_ca_file=_path(environment, "ROSTRUM_GIT_CA_FILE"),
        known_hosts=_path(environment, "ROSTRUM_KNOWN_HOSTS") or home() / "known_hosts",
        large_hosts=_names(environment, "ROSTRUM_LARGE_HOSTS"),
        docker_runtime=environment.get("ROSTRUM_DOCKER_RUNTIME") or None,
        heartbeat_seconds=_seconds(environment, "ROSTRUM_HEARTBEAT_SECONDS", 15.0),
        lost_seconds=_seconds(environment, "ROSTRUM_LOST_SECONDS", 90.0),
        beat_seconds=_seconds(environment, "ROSTRUM_BEAT_SECONDS", 60.0),
        reap_seconds=_seconds(environment, "ROSTRUM_REAP_SECONDS", 60.0),
        fetch_seconds=_seconds(environment, "ROSTRUM_FETCH_SECONDS", 300.0),
        **_disk(environment),
    )


def _disk(environment: Mapping[str, str]) -> dict[str, float]:
    high = _number(environment, "ROSTRUM_DISK_HIGH", 90.0, least=1, most=100)
    low = _number(environment, "ROSTRUM_DISK_LOW", min(80.0, high), least=0, most=100)
    if low > high:
        raise UsageError(f"ROSTRUM_DISK_LOW is {low:g} and ROSTRUM_DISK_HIGH {high:g}: swap them")
    days = _number(environment, "ROSTRUM_KEEP_DAYS", 14.0, least=0.001, most=3650)
    return {"disk_high": high, "disk_low": low, "keep_days": days}


def _number(
    environment: Mapping[str, str], name: str, default: float, *, least: float, most: float
) -> float:
    text = environment.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise UsageError(f"{name} is {text!r}: give a number between {least:g} and {most:g}")
    return value


def _path(environment: Mapping[str, str], name: str) -> Path | None:
    text = environment.get(name)
    return Path(text) if text else None


def _names(environment: Mapping[str, str], name: str) -> frozenset[str]:
    """Names separated by commas or blanks, in small letters."""
    return frozenset(environment.get(name, "").lower().replace(",", " ").split())


def _seconds(environment: Mapping[str, str], name: str, default: float) -> float:
    text = environment.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.01 <= value <= 86_400:
        raise UsageError(f"{name} is {text!r}: give seconds between 0.01 and 86400")
    return value
