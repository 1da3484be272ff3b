"""The rules that a check keeps: of a competition.toml, of a site, or the defaults."""

import http.client
import json
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from harness.errors import UsageError
from leaderboard.rules import Competition, parse

SITE_SECONDS = 20.0
MAX_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Rules:
    """A competition and where its rules were read; `known` is false for the defaults."""

    competition: Competition
    source: str
    known: bool = True


def find(file: Path | None, site: str | None) -> Rules:
    """The rules of a competition.toml or of a site; the defaults without either."""
    if file is not None and site is not None:
        raise UsageError("name the rules once: --limits FILE or --site URL")
    if file is not None:
        return Rules(parse(_read(file)), source=str(file))
    if site is not None:
        return Rules(parse(_asked(site)), source=site)
    return Rules(Competition(id="check", title="", phases=()), source="the defaults", known=False)


def _read(file: Path) -> str:
    try:
        with file.open("rb") as handle:
            return handle.read(MAX_BYTES).decode("utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8 text") from error


def _asked(site: str) -> str:
    """The rules that a site shows to everybody, as a competition.toml."""
    parts = urlsplit(site)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"--site is {site!r}: give an address such as https://rostrum.example.org")
    url = f"{site.rstrip('/')}/api/v1/competition"
    try:
        with urllib.request.urlopen(url, timeout=SITE_SECONDS) as answer:  # noqa: S310 - checked
            document = json.loads(answer.read(MAX_BYTES))
        return _toml(document)
    except (OSError, http.client.HTTPException, ValueError, AttributeError, TypeError) as error:
        reason = " ".join(str(getattr(error, "reason", error)).split())[:200]
        raise UsageError(
            f"{url} did not answer with the rules of a competition: {reason}",
            hint="Name them with --limits competition.toml, or leave both out for the defaults.",
        ) from error


def _toml(document: Mapping[str, Any]) -> str:
    """The tables of the site's answer as TOML, to be read by the same strict door as a file.

    Any: from outside. A text, number, list or truth is written alike in JSON and TOML.
    """
    lines = ["schema = 1", _PHASE]
    for name, table in document.items():
        if name == "schema":
            continue
        nested = {key: value for key, value in table.items() if isinstance(value, dict)}
        lines += [f"[{json.dumps(name)}]", *_pairs(table, but=nested)]
        for key, value in nested.items():
            lines += [f"[{json.dumps(name)}.{json.dumps(key)}]", *_pairs(value, but={})]
    return "\n".join(lines)


_PHASE = """[[phase]]
name = "any"
opens = 2000-01-01T00:00:00Z
closes = 3000-01-01T00:00:00Z"""


def _pairs(table: Mapping[str, Any], *, but: Mapping[str, Any]) -> Iterator[str]:
    """The values of one table; Any: as above."""
    for key, value in table.items():
        if key not in but:
            yield f"{json.dumps(key)} = {json.dumps(value)}"
