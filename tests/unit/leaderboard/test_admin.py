"""`rostrum admin`: what an organizer types, what is printed, how it ends."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from adminline import invoke, run, run_json
from house import TOML, House

from harness.data import fbdialog
from harness.dialogue import Dialogue, Example
from harness.errors import RostrumError, SubmissionError
from leaderboard import datasets, hints, ledger, settings
from leaderboard.db.engine import open_database


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "deep" / "home"
    monkeypatch.setenv("ROSTRUM_HOME", str(folder))
    for name in ("ROSTRUM_DATABASE_URL", "ROSTRUM_BROKER_URL", "ROSTRUM_COMPETITION"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def installed(home: Path) -> Path:
    run("init")
    return home


@pytest.fixture
def loaded(installed: Path) -> Path:
    path = installed / "competition.toml"
    path.write_text(TOML)
    run("competition", "load", str(path))
    return installed


def data_file(folder: Path) -> Path:
    talk = Dialogue(
        id="1",
        persona=("i like owls .",),
        examples=(Example(("hello",), ("hi there",), ("bye", "hi there")),),
    )
    path = folder / "set.txt"
    fbdialog.write(path, [talk])
    return path


def test_init_makes_what_only_its_owner_may_read(home: Path) -> None:
    assert run_json("init")["made"] == ["home", "secret_key", "vault_key", "database"]
    assert home.stat().st_mode & 0o777 == 0o700
    for key in ("secret_key", "vault_key"):
        assert (home / key).stat().st_mode & 0o777 == 0o600
    assert len(settings.secret_key()) >= 32
    open_database().close()
    with closing(sqlite3.connect(home / "broker.db")) as broker:
        tables = {row[0] for row in broker.execute("SELECT name FROM sqlite_master")}
    assert {"kombu_message", "kombu_queue"} <= tables


def test_processes_that_start_at_once_find_the_queues_there(installed: Path) -> None:
    """Two that declared one themselves would collide, and the loser would take no more hints."""

    def queues() -> list[str]:
        with closing(sqlite3.connect(installed / "broker.db")) as broker:
            return [row[0] for row in broker.execute("SELECT name FROM kombu_queue ORDER BY name")]

    assert queues() == sorted(hints.channels())
    run("init")
    assert queues() == sorted(hints.channels())


def test_init_again_changes_nothing(installed: Path) -> None:
    key = settings.secret_key()
    (installed / "secret_key").chmod(0o644)
    assert run_json("init")["made"] == []
    assert settings.secret_key() == key
    assert (installed / "secret_key").stat().st_mode & 0o777 == 0o600
    assert "nothing, all was there" in run("init")


def test_two_homes_have_two_keys(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = settings.secret_key()
    monkeypatch.setenv("ROSTRUM_HOME", str(tmp_path / "second"))
    run("init")
    assert settings.secret_key() != key


def test_a_missing_or_short_key_names_the_command_that_makes_it(installed: Path) -> None:
    path = installed / "secret_key"
    path.write_bytes(b"short")
    with pytest.raises(RostrumError, match="fewer than 32"):
        settings.secret_key()
    path.unlink()
    with pytest.raises(RostrumError, match="cannot be read") as caught:
        settings.secret_key()
    assert "rostrum admin init" in caught.value.hint


def test_before_init_every_command_says_so(home: Path) -> None:
    result = invoke("teams", "list")
    assert isinstance(result.exception, RostrumError)
    assert "rostrum admin init" in result.exception.hint
    assert result.exception.exit_code == 2


def test_a_password_in_an_address_is_not_printed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROSTRUM_BROKER_URL", "amqp://user:canary@host//")
    assert run_json("init")["broker"] == "amqp://user:***@host//"


def test_a_competition_is_loaded_as_itself_or_under_another_id(loaded: Path) -> None:
    path = str(loaded / "competition.toml")
    assert run_json("competition", "load", path)["competition"] == {
        "id": "spc",
        "title": "A small competition",
        "demo": False,
    }
    document = run_json("competition", "load", path, "--id", "d", "--demo", "--seed", "3")
    assert document["competition"]["demo"] is True
    assert "Loaded competition spc: A small competition" in run("competition", "load", path)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["missing.toml"], "cannot be read: No such file"),
        (["{file}", "--seed", "3"], "--seed is for demos only"),
        (["{file}", "--id", "No!"], "competition.id is 'No!'"),
        (["{binary}"], "is not UTF-8"),
        (["{huge}"], "larger than"),
    ],
)
def test_a_competition_that_cannot_be_loaded_is_a_sentence(
    loaded: Path, arguments: list[str], reason: str
) -> None:
    (loaded / "binary").write_bytes(b"\xff\xfe")
    (loaded / "huge").write_bytes(b"#" * (1 << 20) + b"#")
    names = {"file": loaded / "competition.toml", "binary": loaded / "binary"}
    given = [each.format(**names, huge=loaded / "huge") for each in arguments]
    result = invoke("competition", "load", *given)
    assert isinstance(result.exception, RostrumError)
    assert reason in result.exception.message
    assert result.exception.exit_code == 2


def test_data_is_imported_listed_and_made_into_a_dictionary(loaded: Path) -> None:
    path = str(data_file(loaded))
    stored = run_json("data", "import", path, "--role", "test", "--hidden")["data_set"]
    assert (stored["visibility"], stored["examples"]) == ("hidden", 1)
    for role in ("train", "valid"):
        assert f"Stored {role} (public) of spc" in run("data", "import", path, "--role", role)
    assert "entries" in run("data", "dictionary")
    listed = run_json("data", "list")["data_sets"]
    assert [each["role"] for each in listed] == ["dictionary", "test", "train", "valid"]
    text = run("data", "list")
    assert "hidden" in text
    assert "hi there" not in text
    db = open_database()
    assert datasets.hidden_name(db, "spc", "test") == stored["name"]
    db.close()


def test_a_bad_line_is_refused_with_file_number_and_reason(loaded: Path) -> None:
    path = loaded / "bad.txt"
    path.write_text("1 your persona: i like owls .\nno number here\n")
    result = invoke("data", "import", str(path), "--role", "train")
    assert isinstance(result.exception, RostrumError)
    assert result.exception.message.startswith(f"{path}:2: ")
    assert invoke("data", "import", str(path), "--role", "tset").exit_code == 2


def test_a_team_gets_its_token_once(loaded: Path) -> None:
    added = run_json("teams", "add", "owls", "--repo", "https://git.example/owls")
    assert added["token"].startswith("rostrum_")
    assert added["team"]["branch"] == "main"
    assert "Token (shown once): rostrum_" in run(
        "teams", "add", "cats", "--repo", "x", "--baseline"
    )
    assert added["token"] not in run("teams", "list")
    teams = run_json("teams", "list")["teams"]
    assert [(team["name"], team["baseline"]) for team in teams] == [("owls", False), ("cats", True)]


def test_empty_lists_say_what_to_do(loaded: Path) -> None:
    assert "rostrum admin teams add" in run("teams", "list")
    assert "rostrum admin data import" in run("data", "list")
    assert "No submissions yet" in run("submissions", "list")
    assert run_json("submissions", "list") == {"competition": "spc", "submissions": []}


def test_a_grant_is_given_with_a_reason(loaded: Path) -> None:
    run("teams", "add", "owls", "--repo", "x")
    assert run_json("quota", "grant", "owls", "--reason", "a prize")["allowed"] == 2
    assert "0 of 3 scored runs" in run("quota", "grant", "owls", "--reason", "another")
    result = invoke("quota", "grant", "owls", "--reason", " ")
    assert isinstance(result.exception, RostrumError)
    assert invoke("quota", "grant", "owls").exit_code == 2


@pytest.fixture
def history(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """A scored, a failed and a waiting submission."""
    monkeypatch.setenv(
        "ROSTRUM_DATABASE_URL", house.db.engine.url.render_as_string(hide_password=False)
    )
    monkeypatch.delenv("ROSTRUM_COMPETITION", raising=False)
    house.score("owls", f1=0.168493, ppl=35.07129)
    work = house.preflight(house.accept("cats"))
    ledger.fail(house.db, work, SubmissionError("crashed", detail="import"))
    house.accept("\u00e9toile", ref="dev")
    return house


def test_submissions_are_listed_with_their_verdicts(history: House) -> None:
    found = run_json("submissions", "list")["submissions"]
    assert [(each["id"], each["state"]) for each in found] == [
        (3, "received"),
        (2, "failed"),
        (1, "scored"),
    ]
    assert found[1]["verdict"]["code"] == "crashed"
    assert found[1]["verdict"]["detail"] == "import"
    text = run("submissions", "list")
    assert "étoile" in text
    assert "crashed" in text


def test_a_submission_is_shown_unrounded_to_the_organizers(history: House) -> None:
    shown = run_json("submissions", "show", "1")
    ppl = shown["scores"]["ppl"]
    assert (ppl["value"], ppl["n"], ppl["sandbox"]) == (35.07129, 1450, "bubblewrap")
    assert (ppl["tokens"], ppl["unknown"], ppl["vocabulary"]) == (16_155, 149, 4_487)
    assert shown["scores"]["f1"]["value"] == 0.168493
    assert shown["scores"]["f1"]["signature"].startswith("track:f1|")
    assert shown["timeline"][1]["worker"] == "w1"
    assert shown["timeline"][-1]["to"] == "scored"
    text = run("submissions", "show", "1")
    assert "0.168493" in text
    assert "35.0713" in text


def test_an_infinite_score_is_null_with_a_note(history: House) -> None:
    history.score("dogs", ppl=float("inf"))
    score = run_json("submissions", "show", "4")["scores"]["ppl"]
    assert (score["value"], score["note"]) == (None, "infinite")


def test_a_failed_submission_says_what_to_do(history: House) -> None:
    text = run("submissions", "show", "2")
    assert "crashed (import)" in text
    assert "The agent crashed" in text
    assert "Run the same file by hand" in text
    assert isinstance(invoke("submissions", "show", "9").exception, RostrumError)


def test_the_installed_command_ends_with_a_sentence_and_code_2(home: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from harness.cli.main import main; main()",
            "admin",
            "teams",
            "list",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("rostrum: there is no database at ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("value", ["soon", "-1", "0", "nan", "inf"])
def test_a_setting_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("ROSTRUM_LOST_SECONDS", value)
    with pytest.raises(RostrumError, match="ROSTRUM_LOST_SECONDS is"):
        settings.lost_after()
