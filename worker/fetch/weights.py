"""Which large weights a submission's rostrum.toml names: a path, an address, a sha256, a size.

    [[weights]]
    path = "model.safetensors"
    url = "https://weights.example.org/team/model.safetensors"
    sha256 = "..."
    bytes = 268435456

What is written there is the commit's word, so the same commit always means the same weights.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import SubmissionError
from worker.fetch.download import LONGEST_URL, Promise

DEEPEST = 8
LONGEST = 16 << 10
"""The most bytes of a rostrum.toml that is read, as in `harness.submission`."""

_KEYS = ("path", "url", "sha256", "bytes")
_PART = re.compile(r"(?!\.git\Z)[A-Za-z0-9_.+-]{1,200}\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_MOST = 1 << 50


@dataclass(frozen=True, slots=True)
class Weights:
    """One entry: the file at `url` is to stand at `path` (with slashes) of the tree."""

    path: str
    url: str
    promise: Promise


def named(tree: Path) -> list[Weights]:
    """The entries of rostrum.toml in order; `clone_refused` (`weights`) names a wrong one.

    A file that cannot be read names none: it is no reason to refuse a submission.
    """
    try:
        entries = _described(tree).get("weights", [])
    except (OSError, ValueError, RecursionError):
        return []
    if not isinstance(entries, list):
        raise refused("write it as [[weights]], once for each file")
    found = [_entry(entry, number) for number, entry in enumerate(entries, start=1)]
    paths = [one.path for one in found]
    if len(set(paths)) != len(paths):
        raise refused("a path is named twice")
    return found


def _described(tree: Path) -> Mapping[str, object]:
    """As `harness.submission` reads it, whose import would bring numpy into every fetch."""
    with (tree / "rostrum.toml").open("rb") as file:
        content = file.read(LONGEST + 1)
    return tomllib.loads(content.decode("utf-8")) if len(content) <= LONGEST else {}


def refused(message: str) -> SubmissionError:
    """The refusal of what rostrum.toml says of weights."""
    text = f"rostrum.toml, weights: {message}"
    return SubmissionError("clone_refused", detail="weights", message=text)


def _entry(entry: object, number: int) -> Weights:
    if not isinstance(entry, dict) or set(entry) != set(_KEYS):
        raise refused(f"entry {number} must have {', '.join(_KEYS)}, and nothing else")
    return Weights(_path(entry, number), _url(entry, number), _promise(entry, number))


# Any in the arguments below: values of TOML, each checked where it is read
def _path(entry: Mapping[str, Any], number: int) -> str:
    path = entry["path"]
    parts = path.split("/") if isinstance(path, str) else []
    plain = all(_PART.match(part) and part not in (".", "..") for part in parts)
    if not 0 < len(parts) <= DEEPEST or not plain:
        raise refused(f"the path of entry {number} is not a plain path inside the repository")
    return "/".join(parts)


def _url(entry: Mapping[str, Any], number: int) -> str:
    url = entry["url"]
    if not isinstance(url, str) or len(url) > LONGEST_URL or not url.startswith("https://"):
        raise refused(f"the url of entry {number} is not an https address")
    return url


def _promise(entry: Mapping[str, Any], number: int) -> Promise:
    sha256, size = entry["sha256"], entry["bytes"]
    if not isinstance(sha256, str) or not _SHA256.match(sha256):
        raise refused(f"the sha256 of entry {number} is not 64 hexadecimal digits in small letters")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 < size <= _MOST:
        raise refused(f"the bytes of entry {number} are not a whole number above 0")
    return Promise(sha256, size)
