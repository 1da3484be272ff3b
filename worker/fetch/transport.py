"""How one repository is reached: its address pinned, the files and variables that git is given.

No system or user configuration, no prompt, no hook, no submodule, no filter, no redirect, no
credential helper, no proxy, one transport, one IP address. A private key is a file of the child's
own folder; a token is a header that git sends to this one host, told through its environment.
"""

import base64
import shlex
from dataclasses import dataclass
from pathlib import Path

from harness.errors import OperatorError
from leaderboard.vault import Secret
from worker.fetch.address import Address
from worker.fetch.request import Request

_FILE_BYTES = 4 << 20

_CONFIGURATION = {
    "core.hooksPath": "/dev/null",
    "core.symlinks": "false",
    "core.fsmonitor": "false",
    "core.attributesFile": "/dev/null",
    "core.bigFileThreshold": "16m",
    "core.packedGitWindowSize": "32m",
    "core.packedGitLimit": "256m",
    "core.deltaBaseCacheLimit": "64m",
    "credential.helper": "",
    "fetch.recurseSubmodules": "false",
    "fetch.unpackLimit": "1",
    "fetch.writeCommitGraph": "false",
    "gc.auto": "0",
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "30",
    "http.proxy": "",
    "init.defaultBranch": "main",
    "init.templateDir": "",
    "maintenance.auto": "false",
    "pack.threads": "1",
    "protocol.allow": "never",
    "protocol.version": "2",
    "submodule.recurse": "false",
    "transfer.bundleURI": "false",
    "transfer.fsckObjects": "true",
}
_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LC_ALL": "C",
    "GIT_ASKPASS": "/bin/false",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_SSH_COMMAND": "/bin/false",
    "GIT_SSH_VARIANT": "ssh",
    "GIT_TERMINAL_PROMPT": "0",
    "SSH_ASKPASS": "/bin/false",
}
_SSH_OPTIONS = {
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    "GlobalKnownHostsFile": "/dev/null",
    "UpdateHostKeys": "no",
    "VerifyHostKeyDNS": "no",
    "CanonicalizeHostname": "no",
    "PreferredAuthentications": "publickey",
    "IdentitiesOnly": "yes",
    "IdentityAgent": "none",
    "ClearAllForwardings": "yes",
    "ControlPath": "none",
    "PermitLocalCommand": "no",
    "ProxyCommand": "none",
    "ConnectTimeout": "20",
    "ServerAliveInterval": "10",
    "ServerAliveCountMax": "3",
    "LogLevel": "ERROR",
}


@dataclass(frozen=True, slots=True)
class Way:
    """The way to one repository; `pinned` is the IP address ("" for a folder of this machine).

    The files stand in the child's folder: `key` and `known_hosts` (ssh only), `ca_file` (if set).
    """

    address: Address
    pinned: str
    scratch: Path
    secret: Secret | None = None
    ca_file: Path | None = None

    @property
    def key(self) -> Path:
        """The private key, while it is needed."""
        return self.scratch / "key"

    @property
    def known_hosts(self) -> Path:
        """The only host keys that are accepted."""
        return self.scratch / "known_hosts"


def lay_out(request: Request, scheme: str) -> list[Path]:
    """Copy what the child may read of the organizer's files into its folder, while it still can.

    `OperatorError` where a file that the organizer names cannot be read.
    """
    made = []
    access = request.access
    if scheme == "ssh":
        there = access.known_hosts is not None and access.known_hosts.exists()
        content = _read(access.known_hosts) if there and access.known_hosts else b""
        made.append(_write(request.scratch / "known_hosts", content))
        if request.secret is not None and request.secret.kind == "ssh":
            made.append(_write(request.scratch / "key", request.secret.value.encode("ascii")))
    if scheme != "file" and access.ca_file is not None:
        made.append(_write(request.scratch / "ca.pem", _read(access.ca_file)))
    return made


def ssh_command(way: Way) -> list[str]:
    """The ssh that reaches the pinned address and accepts only its known key."""
    address = way.address
    alias = address.host if address.port == 22 else f"[{address.host}]:{address.port}"
    options = {
        **_SSH_OPTIONS,
        "UserKnownHostsFile": str(way.known_hosts),
        "IdentityFile": str(way.key) if way.key.exists() else "none",
        "HostKeyAlias": alias,
        "HostName": way.pinned,
    }
    pairs = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    return ["ssh", "-F", "/dev/null", "-a", "-x", "-T", *pairs]


def unknown_host(way: Way, known_hosts: Path | None) -> str:
    """What the organizer does about a host whose key is not the pinned one."""
    port = "" if way.address.port == 22 else f" -p {way.address.port}"
    return (
        f"the ssh key of {way.address.host} is not the one in {known_hosts}: compare its "
        "fingerprint with what the host publishes, then put the line of `ssh-keyscan -t ed25519"
        f"{port} {way.address.host}` there"
    )


def authorization(secret: Secret) -> str:
    """The value of the header that a token is sent in (basic authentication)."""
    pair = f"{secret.user}:{secret.value}".encode()
    return f"Basic {base64.b64encode(pair).decode('ascii')}"


def variables(way: Way) -> dict[str, str]:
    """All that git is told besides its arguments; the child's folder is its home."""
    pairs = dict(_CONFIGURATION)
    extra: dict[str, str] = {}
    address = way.address
    if address.scheme == "https":
        pairs["http.curloptResolve"] = f"{address.host}:{address.port}:{_bracketed(way.pinned)}"
        if way.ca_file is not None:
            pairs["http.sslCAInfo"] = str(way.ca_file)
        if way.secret is not None and way.secret.kind == "https":
            name = f"http.https://{address.host}:{address.port}/.extraHeader"
            pairs[name] = f"Authorization: {authorization(way.secret)}"
    elif address.scheme == "ssh":
        extra["GIT_SSH_COMMAND"] = shlex.join(ssh_command(way))
    for number, (key, value) in enumerate(pairs.items()):
        extra[f"GIT_CONFIG_KEY_{number}"] = key
        extra[f"GIT_CONFIG_VALUE_{number}"] = value
    return {
        **_ENVIRONMENT,
        **extra,
        "HOME": str(way.scratch),
        "GIT_ALLOW_PROTOCOL": address.scheme,
        "GIT_CONFIG_COUNT": str(len(pairs)),
    }


def _bracketed(ip: str) -> str:
    return f"[{ip}]" if ":" in ip else ip


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_FILE_BYTES + 1)
    except OSError as error:
        raise OperatorError(
            "evaluator_bug", message=f"{path} cannot be read: {error.strerror}"
        ) from None
    if len(content) > _FILE_BYTES:
        raise OperatorError("evaluator_bug", message=f"{path} is larger than {_FILE_BYTES} bytes")
    return content


def _write(path: Path, content: bytes) -> Path:
    """A file for the child alone."""
    path.touch(mode=0o600)
    path.write_bytes(content)
    return path
