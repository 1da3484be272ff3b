"""LFS objects come from where the repository's host says, if that may be believed."""

import json
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from fakewire import CONTENT, PROMISE, Said, World, whole

from harness.errors import SubmissionError
from worker.fetch.address import Address
from worker.fetch.download import Promise
from worker.fetch.lfs import AT_ONCE, Origin, bring, expect_server, pointer
from worker.fetch.wire import Question

TOKEN = {"Authorization": "Basic dGVhbTp0b2tlbg=="}
HTTPS = Origin(Address("https", "https://git.example:443/team/owl", "git.example", 443), TOKEN)
OTHER = sha256(b"other").hexdigest()


@pytest.fixture
def world() -> World:
    return World()


def refusal(action: Callable[[], object]) -> str | None:
    with pytest.raises(SubmissionError) as caught:
        action()
    assert caught.value.code == "clone_refused"
    return caught.value.detail


def batch(*objects: Any) -> Said:  # Any: what a hostile server may send
    return Said(pieces=[json.dumps({"transfer": "basic", "objects": list(objects)}).encode()])


def known(href: str = "https://git.example/o", promise: Promise = PROMISE, **more: Any) -> Any:
    """One object as a server describes it."""
    action = {"href": href} | more.pop("action", {})
    entry = {"oid": promise.sha256, "size": promise.bytes, "actions": {"download": action}}
    return entry | more


def brought(world: World, folder: Path, *hosts: str, origin: Origin = HTTPS) -> bytes:
    bring(world.line(*hosts), origin, {PROMISE: folder / "object"})
    return (folder / "object").read_bytes()


def test_a_pointer_is_read_to_the_letter() -> None:
    head = b"version https://git-lfs.github.com/spec/v1\n"
    text = head + b"oid sha256:" + b"ab" * 32 + b"\nsize 12345\n"
    assert pointer(text) == Promise("ab" * 32, 12_345)
    for wrong in (
        head,
        text.replace(b"/v1", b"/v2"),
        text.replace(b"sha256:", b"sha512:"),
        text.replace(b"ab", b"AB"),
        text.replace(b"12345", b"-1"),
        text.replace(b"12345", b"1" * 20),
        text.replace(b"oid", b"ext-0-foo sha256:00\noid"),
        text + b"more\n",
        text.replace(b"\n", b"\r\n"),
    ):
        assert refusal(lambda wrong=wrong: pointer(wrong)) == "lfs"


def test_an_object_comes_from_the_repositorys_own_host(world: World, tmp_path: Path) -> None:
    world.wire.answers["git.example"] = [batch(known()), whole()]
    assert brought(world, tmp_path) == CONTENT
    asked, fetched = world.wire.asked
    assert asked.place.target == "/team/owl.git/info/lfs/objects/batch"
    assert asked.headers["Authorization"] == fetched.headers["Authorization"]
    assert json.loads(asked.body or b"") == {
        "operation": "download",
        "transfers": ["basic"],
        "hash_algo": "sha256",
        "objects": [{"oid": PROMISE.sha256, "size": PROMISE.bytes}],
    }


def test_an_address_that_ends_in_git_is_not_given_a_second_end(
    world: World, tmp_path: Path
) -> None:
    address = Address("https", "https://git.example:443/team/owl.git", "git.example", 443)
    world.wire.answers["git.example"] = [batch(known()), whole()]
    brought(world, tmp_path, origin=Origin(address))
    assert world.wire.asked[0].place.target == "/team/owl.git/info/lfs/objects/batch"


def test_nothing_is_asked_where_nothing_is_wanted(world: World) -> None:
    bring(world.line(), HTTPS, {})
    assert world.wire.asked == []


def test_another_host_needs_the_organizers_word_and_never_sees_the_token(
    world: World, tmp_path: Path
) -> None:
    entry = known("https://store.example/o", action={"header": {"X-Ticket": "7"}})
    world.wire.answers["git.example"] = [batch(entry), batch(entry)]
    world.wire.answers["store.example"] = [whole()]
    assert refusal(lambda: brought(world, tmp_path)) == "large_host"
    assert brought(world, tmp_path, "store.example") == CONTENT
    last = world.wire.asked[-1]
    assert last.headers == {"Accept-Encoding": "identity", "X-Ticket": "7"}


def test_the_servers_own_ticket_takes_the_place_of_the_token(world: World, tmp_path: Path) -> None:
    ticket = known(action={"header": {"authorization": "Bearer one-time"}})
    world.wire.answers["git.example"] = [batch(ticket), whole()]
    brought(world, tmp_path)
    shown = {name.lower(): value for name, value in world.wire.asked[-1].headers.items()}
    assert shown["authorization"] == "Bearer one-time"


@pytest.mark.parametrize(
    "header",
    [
        {"Host": "169.254.169.254"},
        {"Transfer-Encoding": "chunked"},
        {"Content-Length": "5"},
        {"Range": "bytes=0-1"},
        {"X-A": "one\r\nHost: evil"},
        {"X-A\r\nHost": "evil"},
        {"X-A": 7},
        {"X-A": "\N{SNOWMAN}"},
        {"X-A": "v" * 5000},
        ["X-A", "b"],
        "X-A: b",
        None,
    ],
)
def test_headers_that_would_change_the_request_are_left_out(
    world: World, tmp_path: Path, header: object
) -> None:
    entry = known(action={"header": header}, authenticated=True)
    world.wire.answers["git.example"] = [batch(entry), whole()]
    assert brought(world, tmp_path) == CONTENT
    assert world.wire.asked[-1].headers == {"Accept-Encoding": "identity"}


@pytest.mark.parametrize("code", [404, 410])
def test_an_object_that_was_never_pushed_is_missing(
    world: World, tmp_path: Path, code: int
) -> None:
    entry = {"oid": PROMISE.sha256, "size": 1, "error": {"code": code, "message": "<b>gone</b>"}}
    world.wire.answers["git.example"] = [batch(entry)]
    assert refusal(lambda: brought(world, tmp_path)) == "lfs_missing"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param(Said(401), "lfs", id="no right"),
        pytest.param(Said(404), "lfs", id="no server"),
        pytest.param(Said(302, headers={"Location": "https://evil.example"}), "lfs", id="moved"),
        pytest.param(Said(pieces=[b"<html>"]), "lfs", id="a page"),
        pytest.param(Said(pieces=[b"[" * 300_000]), "lfs", id="deep"),
        pytest.param(Said(pieces=[b"[]"]), "lfs", id="a list"),
        pytest.param(Said(pieces=[b'{"objects": {}}']), "lfs", id="no list"),
        pytest.param(Said(pieces=[b'{"objects": [1]}']), "lfs", id="no objects"),
        pytest.param(Said(pieces=[b" " * (1 << 20)] * 6), "lfs", id="endless"),
        pytest.param(batch(), "lfs_missing", id="nothing of it"),
        pytest.param(batch({"oid": [1]}), "lfs_missing", id="an id that is none"),
        pytest.param(batch({"oid": PROMISE.sha256}), "lfs_missing", id="no action"),
        pytest.param(batch(known(promise=Promise(OTHER, 5))), "lfs_missing", id="another object"),
        pytest.param(batch(known() | {"actions": 3}), "lfs_missing", id="actions of no kind"),
        pytest.param(
            batch({"oid": PROMISE.sha256, "error": {"code": 500}}), "lfs", id="its own trouble"
        ),
        pytest.param(
            batch({"oid": PROMISE.sha256, "error": {"code": "x"}}), "lfs", id="a code of no kind"
        ),
        pytest.param(batch(known("http://git.example/o")), "large_host", id="plain http"),
        pytest.param(batch(known("file:///etc/passwd")), "large_host", id="a file"),
        pytest.param(batch(known("https://10.0.0.1/o")), "large_host", id="a private address"),
    ],
)
def test_a_host_that_answers_otherwise_is_refused(
    world: World, tmp_path: Path, said: Said, expected: str
) -> None:
    world.wire.answers["git.example"] = [said]
    assert refusal(lambda: brought(world, tmp_path)) == expected
    assert not (tmp_path / "object").exists()


def test_an_object_of_other_content_is_refused_whatever_the_server_says(
    world: World, tmp_path: Path
) -> None:
    lying = known() | {"size": 5}
    world.wire.answers["git.example"] = [batch(lying), whole(b"evil!")]
    assert refusal(lambda: brought(world, tmp_path)) == "large_content"


def test_many_objects_are_asked_for_in_portions(world: World, tmp_path: Path) -> None:
    contents = [f"object {number}".encode() for number in range(AT_ONCE + 20)]
    promises = {Promise(sha256(one).hexdigest(), len(one)): one for one in contents}
    by_target = {f"/{promise.sha256}": one for promise, one in promises.items()}

    def answer(question: Question) -> Said:
        if question.body is None:
            return whole(by_target[question.place.target])
        wanted = json.loads(question.body)["objects"]
        assert len(wanted) <= AT_ONCE
        return batch(
            *(
                known(f"https://git.example/{o['oid']}", Promise(o["oid"], o["size"]))
                for o in wanted
            )
        )

    world.wire.answers["git.example"] = [answer]
    bring(world.line(), HTTPS, {promise: tmp_path / promise.sha256 for promise in promises})
    assert {path.read_bytes() for path in tmp_path.iterdir()} == set(contents)
    assert sum(question.body is not None for question in world.wire.asked) == 2


def ssh(tmp_path: Path, program: str) -> Origin:
    """A repository over ssh, where this program takes the place of ssh."""
    script = tmp_path / "ssh.py"
    script.write_text(program, "utf-8")
    address = Address("ssh", "ssh://git@git.example:2222/team/owl.git", "git.example", 2222)
    return Origin(address, ssh=[sys.executable, str(script)], environment={})


def test_over_ssh_the_host_says_where_its_server_is(world: World, tmp_path: Path) -> None:
    answer = {"href": "https://git.example/lfs/7/", "header": {"Authorization": "Bearer t"}}
    program = f"""
import json, sys
open({str(tmp_path / "argv")!r}, "w").write(json.dumps(sys.argv[1:]))
print(json.dumps({answer!r}))
"""
    world.wire.answers["git.example"] = [batch(known()), whole()]
    assert brought(world, tmp_path, origin=ssh(tmp_path, program)) == CONTENT
    assert json.loads((tmp_path / "argv").read_text()) == [
        "-p",
        "2222",
        "--",
        "git@git.example",
        "git-lfs-authenticate team/owl.git download",
    ]
    assert world.wire.asked[0].place.target == "/lfs/7/objects/batch"
    assert {question.headers["Authorization"] for question in world.wire.asked} == {"Bearer t"}


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("raise SystemExit('fatal: unrecognized command')", "lfs"),
        ("print('[]')", "lfs"),
        ("print('{\"href\": 3}')", "lfs"),
        ("print('x' * 10_000_000)", "lfs"),
        ('print(\'{"href": "https://evil.example/lfs"}\')', "large_host"),
        ('print(\'{"href": "http://git.example/lfs"}\')', "large_host"),
    ],
)
def test_over_ssh_what_makes_no_sense_is_refused(
    world: World, tmp_path: Path, program: str, expected: str
) -> None:
    origin = ssh(tmp_path, program)
    assert refusal(lambda: brought(world, tmp_path, origin=origin)) == expected
    assert world.wire.asked == []


def test_over_ssh_a_host_that_never_answers_is_given_up(world: World, tmp_path: Path) -> None:
    origin = ssh(tmp_path, "import time\ntime.sleep(600)")
    line = world.line(seconds=0.5)
    assert refusal(lambda: bring(line, origin, {PROMISE: tmp_path / "object"})) == "lfs"


def test_a_folder_of_this_machine_has_no_server() -> None:
    assert refusal(lambda: expect_server(Address("file", "file:///srv/owl"))) == "lfs"
    expect_server(HTTPS.address)
