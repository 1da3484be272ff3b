"""What the demo asks of the site it has started: its public JSON on the loopback address."""

import json
import socket
import time
import urllib.error
import urllib.request
from contextlib import closing
from typing import Any

from worker.demo.shell import CommandFailedError, Shell

HOST = "127.0.0.1"
FAVOURITE_PORT = 8000
_SECONDS = 20.0
_LARGEST = 16 << 20
_START_SECONDS = 60.0


def free_port(wanted: int | None) -> int:
    """The port that was asked for; otherwise 8000, or any free one where 8000 is taken."""
    if wanted is not None:
        return wanted
    for port in (FAVOURITE_PORT, 0):
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise CommandFailedError("no port of this machine is free")


def ask(url: str, path: str) -> Any:
    """One JSON document of the site."""
    with urllib.request.urlopen(url + path, timeout=_SECONDS) as answer:  # noqa: S310  # ours
        return json.loads(answer.read(_LARGEST))


def wait_until_up(url: str, shell: Shell) -> None:
    """Wait for the first answer; an error if the site ends or does not come."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        shell.expect_alive()
        try:
            ask(url, "/api/v1/board")
        except (urllib.error.URLError, OSError, ValueError):
            if time.monotonic() > deadline:
                raise CommandFailedError(f"{url} did not answer") from None
            time.sleep(0.2)
        else:
            return
