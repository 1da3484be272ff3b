"""The real beats begin a real round: once, at its instant, with the commits of that instant."""

import subprocess
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from stage import Stage, good

from leaderboard import ledger, rounds, schedule
from leaderboard.rounds import Line

WAIT = 60.0


def head(stage: Stage, name: str) -> str:
    """Where a team's branch points."""
    repo = str(stage.base / "repos" / name)
    done = subprocess.run(
        ["git", "-C", repo, "rev-parse", "main"], capture_output=True, check=True, text=True
    )
    return done.stdout.strip()


def push(stage: Stage, name: str) -> str:
    """One more commit on a team's branch."""
    repo = str(stage.base / "repos" / name)
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    command = ["git", "-C", repo, *identity, "commit", "--quiet", "--allow-empty", "-m", "more"]
    subprocess.run(command, check=True, timeout=60)
    return head(stage, name)


def plan(stage: Stage, *, seconds: float) -> None:
    """Have the round of this month begin by schedule in so many seconds."""
    with stage.db.write() as session:
        moment = datetime.fromisoformat(str(session.scalar(text("SELECT datetime('now')"))))
        session.execute(
            text(
                "INSERT INTO rounds (competition_id, month, at, reason)"
                " VALUES ('life', :month, :at, 'by schedule')"
            ),
            {
                "month": moment.strftime("%Y-%m"),
                "at": (moment + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S.000000"),
            },
        )


def shown(stage: Stage) -> dict[str, Line]:
    """What the round did, by team."""
    ran = rounds.show(stage.db, "life")
    return {line.team: line for line in ran.lines} if ran else {}


def until(condition: Callable[[], bool], stage: Stage) -> None:
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline, stage.logs()
        time.sleep(0.2)


def commits(stage: Stage) -> list[str | None]:
    with stage.db.read() as session:
        rows = session.execute(text('SELECT "commit" FROM submissions ORDER BY id'))
        return [row[0] for row in rows]


@pytest.fixture
def stage(stages: Callable[[str], Stage]) -> Stage:
    return stages("bubblewrap")  # nothing is run in it


def test_two_beats_begin_one_round_with_the_commits_of_its_instant(stage: Stage) -> None:
    for name in ("cats", "owls"):
        stage.team(name, good("f1"))
    stage.team("silent", good("f1"))
    (stage.base / "repos" / "silent" / ".git").rename(stage.base / "gone")
    then = {name: head(stage, name) for name in ("cats", "owls")}
    plan(stage, seconds=2)
    for _ in range(2):
        stage.start("beat")
    until(lambda: None not in commits(stage)[:2] and len(commits(stage)) == 3, stage)
    assert commits(stage) == [then["cats"], then["owls"], None]
    assert push(stage, "owls") != then["owls"]

    until(lambda: "did not say" in shown(stage)["silent"].note, stage)
    lines = shown(stage)
    assert {line.code for line in lines.values()} == {"submitted"}
    assert lines["owls"].note == f"main is at {then['owls'][:12]}, as submission 2"
    assert "clone_refused (access): a worker asks again" in lines["silent"].note

    work = ledger.lease(stage.db, 2, worker="w1")
    assert work is not None
    assert work.commit == then["owls"]
    assert [stage.quota(attempt) for attempt in (1, 2, 3)] == [["reserve"]] * 3
    with stage.db.read() as session:
        assert session.scalar(text("SELECT count(*) FROM round_entries")) == 3


def test_a_round_by_hand_is_resolved_by_the_next_beat(stage: Stage) -> None:
    stage.team("owls", good("f1"))
    ran = stage.rostrum_json("admin", "round", "run", "--reason", "now")
    assert [team["code"] for team in ran["teams"]] == ["submitted"]
    assert commits(stage) == [None]
    stage.rostrum("beat", "--once")
    assert commits(stage) == [head(stage, "owls")]
    following = schedule.upcoming(stage.db, "life")
    assert following is not None
    assert (following.day, following.hour) == (1, 0)
