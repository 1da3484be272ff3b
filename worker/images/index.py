"""Where packages come from: the host pip's own configuration, and who may be asked for them.

Nothing is written here by hand: index, mirrors, local folders and certificates are those that
`pip config list` names on this machine, so a build asks whom the organizer's own pip asks.
"""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from harness.errors import UsageError

PROBE_SECONDS = 60.0
MAX_PAGES = 20_000
_PROBE = """
import json, pathlib, pip
from pip._internal.models.index import PyPI
print(json.dumps([str(pathlib.Path(pip.__file__).parent), pip.__version__, PyPI.simple_url,
                  PyPI.file_storage_domain]))
"""
_SECTIONS = ("global", "install", ":env:")
"""Later ones win, as in pip."""

_PORTS = {"https": 443, "http": 80}
_HREF = re.compile(rb"""href\s*=\s*["']?([^"'#?>\s]+)""", re.IGNORECASE)
_CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_HANDED_ON = ("index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "timeout")

Host = tuple[str, int]
"""A name in lower case and a port."""


@dataclass(frozen=True, slots=True)
class Index:
    """What a build sandbox may reach and see of this machine's package sources.

    `variables` are pip's settings for the inside; `hosts` the only ones that its proxy connects to;
    `folders` local ones, shown read-only under their own paths; `certificates` a file that vouches
    for the hosts (None: pip's own); `upstream` a proxy of this machine's network; `pip` the folder
    of the host's pip; `has_password` says that an address holds one.
    """

    variables: Mapping[str, str]
    hosts: frozenset[Host]
    folders: tuple[Path, ...]
    certificates: Path | None
    upstream: str | None
    pip: Path
    pip_version: str
    has_password: bool = False


def read_index(environment: Mapping[str, str] = os.environ) -> Index:
    """The sources of this machine; `UsageError` where its pip does not work."""
    location, version, default_index, storage = _probe(sys.executable)
    found = configuration(_told(("-m", "pip", "config", "list")))
    found.setdefault("timeout", found.get("default-timeout", "60"))
    addresses = _addresses(found, default_index)
    hosts = {host for address in addresses if (host := _host(address))}
    if default_index in addresses:  # its files lie on another host
        hosts.add((storage, _PORTS["https"]))
    extra = environment.get("ROSTRUM_INDEX_HOSTS", "").replace(",", " ").split()
    return Index(
        variables=_variables(found),
        hosts=frozenset(hosts | {_named(host) for host in extra}),
        folders=_folders(addresses),
        certificates=_certificates(found, environment),
        upstream=found.get("proxy") or _upstream(environment),
        pip=Path(location),
        pip_version=version,
        has_password=any(urlsplit(address).username for address in addresses),
    )


def configuration(listing: str) -> dict[str, str]:
    """The options in what `pip config list` prints, by name, the strongest source of each."""
    ranked: dict[str, tuple[int, str]] = {}
    for line in listing.splitlines():
        key, _, value = line.partition("=")
        section, _, name = key.strip().rpartition(".")
        if section not in _SECTIONS:
            continue
        rank = _SECTIONS.index(section)
        if rank >= ranked.get(name, (0, ""))[0]:
            ranked[name] = (rank, str(ast.literal_eval(value)))
    return {name: value for name, (_, value) in ranked.items()}


def _addresses(found: Mapping[str, str], default_index: str) -> tuple[str, ...]:
    """Every URL or path that pip looks into."""
    lists = [found.get("find-links", "")]
    if not _is_set(found.get("no-index", "")):
        lists += [found.get("index-url", default_index), found.get("extra-index-url", "")]
    return tuple(address for text in lists for address in text.split())


def _variables(found: Mapping[str, str]) -> dict[str, str]:
    """pip's settings for the inside: no file of configuration, no cache, and these options."""
    handed = {f"PIP_{name.upper().replace('-', '_')}": found.get(name) for name in _HANDED_ON}
    return {name: " ".join(value.split()) for name, value in handed.items() if value} | {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_CACHE_DIR": "1",
        "PIP_NO_INPUT": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_PROGRESS_BAR": "off",
    }


def _host(address: str) -> Host | None:
    parts = urlsplit(address)
    if parts.scheme not in _PORTS or not parts.hostname:
        return None
    return parts.hostname.lower(), parts.port or _PORTS[parts.scheme]


def _named(text: str) -> Host:
    name, _, port = text.partition(":")
    if not name or (port and not port.isdigit()):
        raise UsageError(f"ROSTRUM_INDEX_HOSTS names {text!r}: write host or host:port")
    return name.lower(), int(port or _PORTS["https"])


def _folders(addresses: Iterable[str]) -> tuple[Path, ...]:
    """The local folders among the addresses, and those that an index of files points into."""
    folders: set[Path] = set()
    for address in addresses:
        parts = urlsplit(address)
        if parts.scheme not in ("", "file"):
            continue
        path = Path(unquote(parts.path) if parts.scheme else address).expanduser()
        if path.is_file():
            path = path.parent
        if path.is_dir() and path.is_absolute():
            folders |= {path, *_linked(path)}
    inner = {one for one in folders for other in folders if one != other and other in one.parents}
    return tuple(sorted(folders - inner))


@cache
def _linked(root: Path) -> frozenset[Path]:
    """The folders that the pages of an index below `root` point into."""
    found: set[Path] = set()
    for number, page in enumerate(root.glob("*/index.html")):
        if number >= MAX_PAGES:
            break
        for href in _HREF.findall(page.read_bytes()):
            target = unquote(href.decode("utf-8", "replace"))
            if not urlsplit(target).scheme:
                found.add(Path(os.path.normpath(page.parent / target)).parent)
    return frozenset(folder for folder in found if folder.is_dir())


def _certificates(found: Mapping[str, str], environment: Mapping[str, str]) -> Path | None:
    named = [found.get("cert"), *(environment.get(name) for name in _CERTIFICATES)]
    return next((Path(file) for file in named if file and Path(file).is_file()), None)


def _upstream(environment: Mapping[str, str]) -> str | None:
    names = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
    return next((value for name in names if (value := environment.get(name))), None)


def _is_set(value: str) -> bool:
    return value.strip().lower() in ("1", "true", "yes", "on")


@cache
def _probe(python: str) -> tuple[str, str, str, str]:
    """Of this Python's pip: its folder, version, built-in index and where that keeps its files."""
    location, version, index, storage = json.loads(_told(("-c", _PROBE), python=python))
    return location, version, index, storage


def _told(arguments: tuple[str, ...], *, python: str = sys.executable) -> str:
    asked = subprocess.run(  # noqa: S603 - this interpreter, arguments of our own
        [python, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PROBE_SECONDS,
        check=False,
    )
    if asked.returncode:
        lines = asked.stderr.strip().splitlines() or ["no message"]
        raise UsageError(
            f"pip of {python} does not work: {lines[-1][:300]}",
            hint="the worker installs submissions' requirements with it; install pip there",
        )
    return asked.stdout
