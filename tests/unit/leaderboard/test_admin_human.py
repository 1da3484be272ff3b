"""`rostrum admin lock` and `rostrum admin human`: what an organizer types, and what is printed."""

import json
import re
from pathlib import Path

import pytest
from adminline import refusal, run, run_json
from finals import Finals, scores
from house import TOML, House

from leaderboard import competition, settings
from leaderboard.db.models import Attempt, Submission
from leaderboard.human.invitations import read
from leaderboard.human.stages import ChatState

WIDTH = 80


@pytest.fixture
def place(house: House, backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """The house's database as the one that the commands open, and a terminal of 80 columns."""
    monkeypatch.setenv("ROSTRUM_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    for name in ("ROSTRUM_DATABASE_URL", "ROSTRUM_BROKER_URL", "ROSTRUM_COMPETITION"):
        monkeypatch.delenv(name, raising=False)
    if backend:
        monkeypatch.setenv("ROSTRUM_DATABASE_URL", backend)
    run("init")
    competition.load(house.db, TOML.replace("closes = 2030", "closes = 2999"))
    scores(house)
    return house


@pytest.fixture
def people(place: House) -> Finals:
    """The same, locked and open."""
    run("lock", "--reason", "done", "--early")
    run("human", "open")
    return Finals(place)


def rename(house: House, team: str, entry: str) -> None:
    """Give the shown entry of a team another name."""
    with house.db.write() as session:
        found = session.query(Attempt).filter_by(team_id=house.team_ids[team]).one()
        session.get_one(Submission, found.submission_id).entry = entry


def expect_narrow(output: str) -> None:
    long = [line for line in output.splitlines() if len(line) > WIDTH]
    assert not long


def test_the_lock_says_what_it_has_fixed_and_what_is_next(place: House) -> None:
    output = run("lock", "--reason", "  the phase\n is over ", "--early")
    assert "spc · Locked at 20" in output
    assert "Reason: the phase is over" in output
    finalists = [line.split() for line in output.splitlines() if re.match(r"\d ", line)]
    assert [line[:4] for line in finalists] == [
        ["1", "owl-1", "ranker", "f1"],
        ["2", "owl-1", "mute", "ppl"],
        ["3", "owl-1", "seq2seq", "f1"],
        ["4", "owl-1", "last", "hits"],
    ]
    assert finalists[0][4:] == ["yes"]
    assert finalists[1][4:6] == ["no,", "its"]
    assert "Next: `rostrum admin human open --raters N`" in output
    document = run_json("lock", "--reason", "again")
    assert document["new"] is False
    assert document["reason"] == "the phase is over"
    assert document["protocol"]["sha256"] in output
    for key in ("name", "nonce", "sha256"):
        assert document["seals"][0][key] in output
    again = run("lock", "--reason", "again")
    assert "already; nothing has changed. Reason: the phase is over" in " ".join(again.split())


def test_the_lock_takes_a_protocol_file(place: House, tmp_path: Path) -> None:
    file = tmp_path / "ours.toml"
    file.write_text('schema = 1\ntitle = "Ours"\nratings = 3\n')
    document = run_json("lock", "--reason", "done", "--early", "--protocol", str(file))
    assert (document["new"], document["protocol"]["title"]) == (True, "Ours")
    assert document["protocol"]["ratings"] == 3


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["--reason", " "], "bad_reason", "--reason is empty"),
        (["--reason", "x"], "phase_open", "phase test closes at 2999-01-01 00:00 UTC"),
        (["--reason", "x", "--protocol", "gone.toml"], "no_file", "gone.toml cannot be read"),
        (["--reason", "x", "--protocol", "{binary}"], "bad_protocol", "is not UTF-8"),
        (["--reason", "x", "--protocol", "{huge}"], "usage", "is larger than 262144 bytes"),
        (["--reason", "x", "--competition", "spx"], "unknown_competition", "'spx' is unknown"),
    ],
)
def test_a_lock_that_is_refused_says_why(
    place: House, tmp_path: Path, arguments: list[str], code: str, reason: str
) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "huge").write_bytes(b"#" * (256 << 10) + b"#")
    names = {name: str(tmp_path / name) for name in ("binary", "huge")}
    error = refusal("lock", *(text.format(**names) for text in arguments))
    assert error.code == code
    assert reason in error.message
    assert error.exit_code == 2


def test_opening_invites_and_opening_again_invites_more(place: House) -> None:
    run("lock", "--reason", "done", "--early")
    first = run_json("human", "open", "--raters", "2", "--site", "https://rostrum.example/")
    assert [one["name"] for one in first["invitations"]] == ["rater-1", "rater-2"]
    second = run_json("human", "open", "--raters", "1", "--name", "Ada", "--share", "3")
    assert [(one["name"], one["share"]) for one in second["invitations"]] == [
        ("Ada", 3),
        ("rater-3", 3),
    ]
    assert second["opened_at"] == first["opened_at"]
    none = run("human", "open")
    assert "The human evaluation of spc is open since " in none
    assert "Invite people: `rostrum admin human open --raters N`" in none
    link = first["invitations"][0]["link"]
    assert link.startswith("https://rostrum.example/rate/1.")
    found = read(place.db, link.rpartition("/")[2], key=settings.secret_key())
    assert found.name == "rater-1"


def test_a_link_stands_whole_on_a_line_of_its_own(people: Finals) -> None:
    output = run("human", "open", "--raters", "2", "--days", "3")
    links = [line for line in output.splitlines() if "/rate/" in line]
    assert len(links) == 2
    for link in links:
        assert re.fullmatch(r"  http://127\.0\.0\.1:8000/rate/\d+\.\d+\.[\w-]{43}", link)
    assert "rater-1 · until " in output
    again = run("human", "links")
    assert [line for line in again.splitlines() if "/rate/" in line] == links


def test_the_links_say_how_far_everybody_is(people: Finals) -> None:
    assert "Nobody is invited" in run("human", "links")
    made = run_json("human", "open", "--name", "Ada", "--name", "Ben")
    people.raters = {"Ada": 1, "Ben": 2}
    people.chat("Ada", "ranker", ChatState.RATED, enjoyment=3)
    people.chat("Ada", "last", ChatState.OPEN)
    output = run("human", "revoke", "Ben", "--reason", "has moved")
    assert re.search(r"The invitation of Ben is revoked since .* Reason: has moved", output)
    output = run("human", "links")
    assert "Ada · 1 of 10 rated, 1 under way, until " in output
    assert re.search(r"Ben · 0 of 10 rated, revoked at .*: has moved", output)
    assert output.count("/rate/") == 1
    raters = run_json("human", "links")["raters"]
    assert [one["link"] for one in raters] == [one["link"] for one in made["invitations"]]
    assert (raters[0]["rated"], raters[0]["under_way"]) == (1, 1)
    assert raters[1]["revoke_reason"] == "has moved"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["open", "--name", "rater-1", "--raters", "1"], "bad_rater"),
        (["open", "--name", "a\x1b[2Jb"], "bad_rater"),
        (["open", "--raters", "2000"], "bad_rater"),
        (["open", "--days", "0", "--raters", "1"], "bad_rater"),
        (["open", "--site", "rostrum.example"], "bad_site"),
        (["links", "--site", "javascript:alert(1)"], "bad_site"),
        (["revoke", "Eve", "--reason", "who"], "unknown_rater"),
        (["revoke", "Eve", "--reason", ""], "bad_reason"),
        (["close", "--reason", "\t"], "bad_reason"),
        (["export", "--json"], "usage"),
        (["status", "--competition", "spx"], "not_locked"),
        (["export", "--competition", "spx"], "not_locked"),
    ],
)
def test_a_wrong_command_is_refused(people: Finals, arguments: list[str], code: str) -> None:
    error = refusal("human", *arguments)
    assert (error.code, error.exit_code) == (code, 2)
    assert run_json("human", "links")["raters"] == []


def test_before_the_lock_the_commands_name_it(place: House) -> None:
    for arguments in (["open"], ["status"], ["export"], ["close", "--reason", "x"]):
        error = refusal("human", *arguments)
        assert error.code == "not_locked"
        assert "rostrum admin lock --reason" in error.hint


def test_the_status_shows_intervals_and_counts_in_eighty_columns(people: Finals) -> None:
    run("human", "open", "--name", "Ada", "--name", "Ben", "--name", "Cleo")
    people.raters = {"Ada": 1, "Ben": 2, "Cleo": 3}
    rename(people.house, "ranker", "a ranker with a rather long name\x1b[2J of its own")
    for rater in ("Ada", "Ben"):
        for number in range(12):
            people.chat(
                rater,
                "ranker",
                ChatState.RATED,
                enjoyment=4 if rater == "Ada" else 2,
                detected=number < 9,
            )
    people.chat("Ada", "ranker", ChatState.VOID, void_code="model_error", void_detail="late")
    people.chat("Ben", "ranker", ChatState.OPEN)
    people.chat("Ben", "last", ChatState.VOID, void_code="idle")
    people.chat("Ada", "seq2seq", ChatState.RATED, enjoyment=3)
    with people.house.db.write() as session:
        attempt = people.finalist("last").attempt_id
        session.get_one(Attempt, attempt).withheld = "a copied model"

    output = run("human", "status")

    expect_narrow(output)
    assert "A small competition · open since " in output
    assert "10 ratings wanted of each" in output
    table = " ".join(output.split())
    assert "3.00 [2.00, 4.00] n=24 .75 [.55, .88] 18/24 96% 24/25 1" in table
    assert "3 owl-1 3.00 n=1 – 0/0 100% 1/1" in table
    assert "4 owl-1 – n=0 – 0/0 – 0/0" in table
    assert "\x1b[2J" not in output
    assert "2 owl-1 is passed over: its agent cannot chat: respond gave no reply" in table
    assert "4 owl-1 is withheld: a copied model" in table
    assert "Invited: 3. Raters who have begun: 2. Conversations: 28." in output
    assert "Void, idle: 1. The rater wrote or answered nothing" in table
    assert "Void, model_error: 1. The agent gave no valid reply" in table
    document = run_json("human", "status")
    first = document["finalists"][0]
    assert first["enjoyment"] == {"value": 3.0, "low": 2.0, "high": 4.0, "n": 24, "clusters": 2}
    assert (first["detected"]["k"], first["detected"]["n"], first["ratings"]) == (18, 24, 24)
    assert document["finalists"][3]["enjoyment"] is None


def test_the_export_goes_to_a_file_or_to_the_terminal(people: Finals, tmp_path: Path) -> None:
    run("human", "open", "--name", "Ada")
    people.raters = {"Ada": 1}
    people.chat("Ada", "ranker", ChatState.RATED, enjoyment=3)
    target = tmp_path / "people.jsonl"
    assert run("human", "export", str(target)) == f"Wrote 7 records to {target}\n"
    printed = run("human", "export").splitlines()
    assert len(printed) == 7
    records = [json.loads(line) for line in target.read_text().splitlines()]
    stamped = {key: records[0][key] for key in ("exported_at",)}
    assert [json.loads(line) | (stamped if n == 0 else {}) for n, line in enumerate(printed)] == (
        records
    )
    assert "Ada" not in target.read_text()
    document = run_json("human", "export", str(target))
    assert (document["records"], document["file"]) == (7, str(target))


def test_closing_is_for_good_and_says_so(people: Finals) -> None:
    run("human", "open", "--name", "Ada")
    people.raters = {"Ada": 1}
    people.chat("Ada", "ranker", ChatState.OPEN)
    output = run("human", "close", "--reason", "all ratings are in")
    assert "cannot be opened again. Reason: all ratings are in" in output
    document = run_json("human", "close", "--reason", "another")
    assert document["reason"] == "all ratings are in"
    error = refusal("human", "open")
    assert (error.code, "it cannot be opened again" in error.message) == ("human_closed", True)
    output = run("human", "status")
    assert "A small competition · closed " in output
    assert "Void, closed: 1." in output
