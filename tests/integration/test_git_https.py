"""Private repositories over https: a real smart-HTTP server with tokens, and hostile ones."""

import itertools
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import githostile
import pytest
from githttps import Hostile
from gitservers import REBOUND, GitHost

from harness.errors import SubmissionError
from leaderboard.vault import Secret
from worker.fetch import Access, Bounds, resolve
from worker.fetch.request import Request

pytestmark = pytest.mark.ssh

TOKEN = Secret("https", "oauth2", "canary-token-4711")


PRIVATE_MOUNTS = ("unshare", "--mount", "--propagation", "private")


@pytest.fixture(scope="module")
def commits(githost: GitHost) -> dict[str, str]:
    """A private repository `owls.git` and a public one; the ids of its branch and its tag."""
    repo = githost.work("owls")
    repo.write("agent.py")
    first = repo.commit()
    repo.git("tag", "--annotate", "-m", "first", "v1")
    repo.write("agent.py", "x = 2\n")
    last = repo.commit()
    githost.repositories.add("owls.git", repo.path)
    githost.repositories.add("open.git", repo.path)
    githost.https.allow("owls.git", user=TOKEN.user, token=TOKEN.value)
    return {"v1": first, "main": last}


@pytest.fixture
def hostile(githost: GitHost) -> Iterator[Callable[..., SubmissionError]]:
    """Fetches from a name that answers in a hostile way; the refusal, and how long it took."""
    names = (f"hostile-{number}.git" for number in itertools.count())

    def refused(
        answer: Hostile, *, secret: Secret | None = None, seconds: float = 30
    ) -> SubmissionError:
        name = next(names)
        githost.https.hostile[name] = answer
        began = time.monotonic()
        with pytest.raises(SubmissionError) as caught:
            githost.fetch(githost.https.url(name), secret=secret, seconds=seconds)
        assert time.monotonic() - began < seconds + 5
        assert githost.leftovers() == []
        return caught.value

    yield refused
    githost.https.hostile.clear()


def verdict(error: SubmissionError) -> tuple[str, str | None]:
    return error.code, error.detail


def refusal(action: Callable[[], object]) -> tuple[str, str | None]:
    with pytest.raises(SubmissionError) as refused:
        action()
    assert TOKEN.value not in refused.value.message
    return verdict(refused.value)


def test_a_token_opens_branch_tag_and_commit(githost: GitHost, commits: dict[str, str]) -> None:
    url = githost.https.url("owls.git")
    for ref, commit in (*commits.items(), (commits["v1"], commits["v1"])):
        assert githost.fetch(url, ref, secret=TOKEN, owner=ref).commit == commit
    for ref, commit in commits.items():
        store, access = githost.base / "store", githost.access()
        found = resolve(url, ref, store=store, seconds=30, access=access, secret=TOKEN)
        assert found == commit
    assert githost.leftovers() == []


def test_without_the_right_token_nothing_is_read(githost: GitHost, commits: dict[str, str]) -> None:
    url = githost.https.url("owls.git")
    wrong = (None, replace(TOKEN, value="canary-token-0000"), replace(TOKEN, user="other"))
    for secret in wrong:
        assert refusal(lambda s=secret: githost.fetch(url, secret=s, owner="x")) == (  # type: ignore[misc]  # a lambda with a default
            "clone_refused",
            "access",
        )
    assert githost.fetch(githost.https.url("open.git")).commit == commits["main"]


def test_the_token_is_in_no_address_and_no_argument(
    githost: GitHost, commits: dict[str, str]
) -> None:
    """A server that never ends gives time to look at the processes."""
    githost.https.hostile["slow.git"] = githostile.drips()
    url = githost.https.url("slow.git")
    thread = threading.Thread(
        target=lambda: refusal(lambda: githost.fetch(url, secret=TOKEN, seconds=4))
    )
    before = len(githost.https.seen)
    thread.start()
    deadline = time.monotonic() + 20
    while len(githost.https.seen) == before:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    arguments = [
        path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()
    ]
    thread.join(timeout=30)
    githost.https.hostile.clear()
    assert any(b"slow.git" in one for one in arguments)
    assert not any(TOKEN.value.encode() in one for one in arguments)
    assert all(TOKEN.value not in seen.path for seen in githost.https.seen)


def test_the_token_goes_to_no_other_host(
    githost: GitHost, hostile: Callable[..., SubmissionError]
) -> None:
    with githostile.Trap() as trap:
        for status in (301, 302, 307):
            away = githostile.redirects(f"https://127.0.0.1:{trap.port}", status=status)
            assert verdict(hostile(away, secret=TOKEN)) == ("clone_refused", "address")
        assert trap.visits == 0


def test_a_private_host_that_nobody_named_is_not_even_connected_to(githost: GitHost) -> None:
    with githostile.Trap() as trap:
        named = replace(githost.access(), private_hosts=frozenset({f"localhost:{trap.port + 1}"}))
        for access in (Access(), named):
            url = f"https://localhost:{trap.port}/owls.git"
            with pytest.raises(SubmissionError, match="ROSTRUM_GIT_PRIVATE_HOSTS"):
                githost.fetch(url, access=access)
        assert trap.visits == 0


def test_a_name_that_changes_its_address_is_resolved_once(
    githost: GitHost, commits: dict[str, str]
) -> None:
    """The second answer leads to another machine; nobody asks for it."""
    access = githost.access()
    call = (
        "from pathlib import Path; from worker.fetch import *;"
        f"print(fetch({githost.https.url('open.git', host=REBOUND)!r}, 'main',"
        f"store=Path({str(githost.base / 'rebound')!r}), bounds=Bounds(seconds=20),"
        f"access=Access(private_hosts=frozenset({{{REBOUND!r}}}),"
        f"ca_file=Path({str(access.ca_file)!r}))).commit)"
    )
    resolv = githost.base / "resolv.conf"
    resolv.write_text("nameserver 127.0.0.153\noptions timeout:2 attempts:1\n", "ascii")
    steps = f'mount --bind \'{resolv}\' /etc/resolv.conf; exec "$0" -c "$1"'
    with githostile.NameServer("127.0.0.153", ["127.0.0.1", "127.0.0.99"]) as names:
        done = subprocess.run(
            [*PRIVATE_MOUNTS, "sh", "-ec", steps, sys.executable, call],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stdout.strip() == commits["main"], done.stderr
        assert len(names.asked) == 1


def test_only_the_certificates_of_the_organizer_count(githost: GitHost) -> None:
    url = githost.https.url("open.git")
    unknown = replace(githost.access(), ca_file=None)
    assert refusal(lambda: githost.fetch(url, access=unknown)) == ("clone_refused", "certificate")


def test_where_nobody_answers_that_is_said(githost: GitHost) -> None:
    url = "https://localhost:1/owls.git"
    assert refusal(lambda: githost.fetch(url)) == ("clone_refused", "unreachable")


def test_ten_gigabytes_are_refused_when_the_limit_is_passed(
    hostile: Callable[..., SubmissionError],
) -> None:
    began = time.monotonic()
    error = hostile(githostile.serves(githostile.endless_blob()), seconds=60)
    assert verdict(error) == ("repo_too_large", "bytes")
    assert time.monotonic() - began < 30


def test_a_billion_objects_are_refused(hostile: Callable[..., SubmissionError]) -> None:
    error = hostile(githostile.serves(githostile.endless_objects()))
    assert verdict(error) == ("repo_too_large", "bytes")


def test_a_billion_files_of_three_objects_are_refused(githost: GitHost) -> None:
    repo = githost.work("billion")
    inner = f"100644 blob {repo.blob('x')}"
    for _ in range(2):
        tree = repo.git("mktree", text="".join(f"{inner}\t{number}\n" for number in range(1000)))
        inner = f"040000 tree {tree}"
    repo.commit_tree("".join(f"{inner}\t{number}\n" for number in range(1000)))
    githost.repositories.add("billion.git", repo.path)
    began = time.monotonic()
    url = githost.https.url("billion.git")
    assert refusal(lambda: githost.fetch(url)) == ("repo_too_large", "files")
    assert time.monotonic() - began < 20


def test_a_slow_server_is_given_up_in_time(hostile: Callable[..., SubmissionError]) -> None:
    error = hostile(githostile.drips(), secret=TOKEN, seconds=1.5)
    assert verdict(error) == ("clone_refused", "timeout")


def test_a_fetch_whose_worker_was_killed_ends_by_itself(githost: GitHost) -> None:
    githost.https.hostile["slow.git"] = githostile.drips(seconds=0.01)
    scratch = githost.base / "orphan"
    scratch.mkdir()
    request = Request(
        "fetch",
        githost.https.url("slow.git"),
        "main",
        scratch,
        githost.base / "store",
        None,
        Bounds(seconds=1),
        githost.access(),
    )
    child = subprocess.Popen(
        [sys.executable, "-I", "-m", "worker.fetch"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
        start_new_session=True,
    )
    said, _ = child.communicate(request.dumps(), timeout=30)
    assert (child.returncode, said) == (-signal.SIGKILL, b"")
    session = f" {child.pid} {child.pid} "  # process group and session, of whoever is left
    assert not any(session in text and ") Z " not in text for text in stats())


def stats() -> list[str]:
    """The status lines of all processes."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            found.append(path.read_text("ascii", "replace"))
        except OSError:
            continue
    return found


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (githostile.serves(iter([b"PACKgarbage" * 100])), "damaged"),
        (githostile.serves(iter([githostile.pack_header(1), b"\xff" * 100])), "damaged"),
        (githostile.serves(iter([])), "damaged"),
        (githostile.says(200, f"{githostile.COMMIT}\trefs/heads/main\n"), "address"),
        (githostile.says(404, "no"), "access"),
        (githostile.says(503, "no"), "unreachable"),
    ],
    ids=["garbage", "no-zlib", "nothing", "dumb-http", "404", "503"],
)
def test_nonsense_is_refused(
    hostile: Callable[..., SubmissionError], answer: Hostile, detail: str
) -> None:
    assert verdict(hostile(answer)) == ("clone_refused", detail)


def test_what_a_server_says_makes_nothing_our_fault(
    hostile: Callable[..., SubmissionError],
) -> None:
    said = "fatal: write error: No space left on device\n"
    error = hostile(githostile.serves(iter([b"PACKgarbage"]), progress=said))
    assert error.code == "clone_refused"
    flood = githostile.serves(iter([b"PACKgarbage"]), progress=f"{'x' * 990}\n" * 60)
    assert hostile(flood).code == "clone_refused"


def test_nothing_is_read_from_where_a_server_points(
    githost: GitHost, hostile: Callable[..., SubmissionError]
) -> None:
    """Bundles of protocol 2, alternates of the old one."""
    with githostile.Trap() as trap:
        bundles = githostile.serves(iter([b"PACKgarbage"]), capabilities=("bundle-uri",))
        hostile(bundles)
        asked = b"".join(seen.body for seen in githost.https.seen)
        assert b"command=fetch" in asked
        assert b"bundle-uri" not in asked
        pointed = githostile.says(200, f"http://127.0.0.1:{trap.port}/objects\n")
        hostile(pointed)
        assert trap.visits == 0
