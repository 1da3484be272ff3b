"""Only public https and ssh addresses pass, and local folders below one root."""

from pathlib import Path

import pytest

from harness.errors import SubmissionError
from worker.fetch import address


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://github.com/team/repo.git", "https://github.com:443/team/repo.git"),
        ("https://GitHub.com:8443/team/repo", "https://github.com:8443/team/repo"),
        ("ssh://git@host.example/team/repo", "ssh://git@host.example:22/team/repo"),
        ("git@github.com:team/repo.git", "ssh://git@github.com:22/team/repo.git"),
    ],
)
def test_public_addresses_are_rebuilt_from_their_parts(text: str, url: str) -> None:
    assert address.parse(text).url == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ext::sh -c touch% /tmp/pwned",
        "fd::17",
        "file:///etc",
        "git://github.com/team/repo",
        "http://github.com/team/repo",
        "ftp://github.com/team/repo",
        "https://user@github.com/team/repo",
        "https://user:password@github.com/team/repo",
        "https://@github.com/team/repo",
        "ssh://git:password@github.com/team/repo",
        "ssh://-oProxyCommand=x@github.com/team/repo",
        "ssh://-oProxyCommand=x/team/repo",
        "git@-oProxyCommand=x:team/repo",
        "--upload-pack=touch /tmp/pwned",
        "-u",
        "https://github.com/team/re po",
        "https://github.com/team/repo\n",
        "https://github.com/team/repo\x00",
        "https://github.com/team/repo?x=1",
        "https://github.com/team/repo#x",
        "https://github.com//team",
        "https://github.com",
        "https:///team/repo",
        "https://git hub.com/team",
        "https://gïthub.com/team",
        "https://[::1]/team",
        "https://github.com:99999/team",
        "https://github.com:x/team",
        "/etc",
        "https://github.com/" + "a" * 2000,
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(SubmissionError) as refused:
        address.parse(text)
    assert (refused.value.code, refused.value.detail) == ("clone_refused", "address")


def test_the_list_of_hosts_is_the_whole_list() -> None:
    hosts = {"github.com"}
    assert address.parse("https://github.com/a/b", hosts=hosts).host == "github.com"
    with pytest.raises(SubmissionError, match="list"):
        address.parse("https://evil.github.com/a/b", hosts=hosts)


def test_local_folders_only_below_the_root(tmp_path: Path) -> None:
    root, outside = tmp_path / "repos", tmp_path / "outside"
    (root / "team").mkdir(parents=True)
    outside.mkdir()
    (root / "link").symlink_to(outside)
    assert address.parse(str(root / "team"), local_root=root).url == str(root / "team")
    for refused in (
        outside,
        root / "link",
        root / "team" / ".." / ".." / "outside",
        root / "missing",
    ):
        with pytest.raises(SubmissionError):
            address.parse(str(refused), local_root=root)
    with pytest.raises(SubmissionError, match="ROSTRUM_LOCAL_REPOS"):
        address.parse(str(root / "team"))


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:10.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "nonsense",
    ],
)
def test_private_local_and_translated_addresses_are_not_public(text: str) -> None:
    assert not address.public(text)


@pytest.mark.parametrize("text", ["8.8.8.8", "140.82.121.3", "2606:4700::1111"])
def test_public_ones_are(text: str) -> None:
    assert address.public(text)


def test_one_private_answer_of_the_name_server_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = ["140.82.121.3", "10.0.0.1"]
    monkeypatch.setattr(
        address.socket,
        "getaddrinfo",
        lambda *_, **__: [(0, 0, 0, "", (answer, 443)) for answer in answers],
    )
    with pytest.raises(SubmissionError, match="public"):
        address.resolve(address.parse("https://github.com/team/repo"))
    answers.pop()
    assert address.resolve(address.parse("https://github.com/team/repo")) == "140.82.121.3"


@pytest.mark.parametrize(
    ("answer", "passes"),
    [
        ("10.0.0.1", True),
        ("127.0.0.1", True),
        ("192.168.1.1", True),
        ("fd00::1", True),
        ("::1", True),
        ("140.82.121.3", True),
        ("169.254.169.254", False),
        ("0.0.0.0", False),
        ("fe80::1", False),
        ("::ffff:10.0.0.1", False),
        ("224.0.0.1", False),
    ],
)
def test_a_host_that_the_organizer_names_may_be_a_private_one(
    monkeypatch: pytest.MonkeyPatch, answer: str, passes: bool
) -> None:
    monkeypatch.setattr(
        address.socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", (answer, 8443))]
    )
    found = address.parse("https://git.lab:8443/team/repo")
    for named in ({"git.lab"}, {"git.lab:8443", "other"}):
        if passes:
            assert address.resolve(found, private_hosts=named) == answer
        else:
            with pytest.raises(SubmissionError, match="public"):
                address.resolve(found, private_hosts=named)
    if not address.public(answer):
        for named in (set(), {"lab"}, {"git.lab:443"}, {"sub.git.lab"}):
            with pytest.raises(SubmissionError, match="ROSTRUM_GIT_PRIVATE_HOSTS"):
                address.resolve(found, private_hosts=named)


def test_a_private_host_need_not_be_named_twice() -> None:
    text = "ssh://git@git.lab:2222/team/repo"
    assert address.parse(text, hosts={"github.com"}, private_hosts={"git.lab:2222"}).port == 2222
    with pytest.raises(SubmissionError, match="list"):
        address.parse(text, hosts={"github.com"}, private_hosts={"other.lab"})
    assert address.parse(text, private_hosts={"other.lab"}).host == "git.lab"


def test_the_older_kind_of_address_is_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = ["2606:4700::1111", "140.82.121.3"]
    monkeypatch.setattr(
        address.socket,
        "getaddrinfo",
        lambda *_, **__: [(0, 0, 0, "", (answer, 443)) for answer in answers],
    )
    assert address.resolve(address.parse("https://github.com/a/b")) == "140.82.121.3"
