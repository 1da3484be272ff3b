"""`rostrum admin teams`: the key to paste is printed, a token is read from where nobody looks."""

import json
from pathlib import Path
from typing import Any

import pytest
from adminline import invoke, run, run_json
from house import TOML

from harness.errors import UsageError
from leaderboard import credentials
from leaderboard.db.engine import open_database


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("ROSTRUM_HOME", str(folder))
    for name in ("DATABASE_URL", "BROKER_URL", "COMPETITION", "VAULT_KEY"):
        monkeypatch.delenv(f"ROSTRUM_{name}", raising=False)
    run("init")
    (tmp_path / "competition.toml").write_text(TOML, "utf-8")
    run("competition", "load", str(tmp_path / "competition.toml"))
    return folder


def secret(team: int, kind: str) -> credentials.Secret | None:
    db = open_database()
    try:
        return credentials.secret(db, team, kind)
    finally:
        db.close()


def add(name: str, repo: str) -> dict[str, Any]:
    return run_json("teams", "add", name, "--repo", repo)


def test_a_team_over_ssh_gets_a_key_to_paste_at_once() -> None:
    shown = run("teams", "add", "owls", "--repo", "ssh://git@git.lab.example:2222/owls.git")
    kept = secret(1, "ssh")
    assert kept is not None
    assert "PRIVATE" not in shown
    public = run_json("teams", "key", "owls")["deploy_key"]
    assert public["public"] in shown.splitlines()
    assert public["fingerprint"] in shown
    assert "may only read" in shown
    assert "ssh-keyscan -t ed25519 -p 2222 git.lab.example" in shown
    assert "deploy key" in run("teams", "list")


def test_a_team_over_https_gets_none_until_it_is_asked_for() -> None:
    assert add("owls", "https://git.example/owls")["deploy_key"] is None
    assert run_json("teams", "list")["teams"][0]["credentials"] == []
    shown = run("teams", "key", "owls")
    assert "once the team's repository is an ssh address" in shown
    assert run_json("teams", "list")["teams"][0]["credentials"] == ["ssh"]


def test_a_key_stays_until_a_new_one_is_asked_for() -> None:
    first = add("owls", "git@github.com:owls/entry.git")["deploy_key"]
    assert run_json("teams", "key", "owls")["deploy_key"] == first
    second = run_json("teams", "key", "owls", "--new")["deploy_key"]
    assert second["public"] != first["public"]
    assert "ssh-keyscan -t ed25519 github.com" in run("teams", "key", "owls")


def test_a_token_comes_from_standard_input_and_is_never_printed(tmp_path: Path) -> None:
    add("owls", "https://git.example/owls")
    said = run("teams", "token", "owls", "--user", "oauth2", typed="canary-1\n")
    assert secret(1, "https") == credentials.Secret("https", "oauth2", "canary-1")
    file = tmp_path / "token"
    file.write_text("canary-2\n", "ascii")
    said += run("teams", "token", "owls", "--user", "x-access-token", "--file", str(file))
    assert secret(1, "https") == credentials.Secret("https", "x-access-token", "canary-2")
    said += run("teams", "list") + json.dumps(run_json("teams", "list"))
    assert "canary" not in said
    assert "x-access-token" in said
    assert run_json("teams", "token", "owls", "--forget") == {"team": "owls", "forgotten": True}
    assert secret(1, "https") is None


def test_a_bad_token_is_a_sentence_that_does_not_repeat_it() -> None:
    add("owls", "https://git.example/owls")
    for typed in ("", "canary with blanks", "canary" * 1000):
        error = invoke("teams", "token", "owls", "--user", "u", typed=typed).exception
        assert isinstance(error, UsageError)
        assert error.code == "bad_token"
        assert "canary" not in f"{error.message}{error.hint}"


def test_a_token_opens_https_only() -> None:
    add("owls", "git@github.com:owls/entry.git")
    error = invoke("teams", "token", "owls", "--user", "u", typed="t").exception
    assert isinstance(error, UsageError)
    assert "rostrum admin teams key" in error.hint
    for arguments in ((), ("--user", "u", "--forget")):
        error = invoke("teams", "token", "owls", *arguments).exception
        assert isinstance(error, UsageError)
        assert "either --user USER or --forget" in error.message


def test_a_team_moves_to_a_private_host_and_gets_its_key() -> None:
    add("owls", "https://git.example/owls")
    run("teams", "token", "owls", "--user", "u", typed="t")
    moved = run_json("teams", "move", "owls", "--repo", "git@git.lab:owls.git", "--branch", "dev")
    assert moved["team"]["repo_url"] == "git@git.lab:owls.git"
    assert moved["team"]["branch"] == "dev"
    assert moved["deploy_key"]["public"].startswith("ssh-ed25519 ")
    assert secret(1, "https") is None


def test_without_the_vault_key_no_team_over_ssh_is_added(home: Path) -> None:
    (home / "vault_key").chmod(0o644)
    error = invoke("teams", "add", "owls", "--repo", "git@github.com:owls/entry.git").exception
    assert isinstance(error, UsageError)
    assert "chmod 600" in error.hint
    assert run_json("teams", "list")["teams"] == []
