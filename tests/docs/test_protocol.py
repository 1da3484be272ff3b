"""The specification of the protocol says what the code does."""

import re

from harness.agent import VERBS
from harness.remote.frames import HEADER, PROTOCOL, VERSION, Kind
from harness.remote.messages import HINTS
from tests.conftest import PROJECT

PAGE = (PROJECT / "docs" / "protocol.md").read_text("utf-8")


def test_every_kind_of_frame_stands_under_its_number() -> None:
    rows = re.findall(r"^\| (\d) \| ([A-Z]+) \|", PAGE, flags=re.M)
    assert [(int(number), name) for number, name in rows] == [(kind, kind.name) for kind in Kind]


def test_versions_header_verbs_and_hints() -> None:
    assert f"Version `{PROTOCOL}`" in PAGE
    assert f"of this layout: {VERSION}" in PAGE
    assert f"A header of {HEADER.size} bytes" in PAGE
    assert all(f"| `{verb}` |" in PAGE for verb in VERBS.values())
    assert all(f"`{hint}`" in PAGE for hint in HINTS)
