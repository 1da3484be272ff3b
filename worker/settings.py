"""Where a worker runs, read once from `ROSTRUM_*`.

What a competition is stands in `competition.toml`; this page holds only what differs from one
machine to the next. A value that cannot be read stops the start, by name.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError


@dataclass(frozen=True, slots=True)
class Settings:
    """The worker's surroundings.

    `sandbox_directory` is the only folder whose contents a sandboxed process ever sees;
    `local_repos` the only folder below which repositories of this machine are cloned (None:
    none); `git_hosts` the only hosts cloned from (empty: every public one). Times are seconds.
    """

    sandbox_directory: Path
    cache_directory: Path
    local_repos: Path | None = None
    git_hosts: frozenset[str] = frozenset()
    heartbeat_seconds: float = 15.0
    lost_seconds: float = 90.0
    beat_seconds: float = 60.0
    reap_seconds: float = 60.0
    fetch_seconds: float = 300.0

    @property
    def code_directory(self) -> Path:
        """Where exported trees stand: `<key>/<commit>`."""
        return self.sandbox_directory / "code"


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this process; `UsageError` names a variable that cannot be read."""
    local = environment.get("ROSTRUM_LOCAL_REPOS")
    return Settings(
        sandbox_directory=Path(
            environment.get("ROSTRUM_SANDBOX_DIR") or "/var/tmp/rostrum-sandbox"  # noqa: S108
        ),
        cache_directory=Path(
            environment.get("ROSTRUM_CACHE_DIR") or Path.home() / ".cache" / "rostrum"
        ),
        local_repos=Path(local) if local else None,
        git_hosts=frozenset(environment.get("ROSTRUM_GIT_HOSTS", "").replace(",", " ").split()),
        heartbeat_seconds=_seconds(environment, "ROSTRUM_HEARTBEAT_SECONDS", 15.0),
        lost_seconds=_seconds(environment, "ROSTRUM_LOST_SECONDS", 90.0),
        beat_seconds=_seconds(environment, "ROSTRUM_BEAT_SECONDS", 60.0),
        reap_seconds=_seconds(environment, "ROSTRUM_REAP_SECONDS", 60.0),
        fetch_seconds=_seconds(environment, "ROSTRUM_FETCH_SECONDS", 300.0),
    )


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
