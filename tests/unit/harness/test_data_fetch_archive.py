"""Unpacking without trust, and a set that comes from an archive at hand; no socket is opened."""

import hashlib
import io
import json
import random
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli import data_fetch
from harness.data import archive, cache, load
from harness.data.archive import unpack
from harness.data.download import download
from harness.data.fetch import FETCHABLE, Fetchable, fetch
from harness.errors import RostrumError, UsageError

TALK = b"1 your persona: i like tea .\n2 hi\thello !\n"
NEEDED = FETCHABLE["convai2"].needed


def packed(path: Path, entries: list[tuple[str, bytes, bytes]]) -> Path:
    """An archive of (name, type of tar, content or target)."""
    with tarfile.open(path, "w:gz") as tar:
        for name, kind, content in entries:
            entry = tarfile.TarInfo(name)
            entry.type = kind
            if kind == tarfile.REGTYPE:
                entry.size = len(content)
            else:
                entry.linkname = content.decode()
            tar.addfile(entry, io.BytesIO(content))
    return path


def file(name: str, content: bytes = TALK) -> tuple[str, bytes, bytes]:
    return name, tarfile.REGTYPE, content


@pytest.fixture
def row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fetchable:
    """The row of the set `made.tgz` in this folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = packed(tmp_path / "made.tgz", [file(f"./{name}") for name in NEEDED])
    return replace(FETCHABLE["convai2"], sha256=hashlib.sha256(made.read_bytes()).hexdigest())


def test_known_files_are_unpacked_from_any_folder_and_others_passed_over(tmp_path: Path) -> None:
    made = packed(
        tmp_path / "a.tgz",
        [("data", tarfile.DIRTYPE, b""), file("data/a.txt"), file("README"), file("./b.txt", b"")],
    )
    (tmp_path / "out").mkdir()

    sizes = unpack(made, tmp_path / "out", members={"a.txt", "b.txt", "c.txt"}, max_bytes=1000)

    assert sizes == {"a.txt": len(TALK), "b.txt": 0}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a.txt", "b.txt"}
    assert (tmp_path / "out" / "a.txt").read_bytes() == TALK


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ([file("../a.txt")], "'../a.txt' leads out of its folder"),
        ([file("/etc/a.txt")], "leads out of its folder"),
        ([("a.txt", tarfile.SYMTYPE, b"/etc/passwd")], "'a.txt' is neither a file nor a folder"),
        ([file("x"), ("a.txt", tarfile.LNKTYPE, b"x")], "is neither a file nor a folder"),
        ([("a.txt", tarfile.CHRTYPE, b"")], "is neither a file nor a folder"),
        ([("a.txt", tarfile.FIFOTYPE, b"")], "is neither a file nor a folder"),
        ([file("a.txt"), file("x/a.txt")], "a.txt stands in it twice"),
        ([file("a.txt", bytes(1001))], "its files have more than 1,000 bytes"),
        ([file(str(n)) for n in range(4)], "it has more than 3 members"),
    ],
)
def test_an_archive_that_is_up_to_something_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    entries: list[tuple[str, bytes, bytes]],
    reason: str,
) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    made = packed(tmp_path / "a.tgz", entries)
    with pytest.raises(UsageError, match=f"cannot unpack {made}: .*{reason}"):
        unpack(made, tmp_path, members={"a.txt"}, max_bytes=1000)


@pytest.mark.parametrize("keep", [0, 5, 60, 2000])
def test_an_archive_that_is_none_is_refused(tmp_path: Path, keep: int) -> None:
    made = packed(tmp_path / "a.tgz", [file("a.txt", random.Random(0).randbytes(3000))])
    made.write_bytes(made.read_bytes()[:keep] if keep else b"<html>")
    (tmp_path / "out").mkdir()

    with pytest.raises(UsageError, match="cannot unpack"):
        unpack(made, tmp_path / "out", members={"a.txt"}, max_bytes=10**6)


def test_an_archive_at_hand_becomes_the_set(row: Fetchable, tmp_path: Path) -> None:
    found = fetch(row, archive=tmp_path / "made.tgz")

    assert (found.new, found.folder) == (True, cache.folder("convai2"))
    assert load("convai2:train_self_original")[0].persona == ("i like tea .",)
    assert (found.folder.stat().st_mode & 0o777) == 0o755
    assert (tmp_path / "made.tgz").exists()
    assert not fetch(row).new


def test_another_archive_is_refused_with_both_sums(row: Fetchable, tmp_path: Path) -> None:
    other = tmp_path / "page.html"
    other.write_bytes(b"<html>")
    with pytest.raises(UsageError, match=f"its sha256 is [0-9a-f]{{64}}, not {row.sha256}"):
        fetch(row, archive=other)
    with pytest.raises(UsageError, match=r"cannot read .*absent\.tgz: No such file"):
        fetch(row, archive=tmp_path / "absent.tgz")


def test_what_cannot_be_installed_leaves_the_former_set_and_nothing_else(
    row: Fetchable, tmp_path: Path
) -> None:
    folder = fetch(row, archive=tmp_path / "made.tgz").folder
    (folder.parent / ".convai2.killed").mkdir()
    poor = packed(tmp_path / "poor.tgz", [file(NEEDED[0])])
    row = replace(row, sha256=hashlib.sha256(poor.read_bytes()).hexdigest())

    with pytest.raises(UsageError, match=r"poor\.tgz holds no valid_self_original\.txt"):
        fetch(row, archive=poor)
    assert load("convai2:valid_self_original")
    assert {path.name for path in folder.parent.iterdir()} == {"convai2", "convai2.lock"}


def test_a_cache_that_cannot_be_written_is_one_sentence(
    row: Fetchable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(RostrumError, match=r"cannot fetch convai2: .*Not a directory") as caught:
        fetch(row, archive=tmp_path / "made.tgz")
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://a/b", "data:,x", "a.tgz", ""])
def test_an_address_that_is_not_of_the_web_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError, match="is no http or https address"):
        download(url, tmp_path / "part", max_bytes=10)


def test_the_command_says_where_the_set_is(
    row: Fetchable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_fetch, "FETCHABLE", {"convai2": row})
    run = CliRunner().invoke
    made = str(tmp_path / "made.tgz")

    first = run(data_fetch.fetch, ["convai2", "--archive", made])
    second = run(data_fetch.fetch, ["convai2", "--archive", made])
    as_json = run(data_fetch.fetch, ["convai2", "--force", "--archive", made, "--json"])

    folder = tmp_path / "cache" / "rostrum" / "convai2"
    assert first.output == (
        f"convai2 fetched: 2 files, 0.0 MB in {folder}\n"
        "look at one with: rostrum data show convai2:valid_self_original\n"
    )
    assert "convai2 is there already (--force fetches it again)" in second.output
    assert json.loads(as_json.output) == {
        "name": "convai2",
        "directory": str(folder),
        "new": True,
        "files": dict.fromkeys(NEEDED, len(TALK)),
    }


def test_the_command_asked_wrongly_says_so() -> None:
    both = ["convai2", "--url", "http://x", "--archive", "y"]
    for options, reason in ((["convai3"], "'convai3' is not 'convai2'"), (both, "exclude each")):
        result = CliRunner().invoke(data_fetch.fetch, options)
        assert result.exit_code == 2
        assert reason in result.output
