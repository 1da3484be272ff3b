"""Which repository addresses may be cloned, and to which machine they lead.

Two transports pass: https and ssh (also written `user@host:path`); on the organizer's word a
folder of this machine below one root. Everything else (`ext::`, `file://`, `git://`, plain http,
options dressed as addresses, user names and passwords in https, private ranges) is refused
before git is started. A host name is resolved once; git is told to use that address.
"""

import ipaddress
import re
import socket
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from harness.errors import SubmissionError

LONGEST = 1024
"""The longest address that is read, in characters."""

_HOST = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9-]{1,63}\Z")
_PATH = re.compile(r"/[A-Za-z0-9._~+@%/-]+\Z")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}\Z")
_SCP = re.compile(r"([a-z_][a-z0-9_-]{0,31})@([A-Za-z0-9.-]+):(?![/:])([A-Za-z0-9._~+@%/-]+)\Z")
_PORTS = {"https": 443, "ssh": 22}
_PRIVATE = tuple(
    ipaddress.ip_network(one)
    for one in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "::1/128",
        "fc00::/7",
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Address:
    """A repository that may be cloned: `url` is what git is given, rebuilt from its parts.

    `host` and `port` are empty and 0 for a folder of this machine (`scheme` is `file`).
    """

    scheme: Literal["https", "ssh", "file"]
    url: str
    host: str = ""
    port: int = 0


def parse(
    text: str,
    *,
    local_root: Path | None = None,
    hosts: Collection[str] = frozenset(),
    private_hosts: Collection[str] = frozenset(),
) -> Address:
    """The address that `text` names, or `clone_refused` (`address`).

    `hosts` is the allow-list of host names (empty: all), to which `private_hosts` are added.
    Nothing is looked up or opened, but for the real path of a local folder.
    """
    allowed = {*hosts, *(name.partition(":")[0] for name in private_hosts)} if hosts else set()
    if not 0 < len(text) <= LONGEST or not text.isascii() or not text.isprintable():
        raise refused("the address is empty, too long, or holds characters that are not ASCII")
    if text.startswith("/"):
        return _local(text, local_root)
    if found := _SCP.match(text):
        user, host, path = found.groups()
        return _remote(urlsplit(f"ssh://{user}@{host}/{path}"), allowed)
    try:
        return _remote(urlsplit(text), allowed)
    except ValueError:
        raise refused("the address cannot be read") from None


def resolve(address: Address, *, private_hosts: Collection[str] = frozenset()) -> str:
    """The one IP address to connect to; refused unless *every* answer may be reached.

    That is a public one, or for a host of `private_hosts` (`name` or `name:port`) also one of a
    private or loopback range. IPv4 is preferred: git tries no second address.
    """
    try:
        # as bytes: the codec of text would be loaded now, when the rights to read it are gone
        host = address.host.encode("ascii")
        answers = socket.getaddrinfo(host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise refused("the host of the address is not known") from None
    found = [str(answer[4][0]) for answer in answers]
    named = not {address.host, f"{address.host}:{address.port}"}.isdisjoint(private_hosts)
    if not found or not all(public(one) or (named and inner(one)) for one in found):
        raise refused(
            "the host of the address is not a public one (ROSTRUM_GIT_PRIVATE_HOSTS may name it)"
        )
    return min(found, key=lambda one: ":" in one)


def inner(text: str) -> bool:
    """Whether an IP address is one of a private network or of this machine, and nothing stranger.

    Link-local ones are not: machines in clouds hand out their credentials there.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return any(address in one for one in _PRIVATE)


def public(text: str) -> bool:
    """Whether an IP address is reachable by everybody: no private, local or translated range."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and (
        address.ipv4_mapped or address.sixtofour or address.teredo or address in _NAT64
    ):
        return False
    return address.is_global and not address.is_multicast


def refused(message: str) -> SubmissionError:
    """The refusal of an address."""
    return SubmissionError("clone_refused", detail="address", message=message)


def _local(text: str, root: Path | None) -> Address:
    if root is None:
        raise refused("folders of this machine are not cloned (ROSTRUM_LOCAL_REPOS is unset)")
    try:
        path = Path(text).resolve(strict=True)
        inside = path.is_relative_to(root.resolve(strict=True))
    except (OSError, RuntimeError):
        raise refused("the folder does not exist") from None
    if not inside or not path.is_dir():
        raise refused("the folder is not below ROSTRUM_LOCAL_REPOS")
    return Address("file", str(path))


def _remote(parts: SplitResult, hosts: Collection[str]) -> Address:
    scheme, host = parts.scheme, (parts.hostname or "").lower()
    if scheme not in ("https", "ssh"):
        raise refused("only https and ssh addresses are cloned")
    if parts.query or parts.fragment or not _PATH.match(parts.path) or "//" in parts.path:
        raise refused("the path of the address holds characters that are not allowed")
    if not _HOST.match(host) or host.startswith("-"):
        raise refused("the host of the address is not a host name")
    if hosts and host not in hosts:
        raise refused("this host is not on the organizer's list (ROSTRUM_GIT_HOSTS)")
    port = parts.port or _PORTS[scheme]
    return Address(
        "https" if scheme == "https" else "ssh",
        f"{scheme}://{_user(parts)}{host}:{port}{parts.path}",
        host,
        port,
    )


def _user(parts: SplitResult) -> str:
    """The user of an ssh address with its @; https takes none, a password nobody."""
    if "@" not in parts.netloc:
        return ""
    if parts.scheme != "ssh" or parts.password is not None or not _USER.match(parts.username or ""):
        raise refused("the address holds a user name or password")
    return f"{parts.username}@"
