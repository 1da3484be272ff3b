"""The parts of the demo that can be looked at alone: its plan, repositories, commands, voice."""

import io
import json
import os
import re
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from rich.console import Console
from siteworld import Clock, World

from harness.data import sample
from harness.errors import UsageError
from leaderboard.competition import parse
from leaderboard.db.engine import open_database
from leaderboard.db.models import Attempt
from leaderboard.human import invitations
from leaderboard.locks import locked
from worker.demo import competition, people, repos
from worker.demo.plan import ENTRIES, Plan, data_key, recipe_key
from worker.demo.shell import CommandFailedError, Shell
from worker.demo.show import Show
from worker.demo.site import free_port


def plan(tmp_path: Path, **changes: object) -> Plan:
    fields = {"data_key": "d", "seed": 0, "sandbox": "docker", **changes}
    return Plan(root=tmp_path, data=tmp_path, **fields)  # type: ignore[arg-type]  # by name


def test_data_seed_and_sandbox_make_a_competition_of_their_own(tmp_path: Path) -> None:
    ids = {
        plan(tmp_path).competition_id,
        plan(tmp_path, seed=1).competition_id,
        plan(tmp_path, data_key="e").competition_id,
        plan(tmp_path, sandbox="bubblewrap").competition_id,
    }
    assert len(ids) == 4
    assert plan(tmp_path).competition_id in ids


def test_a_trained_entry_is_kept_by_data_seed_and_recipe_not_by_sandbox(tmp_path: Path) -> None:
    entry = ENTRIES[0]
    one = plan(tmp_path).repo(entry)
    assert plan(tmp_path, sandbox="bubblewrap").repo(entry) == one
    assert plan(tmp_path, seed=1).repo(entry) != one
    assert plan(tmp_path, data_key="e").repo(entry) != one
    assert plan(tmp_path, updates=3).repo(entry) != one
    assert recipe_key("ranker") != recipe_key("kvmemnn")


def test_the_data_key_hangs_on_every_split_and_names_a_missing_one(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        (tmp_path / f"{split}_self_original.txt").write_text(split)
    first = data_key(tmp_path)
    (tmp_path / "test_self_original.txt").write_text("other")
    assert data_key(tmp_path) != first
    (tmp_path / "valid_self_original.txt").unlink()
    with pytest.raises(UsageError, match="valid_self_original"):
        data_key(tmp_path)


def test_the_competition_is_one_that_the_leaderboard_reads() -> None:
    text = competition.toml(competition_id="demo-1", title="Demo", sandbox="bubblewrap")
    made = parse(text)
    assert made.sandbox == ("bubblewrap",)
    assert made.tracks == ("hits", "f1", "ppl")
    assert made.allowance.scored_per_month == 1
    assert (made.human.minimum_turns, made.human.reply_seconds) == (3, 30)


def test_the_same_folder_is_the_same_commit_in_a_closed_bare_repository(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "agent.py").write_text("x = 1\n")
    (folder / ".gitignore").write_text("*.safetensors\n")
    (folder / "model.safetensors").write_bytes(b"weights")
    one = repos.make(tmp_path / "a.git", folder)
    assert one == repos.make(tmp_path / "b.git", folder)
    assert one == repos.make(tmp_path / "a.git", folder)
    listed = subprocess.run(
        ["git", f"--git-dir={tmp_path}/a.git", "ls-tree", "--name-only", one],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null"},
    ).stdout.split()
    assert listed == [".gitignore", "agent.py", "model.safetensors"]
    assert (tmp_path / "a.git").stat().st_mode & 0o077 == 0


def shell(tmp_path: Path) -> Shell:
    return Shell({**os.environ, "ROSTRUM_HOME": str(tmp_path / "home")}, tmp_path)


def test_a_command_answers_and_a_failing_one_says_why(tmp_path: Path) -> None:
    made = shell(tmp_path)
    assert made.json("admin", "init")["home"] == str(tmp_path / "home")
    lines: list[str] = []
    made.follow("--version", each=lines.append)
    assert len(lines) == 1
    with pytest.raises(CommandFailedError, match=r"bad_file\.toml"):
        made.run("admin", "competition", "load", "bad_file.toml")


def scored(made: Shell, tmp_path: Path, *, mute: str, entries: tuple[str, ...]) -> None:
    """A demo's competition with scored entries, made by commands and the ledger; one is mute."""
    toml = tmp_path / "competition.toml"
    toml.write_text(competition.toml(competition_id="demo-1", title="Demo", sandbox="bubblewrap"))
    full = sample.make(5)
    sample.Sample(train=full.train[:1], valid=full.valid[:8], test=full.test[:2]).write(tmp_path)
    made.run("admin", "init")
    made.run("admin", "competition", "load", str(toml), "--demo", "--seed", "0")
    for split, hidden in (("valid", ()), ("test", ("--hidden",))):
        file = str(tmp_path / f"{split}_self_original.txt")
        made.run("admin", "data", "import", file, "--role", split, *hidden)
    with closing(open_database(f"sqlite:///{tmp_path / 'home' / 'rostrum.db'}")) as db:
        world = World(db, Clock(), "demo-1")
        for place, entry in enumerate(entries):
            attempt = world.scored(entry, {"f1": (0.5 - place / 10, 0.0, 1.0)})
            with db.write() as session:
                session.get_one(Attempt, attempt).can_chat = entry != mute


def test_the_people_are_a_lock_with_finalists_and_one_link_that_opens(tmp_path: Path) -> None:
    made = shell(tmp_path)
    scored(made, tmp_path, mute="[mute]", entries=("lark", "[mute]", "wren"))
    output = io.StringIO()
    with Show(Console(file=output, width=100, highlight=False)) as show:
        found = people.invite(made, "http://127.0.0.1:8123", show)
    assert [one.entry for one in found.finalists if not one.passed_over] == ["lark", "wren"]
    assert "Locking the board: to talk to: lark, wren (" in output.getvalue()
    assert re.search(r"\[mute\]: passed over, \w", output.getvalue())
    key = (tmp_path / "home" / "secret_key").read_bytes()
    address, _, token = found.link.rpartition("/")
    assert address == "http://127.0.0.1:8123/rate"
    with closing(open_database(f"sqlite:///{tmp_path / 'home' / 'rostrum.db'}")) as db:
        assert invitations.read(db, token, key=key).name == "rater-1"
        fixed = locked(db, "demo-1")
    assert fixed is not None
    document = json.loads(json.dumps(found.as_json()))
    assert set(document) == {"finalists", "protocol_sha256", "link"}
    assert document["protocol_sha256"] == fixed.protocol_sha256
    assert [line["entry"] for line in document["finalists"]] == [
        line.entry for line in fixed.finalists
    ]
    assert fixed.protocol.minimum_turns == 3


def test_the_commands_to_serve_again_are_exact_and_say_nothing_else(tmp_path: Path) -> None:
    variables = {
        "PATH": os.environ["PATH"],
        "TOKEN": "secret",
        "ROSTRUM_HOME": str(tmp_path / "a home"),
        "ROSTRUM_COMPETITION": "demo-1",
    }
    made = people.again(variables, "http://127.0.0.1:8123")
    program = tmp_path / "rostrum"
    program.write_text('#!/bin/sh\necho "$ROSTRUM_COMPETITION|$ROSTRUM_HOME|$*"\n')
    program.chmod(0o755)
    shown = [
        subprocess.run(
            ["bash", "-c", command],
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        ).stdout.strip()
        for command in made
    ]
    assert shown == [
        f"demo-1|{tmp_path}/a home|serve --host 127.0.0.1 --port 8123",
        f"demo-1|{tmp_path}/a home|worker",
        f"demo-1|{tmp_path}/a home|beat",
    ]
    assert "secret" not in "".join(made)


def test_what_was_started_is_ended_even_if_it_does_not_want_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print('up', flush=True); time.sleep(600)"
    )
    monkeypatch.setattr("worker.demo.shell._command", lambda _: [sys.executable, "-c", stubborn])
    monkeypatch.setattr("worker.demo.shell.END_SECONDS", 0.5)
    with pytest.raises(KeyboardInterrupt), shell(tmp_path) as made:  # noqa: PT012
        made.start("worker")
        process = made._running["worker"]
        while (tmp_path / "worker.log").read_text() != "up\n":
            time.sleep(0.02)
        raise KeyboardInterrupt
    assert process.returncode == -9


def test_a_long_command_that_ends_by_itself_is_told_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = "import sys; print('no such port'); sys.exit(2)"
    monkeypatch.setattr("worker.demo.shell._command", lambda _: [sys.executable, "-c", program])
    with shell(tmp_path) as made:
        made.start("site")
        made._running["site"].wait(timeout=20)
        with pytest.raises(CommandFailedError, match="site ended with status 2: no such port"):
            made.expect_alive()


def test_a_port_that_was_asked_for_is_taken_at_its_word() -> None:
    assert free_port(4321) == 4321
    assert 0 < free_port(None) < 65536


def test_elsewhere_than_in_a_terminal_each_event_is_a_plain_line() -> None:
    output = io.StringIO()
    with Show(Console(file=output, width=100, highlight=False)) as show:
        with show.step("Training [ranker]") as step:
            step.busy("step 3 of 4")
            step.result = "fine"
        show.say("ranker: queued")
    lines = output.getvalue().splitlines()
    assert "Training [ranker] ..." in lines[0]
    assert "Training [ranker]: fine (" in lines[1]
    assert lines[2].endswith("ranker: queued")
    assert "\x1b" not in output.getvalue()


def test_the_board_is_shown_in_its_order_with_what_others_named_harmless() -> None:
    cell = {"text": "61.2", "interval": "58.1 to 64.0"}
    board = {
        "title": "Demo",
        "rows": [
            {"entry": "[red]evil", "rank": 1, "baseline": False, "tracks": {"hits": cell}},
            {"entry": "words", "rank": None, "baseline": True, "tracks": {"f1": cell}},
        ],
    }
    output = io.StringIO()
    Show(Console(file=output, width=120, highlight=False)).board(json.loads(json.dumps(board)))
    text = output.getvalue()
    assert text.index("[red]evil") < text.index("words")
    assert "61.2 58.1–64.0" in text
    assert "baseline" in text
