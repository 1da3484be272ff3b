"""A clock that is stepped while processes run, told by a file.

Only the time of day is stepped, as a person or a time server would do it; what measures durations
goes on as before. A server lives by libfaketime, a Python process of ours by `stepped`.
"""

from dataclasses import dataclass
from pathlib import Path

import services

LIBRARIES = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
)
STEPPED = Path(__file__).with_name("stepped")
HOUR = 3600


def library() -> str | None:
    """libfaketime of Debian's package, where it is installed."""
    return next((path for path in LIBRARIES if Path(path).exists()), None)


@dataclass(frozen=True)
class Clock:
    """A clock whose distance from the true one stands in a file."""

    file: Path

    def step(self, seconds: int) -> None:
        """Have all processes of this clock see a time that is so far from the true one."""
        draft = self.file.with_name(f"{self.file.name}.draft")
        draft.write_text(f"{seconds:+d}\n")
        draft.chmod(0o644)
        draft.replace(self.file)

    @property
    def of_python(self) -> dict[str, str]:
        """The environment of a Python process that lives by this clock."""
        return {"PYTHONPATH": str(STEPPED), "CHAOS_CLOCK": str(self.file)}

    @property
    def of_servers(self) -> dict[str, str]:
        """The environment of a server that lives by this clock."""
        return {
            "LD_PRELOAD": library() or "",
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


class SteppedPostgres(services.Postgres):
    """PostgreSQL by a clock of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock(self.folder / "clock")
        self.clock.step(0)

    def _variables(self) -> dict[str, str]:
        return super()._variables() | self.clock.of_servers
