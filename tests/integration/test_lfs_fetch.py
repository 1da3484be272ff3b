"""Large files come over real TLS from a real host: LFS objects, weights, and what is refused.

The host asks for the team's token, speaks git and LFS, and lies on loopback behind a name.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import pytest
from gitrepos import Repo
from gitservers import GitHost
from lfsserver import LfsStore, pointer, weights, work_tree

from harness.errors import SubmissionError
from leaderboard.credentials import _key_pair
from worker.fetch import Bounds, Fetched, Secret, fetch

pytestmark = pytest.mark.ssh

WEIGHTS = bytes(range(256)) * 4000
TOKEN = Secret("https", "team", "a-token-of-the-team")
NUMBERS = count(1)


@pytest.fixture(scope="module")
def host() -> Iterator[GitHost]:
    """One git host for all tests of this file; each has repositories of its own."""
    with GitHost.running() as running:
        yield running


@dataclass
class Team:
    """A team with a private repository, the large files of its host, and where fetches go."""

    host: GitHost
    repo: Repo
    name: str
    lfs: LfsStore
    store: Path

    def push(self, **files: str) -> str:
        """Commit these files (_ for . in names) and push; the commit."""
        for name, content in files.items():
            self.repo.write(name.replace("_", "."), content)
        commit = self.repo.commit()
        self.host.repositories.add(self.name, self.repo.path)
        return commit

    def fetch(
        self,
        *,
        url: str = "",
        secret: Secret | None = TOKEN,
        large_bytes: int = 10 << 20,
        seconds: float = 60,
        large_hosts: frozenset[str] = frozenset(),
    ) -> Fetched:
        """Fetch main, as a worker would."""
        return fetch(
            url or self.host.https.url(self.name),
            "main",
            store=self.store,
            bounds=Bounds(1 << 20, 100, seconds, large_bytes=large_bytes),
            access=replace(self.host.access(), large_hosts=large_hosts),
            secret=secret,
            owner=self.name,
        )


@pytest.fixture
def team(host: GitHost) -> Team:
    number = next(NUMBERS)
    name = f"team{number}.git"
    host.https.allow(name, user="team", token=TOKEN.value)
    repo = work_tree(host.base / f"work{number}")
    return Team(host, repo, name, LfsStore.beside(host.https, name), host.base / f"store{number}")


def refusal(action: Callable[[], object]) -> tuple[str, str | None]:
    with pytest.raises(SubmissionError) as refused:
        action()
    return refused.value.code, refused.value.detail


def test_lfs_objects_come_with_the_teams_token_and_are_read_only(team: Team) -> None:
    team.lfs.keep(WEIGHTS)
    team.repo.write("deep/folder/again.bin", pointer(WEIGHTS))
    team.push(agent_py="x = 1\n", model_bin=pointer(WEIGHTS), empty_bin=pointer(b""))
    team.lfs.keep(b"")
    fetched = team.fetch()
    for path in ("model.bin", "deep/folder/again.bin"):
        file = fetched.path / path
        assert file.read_bytes() == WEIGHTS
        assert (file.stat().st_mode & 0o777, file.stat().st_uid) == (0o444, 0)
    assert (fetched.path / "empty.bin").read_bytes() == b""
    assert ((fetched.path / "deep/folder").stat().st_mode & 0o777) == 0o555
    assert fetched.bytes > 2 * len(WEIGHTS)
    assert len(team.lfs.asked(part="/lfs/")) == 3  # one batch, each content once
    assert list(team.store.glob(".fetch-*")) == []


def test_without_the_token_the_repository_itself_is_refused(team: Team) -> None:
    team.lfs.keep(WEIGHTS)
    team.push(model_bin=pointer(WEIGHTS))
    assert refusal(lambda: team.fetch(secret=None)) == ("clone_refused", "access")


def test_a_later_commit_of_the_repository_fetches_no_object_again(team: Team) -> None:
    team.lfs.keep(WEIGHTS)
    team.push(model_bin=pointer(WEIGHTS))
    first = team.fetch()
    asked = len(team.lfs.asked(part="/lfs/"))
    team.lfs.objects.clear()
    team.push(agent_py="x = 2\n", copy_bin=pointer(WEIGHTS))
    second = team.fetch()
    assert second.commit != first.commit
    assert (second.path / "model.bin").read_bytes() == WEIGHTS
    assert (second.path / "copy.bin").read_bytes() == WEIGHTS
    assert len(team.lfs.asked(part="/lfs/")) == asked
    assert (first.path / "model.bin").stat().st_nlink >= 2


def test_weights_of_rostrum_toml_come_from_a_host_on_the_list_without_any_token(team: Team) -> None:
    cdn = LfsStore.alone(team.host.https, f"cdn-of-{team.name}")
    url = cdn.url(cdn.keep(WEIGHTS)).replace("localhost", "127.0.0.1")
    team.push(agent_py="x = 1\n", rostrum_toml=weights("weights/model.bin", url, WEIGHTS))
    assert refusal(team.fetch) == ("clone_refused", "large_host")
    port = team.host.https.port
    assert refusal(lambda: team.fetch(large_hosts=frozenset({"127.0.0.1"}))) == (
        "clone_refused",
        "address",  # on the list, yet in a private range that nobody has opened
    )
    assert cdn.asked(part="/") == []
    url = url.replace("127.0.0.1", "localhost")
    team.push(rostrum_toml=weights("weights/model.bin", url, WEIGHTS))
    fetched = team.fetch(large_hosts=frozenset({f"localhost:{port}"}))
    assert (fetched.path / "weights/model.bin").read_bytes() == WEIGHTS
    (asked,) = cdn.asked(part="/lfs/")
    assert "Authorization" not in asked.headers


@pytest.mark.parametrize("lie", [WEIGHTS[:-1], WEIGHTS + b"x", b"x" * len(WEIGHTS)])
def test_an_object_of_other_content_is_refused(team: Team, lie: bytes) -> None:
    team.push(model_bin=pointer(WEIGHTS))
    team.lfs.objects[pointer(WEIGHTS).partition("sha256:")[2][:64]] = lie
    assert refusal(team.fetch) == ("clone_refused", "large_content")


def test_an_object_that_was_not_pushed_is_missing(team: Team) -> None:
    team.push(model_bin=pointer(WEIGHTS))
    assert refusal(team.fetch) == ("clone_refused", "lfs_missing")


def test_more_bytes_than_the_competition_allows_are_refused_before_any_is_asked(team: Team) -> None:
    team.push(model_bin=pointer(WEIGHTS))
    assert refusal(lambda: team.fetch(large_bytes=len(WEIGHTS) - 1)) == ("repo_too_large", "large")
    assert team.lfs.asked(part="/lfs/") == []


def test_an_object_on_another_host_needs_the_organizers_word(team: Team) -> None:
    team.lfs.where = lambda identity: f"https://objects.example/{identity}"
    team.push(model_bin=pointer(WEIGHTS))
    assert refusal(team.fetch) == ("clone_refused", "large_host")


@pytest.mark.parametrize("ip", ["127.0.0.1", "169.254.169.254", "10.0.0.1"])
def test_a_redirect_into_the_machines_own_network_is_refused(team: Team, ip: str) -> None:
    team.lfs.where = lambda identity: f"https://{ip}/{identity}"
    team.push(model_bin=pointer(WEIGHTS))
    assert refusal(lambda: team.fetch(large_hosts=frozenset({ip}))) == ("clone_refused", "address")


def test_a_host_that_drips_is_given_up_at_the_deadline(team: Team) -> None:
    def drip(handler: object, _seen: object) -> None:
        wire = handler.wfile  # type: ignore[attr-defined]  # githttps.Handler
        wire.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            wire.write(b"0")
            wire.flush()
            time.sleep(0.1)

    slow = f"slow-of-{team.name}"
    team.host.https.hostile[slow] = drip
    url = f"{team.host.https.url(slow)}/model.bin"
    team.push(rostrum_toml=weights("model.bin", url, WEIGHTS))
    begin = time.monotonic()
    assert refusal(lambda: team.fetch(seconds=3)) == ("clone_refused", "timeout")
    assert time.monotonic() - begin < 10
    assert list(team.store.glob(".fetch-*")) == []


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(team: Team) -> None:
    port = team.host.https.port
    url = f"https://localhost.:{port}/x/lfs/1"  # the same machine under a name it cannot prove
    team.push(rostrum_toml=weights("model.bin", url, WEIGHTS))
    with pytest.raises(SubmissionError) as refused:
        team.fetch(large_hosts=frozenset({"localhost."}))
    assert refused.value.detail in ("address", "large_host", "weights_missing")


@pytest.mark.parametrize("taken", ["agent.py", "agent.py/model.bin"])
def test_weights_never_take_the_place_of_a_file_of_the_commit(team: Team, taken: str) -> None:
    cdn = LfsStore.alone(team.host.https, f"cdn-of-{team.name}")
    url = cdn.url(cdn.keep(WEIGHTS))
    team.push(agent_py="x = 1\n", rostrum_toml=weights(taken, url, WEIGHTS))
    assert refusal(team.fetch) == ("clone_refused", "weights")


AUTHENTICATE = """\
case "$SSH_ORIGINAL_COMMAND" in
  "git-lfs-authenticate {name} download")
    echo '{{"href": "{href}", "header": {{"Authorization": "Bearer {ticket}"}}}}' ;;
  *) exec {commands}/deploy {name} ;;
esac
"""


def test_over_ssh_the_host_hands_out_a_ticket_for_its_objects(team: Team) -> None:
    ssh, ticket = team.host.ssh, "one-time-ticket"
    private, public = _key_pair(comment="team")
    command = f"lfs-{team.name.removesuffix('.git')}"
    ssh.command(
        command,
        AUTHENTICATE.format(
            name=team.name,
            href=f"{team.host.https.url(team.name)}/info/lfs",
            ticket=ticket,
            commands=ssh.base / "git-shell-commands",
        ),
    )
    ssh.force(public, command)
    team.lfs.tickets = {"Authorization": f"Bearer {ticket}"}
    team.lfs.keep(WEIGHTS)
    team.push(model_bin=pointer(WEIGHTS))
    key = Secret("ssh", "", private)
    listed = frozenset({f"localhost:{team.host.https.port}"})
    fetched = team.fetch(url=ssh.url(team.name), secret=key, large_hosts=listed)
    assert (fetched.path / "model.bin").read_bytes() == WEIGHTS
    shown = {seen.headers.get("Authorization") for seen in team.lfs.asked(part="/lfs/")}
    assert shown == {f"Bearer {ticket}"}
    assert refusal(
        lambda: replace(team, store=team.host.base / f"other-{team.name}").fetch(
            url=ssh.url(team.name), secret=key
        )
    ) == ("clone_refused", "large_host")
