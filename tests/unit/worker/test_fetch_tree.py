"""What a worker makes of its settings and of the team's secret before it fetches."""

from pathlib import Path
from threading import Event
from typing import Any

import pytest

from harness.errors import OperatorError, UsageError
from leaderboard.vault import Secret
from worker import tree
from worker.settings import from_environment

LIMITS = {"repo_bytes": 10, "repo_files": 20, "large_bytes": 30}
SECRET = Secret("ssh", "", "private")


class Shop:
    """What is asked of a workplace here; `asked` is what the fetch was told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.db = object()
        self.settings = from_environment(
            {
                "ROSTRUM_SANDBOX_DIR": str(tmp_path),
                "ROSTRUM_GIT_HOSTS": "GitHub.com, git.lab",
                "ROSTRUM_GIT_PRIVATE_HOSTS": "git.lab:2222",
                "ROSTRUM_GIT_CA_FILE": "/etc/lab.pem",
                "ROSTRUM_LARGE_HOSTS": "media.lab",
                "ROSTRUM_FETCH_SECONDS": "7",
            }
        )
        self.asked: dict[str, Any] = {}  # Any: whatever the fetch takes
        for name in ("fetch", "resolve"):
            monkeypatch.setattr(tree, name, self._ask)

    def _ask(self, url: str, ref: str, **told: object) -> str:
        self.asked = {"url": url, "ref": ref, **told}
        return "done"


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shop:
    monkeypatch.setenv("ROSTRUM_HOME", str(tmp_path / "home"))
    return Shop(monkeypatch, tmp_path)


def fetched(shop: Shop, url: str) -> dict[str, Any]:
    tree.commit_tree(shop, url, "main", team_id=7, limits=LIMITS, stop=Event())  # type: ignore[arg-type]  # as much of a workplace as is needed
    return shop.asked


def test_settings_and_limits_bound_the_fetch(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tree.credentials, "secret", lambda *_: SECRET)
    asked = fetched(shop, "git@git.lab:owls.git")
    bounds, access = asked["bounds"], asked["access"]
    assert (bounds.max_bytes, bounds.max_files, bounds.large_bytes) == (10, 20, 30)
    assert bounds.seconds == 7
    assert access.hosts == {"github.com", "git.lab"}
    assert access.private_hosts == {"git.lab:2222"}
    assert access.large_hosts == {"media.lab"}
    assert access.ca_file == Path("/etc/lab.pem")
    assert access.known_hosts == tmp_path / "home" / "known_hosts"
    assert (asked["secret"], asked["owner"]) == (SECRET, "team 7")


def test_the_secret_of_the_addresss_kind_is_asked_for(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds: list[object] = []
    monkeypatch.setattr(tree.credentials, "secret", lambda *asked: kinds.append(asked[1:]))
    for url in ("git@git.lab:owls.git", "https://git.lab/owls", "/srv/repos/owls"):
        fetched(shop, url)
    assert kinds == [(7, "ssh"), (7, "https")]
    assert shop.asked["secret"] is None


def test_a_secret_that_cannot_be_opened_here_is_our_fault(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise UsageError("the vault key /x cannot be read: No such file", code="no_vault_key")

    monkeypatch.setattr(tree.credentials, "secret", refuse)
    with pytest.raises(OperatorError, match="vault key /x") as ours:
        fetched(shop, "git@git.lab:owls.git")
    assert ours.value.code == "evaluator_bug"


def test_a_branch_is_resolved_with_the_same_secret(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree.credentials, "secret", lambda *_: SECRET)
    found = tree.commit_of(shop, "git@git.lab:owls.git", "main", team_id=7, seconds=3)  # type: ignore[arg-type]  # as above
    assert found == "done"
    assert (shop.asked["secret"], shop.asked["seconds"]) == (SECRET, 3)
