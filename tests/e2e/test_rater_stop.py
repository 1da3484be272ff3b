"""`rostrum serve` is stopped while a rater's page waits: soon, and the page gets a whole answer."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import humanworld

from leaderboard.db.people import Rater
from leaderboard.human import invitations


def test_ctrl_c_does_not_wait_for_those_who_wait(tmp_path: Path) -> None:
    world = humanworld.opened(tmp_path, raters=1)
    never = datetime(2100, 1, 1, tzinfo=UTC)
    with world.db.write() as session:
        session.get_one(Rater, world.raters[0].id).expires_at = never
    token = invitations.token(
        world.raters[0].id,
        competition_id=world.competition_id,
        expires_at=never,
        key=world.key,
    )
    world.db.close()
    (tmp_path / "secret_key").write_bytes(world.key)
    rostrum = str(Path(sys.executable).with_name("rostrum"))
    serve = subprocess.Popen(
        ["env", "--default-signal=INT", rostrum, "serve", "--port", "0"],  # a shell may ignore it
        env={**os.environ, "ROSTRUM_HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert serve.stdout is not None
        port = int(re.findall(r"http://127\.0\.0\.1:(\d+)/", serve.stdout.readline())[0])
        chat, tab = started(port, token)
        known = poll(port, f"{chat}/events?after=-1&tab={tab}")["version"]
        told: list[dict[str, Any]] = []
        waiting = threading.Thread(
            target=lambda: told.append(poll(port, f"{chat}/events?after={known}&tab={tab}"))
        )
        waiting.start()
        time.sleep(1)
        assert told == []
        begun = time.monotonic()
        serve.send_signal(signal.SIGINT)
        serve.wait(15)
        assert time.monotonic() - begun < 4
        waiting.join(5)
        assert [news["version"] for news in told] == [known]
        assert "Traceback" not in serve.stdout.read()
    finally:
        serve.kill()
        serve.wait(15)
        if serve.stdout:
            serve.stdout.close()


def started(port: int, token: str) -> tuple[str, str]:
    """The path of a new conversation, and its tab."""
    wire = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    wire.request("POST", f"/rate/{token}/start")
    place = wire.getresponse().headers["Location"]
    wire.close()
    path, _, tab = place.partition("?tab=")
    return path, tab


def poll(port: int, path: str) -> dict[str, Any]:
    """What a poll tells."""
    wire = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    wire.request("GET", path, headers={"Accept": "application/json"})
    told: dict[str, Any] = json.loads(wire.getresponse().read())
    wire.close()
    return told
