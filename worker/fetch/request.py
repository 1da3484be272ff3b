"""What the fetch child is told: one JSON object on its standard input, read once.

It holds a secret in clear, so it goes through a pipe: never through an argument, a file or the
environment of the child itself.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from leaderboard.vault import Secret

LONGEST = 1 << 20
"""The longest request, in bytes."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most a fetch may take: bytes and files of the exported tree, wall seconds.

    `large_bytes` bounds what the tree names besides: LFS objects and weights, together.
    """

    max_bytes: int = 1 << 30
    max_files: int = 10_000
    seconds: float = 300.0
    large_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Access:
    """Where repositories may come from: one local root (None: nowhere local), a host list.

    `hosts` empty means every public host. `private_hosts` (`name` or `name:port`) may also lie in
    a private or loopback range; `large_hosts` may serve LFS objects and weights besides the
    repository's own host. `ca_file` holds the certificates that https is checked against in place
    of the system's, `known_hosts` the only host keys that ssh accepts.
    """

    local_root: Path | None = None
    hosts: frozenset[str] = frozenset()
    private_hosts: frozenset[str] = frozenset()
    large_hosts: frozenset[str] = frozenset()
    ca_file: Path | None = None
    known_hosts: Path | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One task of the child: in which folder of its own, as which user, within which limits."""

    task: Literal["fetch", "resolve"]
    url: str
    ref: str
    scratch: Path
    store: Path
    uid: int | None
    bounds: Bounds = field(default_factory=Bounds)
    access: Access = field(default_factory=Access)
    secret: Secret | None = None

    def dumps(self) -> bytes:
        """The request as the child reads it."""
        return json.dumps(asdict(self), default=_plain).encode("utf-8")

    @classmethod
    def loads(cls, text: bytes) -> "Request":
        """The request that `dumps` wrote."""
        fields = json.loads(text)
        fields["scratch"], fields["store"] = Path(fields["scratch"]), Path(fields["store"])
        fields["bounds"] = Bounds(**fields["bounds"])
        fields["access"] = _access(fields["access"])
        fields["secret"] = Secret(**fields["secret"]) if fields["secret"] else None
        return cls(**fields)


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"a request holds no {type(value).__name__}")


def _access(fields: dict[str, str | list[str] | None]) -> Access:
    made: dict[str, Path | frozenset[str] | None] = {
        name: frozenset(value) if isinstance(value, list) else Path(value) if value else None
        for name, value in fields.items()
    }
    return Access(**made)  # type: ignore[arg-type]  # each value has the kind of its field
