"""What a tree says of itself, however strangely it says it."""

from pathlib import Path

import pytest

from harness.agent import TRACKS
from harness.errors import SubmissionError
from worker.entry import entered, entry_name


def test_the_tracks_are_the_files_that_the_competition_offers(tmp_path: Path) -> None:
    for name in ("eval_ppl.py", "eval_hits.py", "eval_extra.py"):
        (tmp_path / name).write_text("")
    assert entered(tmp_path, offered=TRACKS) == ("hits", "ppl")
    assert entered(tmp_path, offered=("hits", "f1")) == ("hits",)


def test_a_folder_with_the_name_of_a_track_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "eval_f1.py").mkdir()
    with pytest.raises(SubmissionError) as refused:
        entered(tmp_path, offered=TRACKS)
    assert refused.value.code == "no_track_file"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('name = "ranker"', "ranker"),
        ('name = "  two\\n lines \\t"', "two lines"),
        ('name = "esc \\u001b[31m red \\u202e"', "esc [31m red"),
        (f'name = "{"x" * 200}"', "x" * 60),
        ('name = ""', "team"),
        ("name = 3", "team"),
        ("nonsense", "team"),
        ("[name]\nx = 1", "team"),
        ("a = " + "[" * 5000, "team"),
        ("", "team"),
    ],
)
def test_the_name_is_one_harmless_line_or_the_teams(tmp_path: Path, text: str, name: str) -> None:
    (tmp_path / "rostrum.toml").write_text(text, "utf-8")
    assert entry_name(tmp_path, default="team") == name


def test_bytes_that_are_no_text_give_the_teams_name(tmp_path: Path) -> None:
    (tmp_path / "rostrum.toml").write_bytes(b"name = '\xff'")
    assert entry_name(tmp_path, default="team") == "team"
    assert entry_name(tmp_path / "missing", default="team") == "team"
