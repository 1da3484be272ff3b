"""The specification of the protocol says what the code does."""

import json
import re

import numpy as np

from harness.agent import VERBS
from harness.dialogue import Context
from harness.errors import VERDICTS
from harness.remote.contexts import KEPT, ContextReader, PrefixReader
from harness.remote.frames import HEADER, PROTOCOL, VERSION, Kind
from harness.remote.link import MAX_JSON
from harness.remote.messages import HINTS
from harness.rows import TOLERANCE, sparse_bytes
from harness.text import MAX_DICTIONARY_BYTES
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


def test_details_of_fail() -> None:
    assert all(f"`{detail}`" in PAGE for detail in VERDICTS["invalid_prediction"].details)


def test_sparse_rows_have_the_size_that_the_page_gives() -> None:
    assert "8 (n + 1) + 8 m bytes" in PAGE
    assert sparse_bytes(rows=5, changes=7) == 8 * (5 + 1) + 8 * 7
    types = re.findall(r"^\| (\w+) \| `(<\w\d)`", PAGE, flags=re.M)
    assert types == [("starts", "<i8"), ("columns", "<i4"), ("weights", "<f4")]
    assert sum(np.dtype(name).itemsize for _, name in types[1:]) == 8
    assert np.isclose(TOLERANCE, 1e-10)
    assert "10^-10" in PAGE


def test_the_request_that_goes_on_is_read() -> None:
    assert f"the last {KEPT:,} contexts" in PAGE
    (text,) = re.findall(r"`(\{[^`]*\"ended\"[^`]*\})`", PAGE)
    reader = PrefixReader(ContextReader(continues=True))
    contexts = [
        {"id": name, "persona": [], "partner_persona": [], "turns": []} for name in ("a", "b", "c")
    ]
    reader.read({"verb": VERBS["ppl"], "contexts": contexts, "prefixes": [[], ["x"], []]})
    going_on, prefixes = reader.read(json.loads(text))
    assert going_on == [Context("a"), Context("c")]
    assert prefixes == [("tea",), ("?",)]


def test_bounds_of_the_inside() -> None:
    assert f"{MAX_JSON >> 20} MiB" in PAGE
    assert f"{MAX_DICTIONARY_BYTES >> 20} MiB" in PAGE
