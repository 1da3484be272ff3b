"""docs/repositories.md says what the code does: user ids, versions, settings, defaults."""

import re

from tests.conftest import PROJECT
from worker.fetch.child import FIRST_UID, UIDS
from worker.fetch.repository import OLDEST
from worker.settings import Settings

DOCS = PROJECT / "docs"
PAGE = (DOCS / "repositories.md").read_text("utf-8")


def test_user_ids_and_versions_are_those_of_the_code() -> None:
    last = FIRST_UID + UIDS - 1
    assert f"user ids are {FIRST_UID} to {last}" in PAGE
    assert f"seq {FIRST_UID} {last}" in PAGE
    assert f"git must be {'.'.join(map(str, OLDEST))} or later" in PAGE


def test_settings_that_it_names_are_documented() -> None:
    named = set(re.findall(r"ROSTRUM_[A-Z_]+", PAGE))
    settings = (DOCS / "settings.md").read_text("utf-8")
    assert {name for name in named if f"| `{name}` |" not in settings} == set()


def test_the_time_limit_is_the_default() -> None:
    (default,) = re.findall(r"`ROSTRUM_FETCH_SECONDS`: the time limit \| (\d+) s", PAGE)
    assert Settings.__dataclass_fields__["fetch_seconds"].default == float(default)
