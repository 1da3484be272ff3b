"""Private repositories over ssh: a real sshd with git-shell, deploy keys, a pinned host key."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from gitservers import GitHost, SshServer
from stage import Stage, good

from harness.errors import SubmissionError
from leaderboard.credentials import _key_pair
from leaderboard.states import State
from leaderboard.vault import Secret
from worker.fetch import resolve
from worker.fetch.child import FIRST_UID, UIDS

pytestmark = pytest.mark.ssh


FETCHED = (State.BUILDING, State.PREFLIGHT, State.QUEUED, State.RUNNING, State.SCORED)
"""The commit is recorded, the tree stands."""


def new_key() -> tuple[Secret, str]:
    """A deploy key as a team's: what a worker is given, what is pasted."""
    private, public = _key_pair(comment="rostrum-test")
    return Secret("ssh", "", private), public


@pytest.fixture(scope="module")
def owls(githost: GitHost) -> tuple[Secret, dict[str, str]]:
    """The repository `owls-ssh.git`, the key that opens it, its branch and tag."""
    repo = githost.work("owls-ssh")
    repo.write("agent.py")
    first = repo.commit()
    repo.git("tag", "--annotate", "-m", "first", "v1")
    repo.write("agent.py", "x = 2\n")
    last = repo.commit()
    githost.repositories.add("owls-ssh.git", repo.path)
    secret, public = new_key()
    githost.ssh.allow(public, "owls-ssh.git")
    return secret, {"main": last, "v1": first}


def refusal(action: Callable[[], object]) -> SubmissionError:
    with pytest.raises(SubmissionError) as refused:
        action()
    assert "PRIVATE KEY" not in refused.value.message
    return refused.value


def test_a_deploy_key_opens_branch_tag_and_commit(
    githost: GitHost, owls: tuple[Secret, dict[str, str]]
) -> None:
    secret, commits = owls
    url = githost.ssh.url("owls-ssh.git")
    for ref, commit in (*commits.items(), (commits["v1"], commits["v1"])):
        assert githost.fetch(url, ref, secret=secret, owner=ref).commit == commit
    for ref, commit in commits.items():
        store, access = githost.base / "store", githost.access()
        found = resolve(url, ref, store=store, seconds=30, access=access, secret=secret)
        assert found == commit
    missing = refusal(lambda: githost.fetch(url, "missing", secret=secret))
    assert missing.code == "commit_not_found"
    assert githost.leftovers() == []


def test_an_sshd_without_newer_git_gives_old_commits_too(
    githost: GitHost, owls: tuple[Secret, dict[str, str]]
) -> None:
    """It hands out by its id only what a branch or tag points at; `between` is neither."""
    repo = githost.work("old")
    repo.write("agent.py")
    between = repo.commit()
    repo.write("agent.py", "x = 2\n")
    last = repo.commit()
    githost.repositories.add("old.git", repo.path)
    server = SshServer.make(githost.repositories, githost.base / "old-ssh", protocol="").start()
    try:
        secret, public = new_key()
        server.allow(public, "old.git")
        hosts = githost.base / "old_hosts"
        hosts.write_text(server.known_hosts(), "ascii")
        access = replace(githost.access(), known_hosts=hosts)
        url = server.url("old.git")
        for ref, commit in (("main", last), (last, last), (between, between)):
            found = githost.fetch(url, ref, secret=secret, access=access, owner=ref)
            assert found.commit == commit
            assert found.files == 1
        error = refusal(lambda: githost.fetch(url, "1" * 40, secret=secret, access=access))
        assert error.code == "commit_not_found"
    finally:
        server.stop()


def test_only_the_key_of_this_repository_opens_it(
    githost: GitHost, owls: tuple[Secret, dict[str, str]]
) -> None:
    secret, _ = owls
    githost.repositories.add("cats-ssh.git", githost.work("cats-ssh").path)
    other, public = new_key()
    githost.ssh.allow(public, "cats-ssh.git")
    stranger, _ = new_key()
    url = githost.ssh.url("owls-ssh.git")
    for shown in (None, stranger, other):
        error = refusal(lambda s=shown: githost.fetch(url, secret=s, owner="x"))  # type: ignore[misc]  # a lambda with a default
        assert (error.code, error.detail) == ("clone_refused", "access")
    error = refusal(lambda: githost.fetch(githost.ssh.url("cats-ssh.git"), secret=secret))
    assert "Repository not found" in error.message


def test_a_host_whose_key_is_not_pinned_is_refused_with_what_to_do(
    githost: GitHost, owls: tuple[Secret, dict[str, str]]
) -> None:
    secret, _ = owls
    url = githost.ssh.url("owls-ssh.git")
    _, another = new_key()
    wrong = githost.base / "wrong_hosts"
    wrong.write_text(f"[localhost]:{githost.ssh.port} {another}\n", "ascii")
    for file in (githost.base / "no_hosts", wrong, None):
        access = replace(githost.access(), known_hosts=file)
        error = refusal(lambda a=access: githost.fetch(url, secret=secret, access=a))  # type: ignore[misc]  # a lambda with a default
        assert (error.code, error.detail) == ("clone_refused", "host_key")
        assert f"`ssh-keyscan -t ed25519 -p {githost.ssh.port} localhost`" in error.message


def test_the_private_key_is_a_file_of_the_fetch_alone(githost: GitHost) -> None:
    """A server that waits gives time to look around."""
    secret, public = new_key()
    githost.ssh.command("waits", "sleep 20")
    githost.ssh.force(public, "waits")
    url = githost.ssh.url("owls-ssh.git")
    errors: list[SubmissionError] = []
    thread = threading.Thread(
        target=lambda: errors.append(
            refusal(lambda: githost.fetch(url, secret=secret, seconds=3, owner="waits"))
        )
    )
    began = time.monotonic()
    thread.start()
    store = githost.base / "store"
    wait_until(lambda: any(b"owls-ssh.git" in one for one in arguments()))
    (key,) = store.glob(".fetch-*/key")
    assert key.stat().st_mode & 0o777 == 0o600
    assert FIRST_UID <= key.stat().st_uid < FIRST_UID + UIDS
    assert key.parent.stat().st_mode & 0o777 == 0o700
    line = secret.value.splitlines()[1].encode()
    assert not any(line in one for one in arguments())
    thread.join(timeout=30)
    assert time.monotonic() - began < 10
    assert errors[0].detail == "timeout"
    assert githost.leftovers() == []


def arguments() -> list[bytes]:
    """The command lines of all processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes())
        except OSError:
            continue
    return found


def wait_until(there: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    "script",
    [
        "echo 'fatal: write error: No space left on device' >&2; exit 128",
        "yes 'fatal: write error' | head -c 30000000 >&2; exit 1",
        "head -c 30000000 /dev/zero",
        "echo 0032garbage",
        "kill -9 $$",
    ],
    ids=["full-disk", "flood", "zeros", "garbage", "dies"],
)
def test_whatever_a_hostile_host_says_is_not_our_fault(githost: GitHost, script: str) -> None:
    secret, public = new_key()
    name = f"hostile-{abs(hash(script))}"
    githost.ssh.command(name, script)
    githost.ssh.force(public, name)
    url = githost.ssh.url("owls-ssh.git")
    error = refusal(lambda: githost.fetch(url, secret=secret, seconds=20, owner=script))
    assert error.code == "clone_refused"
    assert githost.leftovers() == []


@pytest.mark.bubblewrap
def test_teams_with_private_repositories_are_fetched_by_a_worker(
    githost: GitHost, stages: Callable[[str], Stage]
) -> None:
    """What an organizer types, from the first refusal to two commits recorded in full."""
    stage = stages("bubblewrap")
    access = githost.access()
    stage.variables["ROSTRUM_GIT_PRIVATE_HOSTS"] = "localhost"
    stage.variables["ROSTRUM_GIT_CA_FILE"] = str(access.ca_file)
    stage.variables["ROSTRUM_KNOWN_HOSTS"] = str(access.known_hosts)
    commits = {}
    for name in ("ssh", "https"):
        repo = githost.work(f"lab-{name}")
        for file, content in good("hits").items():
            repo.write(file, content)
        commits[name] = repo.commit()
        githost.repositories.add(f"lab-{name}.git", repo.path)
    githost.https.allow("lab-https.git", user="oauth2", token="canary-token-0815")
    added = {
        name: stage.rostrum_json(
            "admin", "teams", "add", name, "--repo", server.url(f"lab-{name}.git")
        )
        for name, server in (("ssh", githost.ssh), ("https", githost.https))
    }
    token_file = stage.base / "token"
    token_file.write_text("canary-token-0815\n", "ascii")
    early = stage.submit(added["ssh"]["team"]["id"])
    stage.start("worker")
    stage.start("beat")
    assert stage.wait(early, State.FAILED) is State.FAILED
    assert stage.shown(early)["verdict"]["detail"] == "access"
    githost.ssh.allow(added["ssh"]["deploy_key"]["public"], "lab-ssh.git")
    stage.rostrum("admin", "teams", "token", "https", "--user", "oauth2", "--file", str(token_file))
    attempts = {name: stage.submit(one["team"]["id"]) for name, one in added.items()}
    for name, attempt in attempts.items():
        assert stage.wait(attempt, *FETCHED, State.FAILED) in FETCHED
        assert stage.shown(attempt)["commit"] == commits[name]
    token_file.unlink()
    for path in filter(Path.is_file, stage.base.rglob("*")):
        kept = path.read_bytes()
        assert b"canary-token-0815" not in kept, path
        assert b"OPENSSH PRIVATE KEY" not in kept, path
