"""What git is told: one host, one IP address, one way to prove who we are, nothing else."""

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import OperatorError
from leaderboard.vault import Secret
from worker.fetch.address import Address
from worker.fetch.request import Access, Bounds, Request
from worker.fetch.transport import Way, lay_out, ssh_command, unknown_host, variables

HTTPS = Address("https", "https://git.lab:8443/team", "git.lab", 8443)
SSH = Address("ssh", "ssh://git@git.lab:22/team", "git.lab", 22)
TOKEN = Secret("https", "oauth2", "canary")
KEY = Secret("ssh", "", "-----BEGIN OPENSSH PRIVATE KEY-----\ncanary\n")


def configuration(told: dict[str, str]) -> dict[str, str]:
    count = int(told["GIT_CONFIG_COUNT"])
    return {
        told[f"GIT_CONFIG_KEY_{number}"]: told[f"GIT_CONFIG_VALUE_{number}"]
        for number in range(count)
    }


def options(command: list[str]) -> dict[str, str]:
    return dict(part.split("=", 1) for part in command if "=" in part)


def test_https_goes_to_the_pinned_address_and_shows_the_token_to_this_host_alone(
    tmp_path: Path,
) -> None:
    way = Way(HTTPS, "10.1.2.3", tmp_path, TOKEN, tmp_path / "ca.pem")
    told = variables(way)
    config = configuration(told)
    assert config["http.curloptResolve"] == "git.lab:8443:10.1.2.3"
    assert config["http.https://git.lab:8443/.extraHeader"] == "Authorization: Basic " + (
        "b2F1dGgyOmNhbmFyeQ=="  # oauth2:canary
    )
    assert config["http.sslCAInfo"] == str(tmp_path / "ca.pem")
    assert config["http.followRedirects"] == "false"
    assert config["protocol.allow"] == "never"
    assert told["GIT_ALLOW_PROTOCOL"] == "https"
    assert told["GIT_SSH_COMMAND"] == "/bin/false"
    assert "canary" not in str(told)
    bare = configuration(variables(Way(HTTPS, "2001:db8::1", tmp_path)))
    assert bare["http.curloptResolve"] == "git.lab:8443:[2001:db8::1]"
    assert not any("extraHeader" in name or "sslCAInfo" in name for name in bare)


def test_ssh_accepts_the_pinned_key_of_the_pinned_address_and_offers_ours(tmp_path: Path) -> None:
    folder = tmp_path / "with blanks"
    folder.mkdir()
    (folder / "key").touch()
    way = Way(SSH, "10.1.2.3", folder, KEY)
    told = variables(way)
    command = shlex.split(told["GIT_SSH_COMMAND"])
    assert command == ssh_command(way)
    found = options(command)
    assert found["HostName"] == "10.1.2.3"
    assert found["HostKeyAlias"] == "git.lab"
    assert found["StrictHostKeyChecking"] == "yes"
    assert found["UserKnownHostsFile"] == str(folder / "known_hosts")
    assert found["GlobalKnownHostsFile"] == "/dev/null"
    assert found["IdentityFile"] == str(folder / "key")
    assert found["IdentitiesOnly"] == "yes"
    assert command[:3] == ["ssh", "-F", "/dev/null"]
    assert "canary" not in str(told)
    elsewhere = Way(replace(SSH, port=2222), "10.1.2.3", folder)
    assert options(ssh_command(elsewhere))["HostKeyAlias"] == "[git.lab]:2222"
    (folder / "key").unlink()
    assert options(ssh_command(way))["IdentityFile"] == "none"


def test_a_token_is_not_shown_over_another_transport(tmp_path: Path) -> None:
    for way in (
        Way(SSH, "10.1.2.3", tmp_path, TOKEN),
        Way(Address("file", f"file://{tmp_path}"), "", tmp_path, TOKEN),
        Way(HTTPS, "10.1.2.3", tmp_path, KEY),
    ):
        assert "Authorization" not in str(variables(way))


def request(scratch: Path, access: Access, secret: Secret | None) -> Request:
    return Request("fetch", "x", "main", scratch, scratch, None, Bounds(), access, secret)


def test_the_child_gets_copies_that_are_its_own(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("git.lab ssh-ed25519 AAAA\n", "ascii")
    (tmp_path / "ca").write_text("certificates\n", "ascii")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    access = Access(ca_file=tmp_path / "ca", known_hosts=tmp_path / "hosts")
    made = lay_out(request(scratch, access, KEY), "ssh")
    assert {path.name for path in made} == {"known_hosts", "key", "ca.pem"}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in made)
    assert (scratch / "key").read_text("ascii") == KEY.value
    assert (scratch / "known_hosts").read_text("ascii").startswith("git.lab ")


def test_hosts_that_nobody_pinned_are_known_by_nobody(tmp_path: Path) -> None:
    lay_out(request(tmp_path, Access(known_hosts=tmp_path / "none"), None), "ssh")
    assert (tmp_path / "known_hosts").read_bytes() == b""
    assert not (tmp_path / "key").exists()
    way = Way(replace(SSH, port=2222), "10.1.2.3", tmp_path)
    told = unknown_host(way, tmp_path / "none")
    assert f"the one in {tmp_path}/none" in told
    assert "`ssh-keyscan -t ed25519 -p 2222 git.lab`" in told


def test_a_file_that_the_organizer_names_and_that_is_not_there_is_ours(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="none cannot be read"):
        lay_out(request(tmp_path, Access(ca_file=tmp_path / "none"), None), "https")


def test_a_request_arrives_as_it_was_sent(tmp_path: Path) -> None:
    access = Access(
        tmp_path,
        hosts=frozenset({"b", "a"}),
        private_hosts=frozenset({"git.lab:22"}),
        large_hosts=frozenset({"media.lab"}),
        ca_file=tmp_path / "ca",
        known_hosts=None,
    )
    for secret in (None, TOKEN, KEY):
        sent = Request(
            "resolve", "u", "r", tmp_path, tmp_path, 7, Bounds(1, 2, 3.5), access, secret
        )
        assert Request.loads(sent.dumps()) == sent
