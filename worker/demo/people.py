"""The demo goes on with people: the lock, the finalists, one invitation link."""

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from worker.demo.shell import Shell
from worker.demo.show import Show
from worker.demo.site import HOST

REASON = "The demo goes on to its finalists"

_SETTINGS = "ROSTRUM_"


@dataclass(frozen=True, slots=True)
class Finalist:
    """One line of the lock; `passed_over` says why it cannot chat, if it cannot."""

    place: int
    entry: str
    team: str
    submission: int
    track: str | None
    passed_over: str | None


@dataclass(frozen=True, slots=True)
class People:
    """What the lock fixed, and the one rater's link."""

    finalists: tuple[Finalist, ...]
    protocol_sha256: str
    link: str

    def as_json(self) -> dict[str, Any]:  # Any: JSON
        """As the demo's file holds it under `people`."""
        return asdict(self)


def invite(shell: Shell, url: str, show: Show) -> People:
    """Lock the competition before its end, open the human evaluation, invite one rater."""
    with show.step("Locking the board") as step:
        locked = shell.json("admin", "lock", "--early", "--reason", REASON)
        finalists = tuple(_finalist(line) for line in locked["finalists"])
        chatting = [one.entry for one in finalists if one.passed_over is None]
        step.result = f"to talk to: {', '.join(chatting) or 'nobody'}"
    for one in finalists:
        if one.passed_over is not None:
            show.say(f"{one.entry}: passed over, {one.passed_over}")
    with show.step("Opening the human evaluation") as step:
        opened = shell.json("admin", "human", "open", "--raters", "1", "--site", url)
        (invitation,) = opened["invitations"]
        step.result = f"one rater invited, {invitation['name']}"
    return People(finalists, locked["protocol"]["sha256"], invitation["link"])


def again(variables: Mapping[str, str], url: str) -> list[str]:
    """The commands that bring the demo's site, worker and beat up again, on the same address."""
    port = url.rpartition(":")[2]
    ours = sorted(item for item in variables.items() if item[0].startswith(_SETTINGS))
    settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in ours)
    commands = (f"serve --host {HOST} --port {port}", "worker", "beat")
    return [f"{settings} rostrum {command}" for command in commands]


def _finalist(line: Mapping[str, Any]) -> Finalist:  # Any: JSON
    return Finalist(
        place=line["place"],
        entry=line["entry"],
        team=line["team"],
        submission=line["submission"],
        track=line["track"],
        passed_over=line["passed_over"],
    )
