"""competition.toml: what it says is what we read; what it should not say is refused by name."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta

import pytest
from house import TOML, Clock

from harness.agent import TRACKS
from harness.errors import UsageError
from leaderboard import competition
from leaderboard.competition import LIMITS, parse
from leaderboard.db.engine import Database
from leaderboard.db.models import Role
from worker.sandbox import Limits

WHOLE = """
schema = 1
[competition]
id = "convai-3"
title = "ConvAI3"
rank = "convai2"
sandbox = ["docker", "bubblewrap"]
[[phase]]
name = "practice"
opens = 2026-11-01T00:00:00+02:00
closes = 2026-12-01T00:00:00+02:00
split = "valid"
[[phase]]
name = "test"
opens = 2026-12-01T00:00:00+02:00
closes = 2027-01-01T00:00:00+02:00
split = "test"
[tracks.hits]
candidates = 10
[tracks.ppl]
zero = "floor-1e-10"
[limits]
memory = 1000
batch = 5
repo_files = 7
[preflight]
dialogues = 3
per_day = 4
[quota]
scored_per_month = 2
[human]
per_track = 1
"""


def test_everything_that_is_said_is_read() -> None:
    read = parse(WHOLE)
    assert (read.id, read.title, read.rank) == ("convai-3", "ConvAI3", "convai2")
    assert read.sandbox == ("docker", "bubblewrap")
    assert read.tracks == ("hits", "ppl")
    assert (read.candidates, read.zero) == (10, "floor-1e-10")
    assert (read.limits["memory"], read.limits["batch"], read.limits["repo_files"]) == (
        1000,
        5.0,
        7,
    )
    assert (read.preflight_dialogues, read.allowance.preflights_per_day) == (3, 4)
    assert read.allowance.scored_per_month == 2
    assert (read.human.per_track, read.human.at_most) == (1, 10)
    assert [phase.split for phase in read.phases] == [Role.VALID, Role.TEST]
    assert read.phases[1].opens == datetime(2026, 11, 30, 22, tzinfo=UTC)


def test_what_is_not_said_has_a_default() -> None:
    read = parse(TOML.replace("[tracks.hits]\ncandidates = 2\n[tracks.f1]\n[tracks.ppl]\n", ""))
    assert read.tracks == TRACKS
    assert read.limits == LIMITS
    assert (read.candidates, read.zero, read.preflight_dialogues) == (20, "infinite", 20)


def test_limits_are_named_as_the_sandbox_names_them_with_its_defaults() -> None:
    sandbox = {field.name: field.default for field in fields(Limits)}
    assert {name: LIMITS[name] for name in sandbox} == sandbox
    assert LIMITS.keys() - sandbox.keys() == {"repo_bytes", "repo_files", "large_bytes"}


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("schema = 1", "schema = 2", "schema is 2; this version reads 1"),
        ("schema = 1", "", "schema is None"),
        ("schema = 1", "schema = ", "not TOML"),
        ("title =", "titel =", "'titel' in .competition. is unknown; did you mean 'title'"),
        (
            "[preflight]",
            "[prefligth]",
            "'prefligth' at the top is unknown; did you mean 'preflight'",
        ),
        ("memory =", "memmory =", "'memmory' in .limits. is unknown; did you mean 'memory'"),
        ("zero =", "zeros =", "did you mean 'zero'"),
        ("[tracks.hits]", "[tracks.hit]", "did you mean 'hits'"),
        ("per_track", "per_tracks", "did you mean 'per_track'"),
        ('split = "valid"', 'splitt = "valid"', "'splitt' in phase 1 is unknown"),
        ('split = "valid"', 'split = "train"', "phase 1.split is 'train'; known: test, valid"),
        ('rank = "convai2"', 'rank = "best"', "competition.rank is 'best'; known: convai2"),
        ('"docker", ', '"dokcer", ', "'dokcer'; known: docker, bubblewrap"),
        ('["docker", "bubblewrap"]', "[]", "at least one of"),
        ('id = "convai-3"', 'id = "../x"', "competition.id is '../x'"),
        ('title = "ConvAI3"', 'title = ""', "competition.title is ''"),
        ("2027-01-01T00:00:00+02:00", "2027-01-01T00:00:00", "date with time and offset"),
        ("2027-01-01T00:00:00+02:00", '"soon"', "phase 2.closes is 'soon'"),
        ("2027-01-01T00:00:00+02:00", "2026-01-01T00:00:00Z", "phase 2 closes before it opens"),
        ("= 2026-12-01T00:00:00+02:00\ncloses", "= 2026-11-30T00:00:00Z\ncloses", "opens before"),
        ("memory = 1000", "memory = 0", "limits.memory is 0; it must be a number above 0"),
        ("memory = 1000", "memory = nan", "limits.memory is nan"),
        ("memory = 1000", "memory = true", "limits.memory is True"),
        ("memory = 1000", "memory = 1.5", "whole number"),
        ("per_day = 4", "per_day = 0", "preflight.per_day is 0"),
        ("scored_per_month = 2", 'scored_per_month = "two"', "quota.scored_per_month is 'two'"),
        ("candidates = 10", "candidates = 1", "at least 2"),
        ('zero = "floor-1e-10"', 'zero = "free"', "known: infinite"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, reason: str) -> None:
    assert old in WHOLE
    with pytest.raises(UsageError, match=reason) as caught:
        parse(WHOLE.replace(old, new))
    assert caught.value.code == "bad_competition"


@pytest.mark.parametrize(
    "document",
    [
        "schema = 1\ncompetition = 3",
        'schema = 1\n[competition]\nid = "x"\ntitle = "X"',
        'schema = 1\nphase = 3\n[competition]\nid = "x"\ntitle = "X"',
        'schema = 1\nphase = [3]\n[competition]\nid = "x"\ntitle = "X"',
    ],
)
def test_wrong_shapes_are_refused(document: str) -> None:
    with pytest.raises(UsageError, match=r"competition\.toml"):
        parse(document)


def test_a_phase_holds_its_first_instant_and_not_its_last() -> None:
    read = parse(WHOLE)
    practice, test = read.phases
    moment = timedelta(microseconds=1)
    assert read.phase(practice.opens - moment) is None
    assert read.phase(practice.opens) is practice
    assert read.phase(test.opens - moment) is practice
    assert read.phase(test.opens) is test
    assert read.phase(test.closes) is None
    assert read.next_opening(practice.opens) == test.opens
    assert read.next_opening(test.opens) is None


def test_the_board_of_the_last_opened_phase_is_shown() -> None:
    read = parse(WHOLE)
    practice, test = read.phases
    assert read.shown_phase(practice.opens - timedelta(days=1)) is practice
    assert read.shown_phase(practice.opens) is practice
    assert read.shown_phase(test.closes + timedelta(days=1)) is test


def test_a_competitions_key_is_random_and_stays(db: Database) -> None:
    key = competition.secret(db, "spc")
    assert len(key) == 32
    competition.load(db, TOML.replace("A small", "A renamed"))
    assert competition.get(db, "spc").title == "A renamed competition"
    assert competition.secret(db, "spc") == key
    competition.load(db, TOML, chosen_id="other")
    assert competition.secret(db, "other") != key
    assert competition.get(db, "other").id == "other"
    assert not competition.is_demo(db, "spc")


def test_a_demos_key_follows_from_its_seed(db: Database) -> None:
    for name, seed in (("d1", 1), ("d1-again", 1), ("d2", 2)):
        competition.load(db, TOML, chosen_id=name, seed=seed)
    assert competition.is_demo(db, "d1")
    assert competition.secret(db, "d1") == competition.secret(db, "d1-again")
    assert competition.secret(db, "d1") != competition.secret(db, "d2")
    competition.load(db, TOML, chosen_id="d1", seed=1)


@pytest.mark.parametrize(("chosen", "seed"), [("spc", 1), ("d1", 2), ("d1", None)])
def test_no_competition_changes_its_key(db: Database, chosen: str, seed: int | None) -> None:
    competition.load(db, TOML, chosen_id="d1", seed=1)
    with pytest.raises(UsageError, match="its key cannot change"):
        competition.load(db, TOML, chosen_id=chosen, seed=seed)


def test_the_current_competition_is_the_setting_else_the_newest(
    empty_db: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ROSTRUM_COMPETITION", raising=False)
    with pytest.raises(UsageError, match="no competition yet"):
        competition.current(empty_db)
    competition.load(empty_db, TOML, chosen_id="old")
    clock.tick(seconds=1)
    competition.load(empty_db, TOML, chosen_id="new")
    assert competition.current(empty_db) == "new"
    monkeypatch.setenv("ROSTRUM_COMPETITION", "old")
    assert competition.current(empty_db) == "old"
    monkeypatch.setenv("ROSTRUM_COMPETITION", "odl")
    with pytest.raises(UsageError, match="'odl' is unknown; known: new, old"):
        competition.current(empty_db)
