"""A participant's folder as the server would have it: what a commit holds, what it does not."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from harness.errors import SubmissionError, UsageError
from worker.check import notes
from worker.check.folder import Bounds, Copied, Folder, copy

BOUNDS = Bounds(max_bytes=10_000, max_files=20, large_bytes=50_000)
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12345678\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A submission in a plain folder."""
    root = tmp_path / "mine"
    root.mkdir()
    (root / "agent.py").write_text("class Agent: ...\n")
    (root / "eval_f1.py").write_text("from agent import Agent\n")
    return root


@pytest.fixture
def repository(folder: Path) -> Path:
    """The same, committed."""
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    commit(folder)
    return folder


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", "-C", str(folder), *arguments],
        check=True,
        capture_output=True,
        env={"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": "/nonexistent"},
    )


def commit(folder: Path) -> None:
    git(folder, "-c", "user.name=o", "-c", "user.email=o@example.org", "commit", "-q", "-m", "x")


def copied(folder: Path, bounds: Bounds = BOUNDS) -> Copied:
    return copy(Folder.open(folder), folder.parent / "tree", bounds=bounds)


def names(tree: Path) -> set[str]:
    return {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}


def told(folder: Path) -> str:
    return " / ".join(notes.of_tree(Folder.open(folder)))


def refusal(folder: Path, bounds: Bounds = BOUNDS) -> SubmissionError:
    with pytest.raises(SubmissionError) as refused:
        copied(folder, bounds)
    return refused.value


def test_a_plain_folder_is_taken_whole_but_for_caches(folder: Path) -> None:
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "agent.pyc").write_bytes(b"x")
    (folder / "data").mkdir()
    (folder / "data" / "words.txt").write_text("w")
    assert copied(folder).files == 3
    assert names(folder.parent / "tree") == {"agent.py", "eval_f1.py", "data/words.txt"}
    assert told(folder) == ""


def test_the_copy_is_read_only_as_the_servers(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "words.txt").write_text("w")
    copied(folder)
    tree = folder.parent / "tree"
    assert (tree / "data").stat().st_mode & 0o777 == 0o555
    assert (tree / "data" / "words.txt").stat().st_mode & 0o777 == 0o444


def test_a_clean_repository_has_no_remark(repository: Path) -> None:
    assert copied(repository).files == 2
    assert told(repository) == ""


def test_what_is_not_committed_is_looked_at_and_told(repository: Path) -> None:
    (repository / "helper.py").write_text("x = 1\n")
    (repository / "agent.py").write_text("changed\n")
    assert copied(repository).files == 3
    assert "not committed yet" in told(repository)
    assert "agent.py, helper.py" in told(repository)


def test_what_git_ignores_is_left_out_and_told_with_its_size(repository: Path) -> None:
    (repository / ".gitignore").write_text("*.bin\n__pycache__/\n")
    (repository / "weights.bin").write_bytes(bytes(2048))
    (repository / "__pycache__").mkdir()
    (repository / "__pycache__" / "a.pyc").write_bytes(b"x")
    git(repository, "add", ".gitignore")
    commit(repository)
    assert copied(repository).files == 3
    assert told(repository) == "left out, as .gitignore says: weights.bin (2 KiB)"


def test_a_deleted_file_is_gone(repository: Path) -> None:
    (repository / "agent.py").unlink()
    assert copied(repository).files == 1


def test_a_folder_inside_of_a_repository_is_a_plain_one(repository: Path) -> None:
    inner = repository / "inner"
    inner.mkdir()
    (inner / "eval_f1.py").write_text("")
    assert Folder.open(inner).listed is None
    assert copied(inner).files == 1


def test_strange_names_are_kept_or_refused_as_by_the_fetch(repository: Path) -> None:
    (repository / "with space é.py").write_text("")
    assert copied(repository).files == 3
    (repository / "line\nbreak").write_text("")
    with pytest.raises(SubmissionError) as refused:
        copy(Folder.open(repository), repository.parent / "t2", bounds=BOUNDS)
    assert refused.value.detail == "damaged"


def test_a_link_inside_is_followed_and_one_out_is_refused_by_name(folder: Path) -> None:
    (folder / "alias.py").symlink_to("agent.py")
    copied(folder)
    assert not (folder.parent / "tree" / "alias.py").is_symlink()
    (folder / "out.txt").symlink_to("/etc/hostname")
    with pytest.raises(SubmissionError, match=r"out\.txt") as refused:
        copy(Folder.open(folder), folder.parent / "t2", bounds=BOUNDS)
    assert (refused.value.code, refused.value.detail) == ("clone_refused", "link")


def test_too_large_names_the_largest_file(folder: Path) -> None:
    (folder / "big.bin").write_bytes(bytes(10_001))
    error = refusal(folder)
    assert (error.code, error.detail) == ("repo_too_large", "bytes")
    assert "big.bin, 10,001 bytes" in error.message


def test_too_many_files(folder: Path) -> None:
    for number in range(20):
        (folder / f"f{number}").write_text("")
    assert refusal(folder).detail == "files"


def test_a_submodule_is_refused_by_name(repository: Path) -> None:
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},vendored")
    error = refusal(repository)
    assert (error.detail, "vendored" in error.message) == ("submodule", True)


# ---- large files -------------------------------------------------------------------------------


def test_a_pointer_says_how_to_bring_the_file(folder: Path) -> None:
    (folder / "model.bin").write_text(POINTER)
    error = refusal(folder)
    assert (error.code, error.detail) == ("clone_refused", "lfs")
    assert "model.bin" in error.message
    assert "git lfs pull" in error.message


def test_an_object_of_lfs_counts_as_large_not_as_a_file_of_the_commit(repository: Path) -> None:
    (repository / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    (repository / "model.bin").write_bytes(bytes(20_000))
    found = copied(repository)
    assert (found.large, found.large_bytes) == (1, 20_000)
    assert found.bytes < 1000
    assert (repository.parent / "tree" / "model.bin").stat().st_size == 20_000


def weights(folder: Path, content: bytes, *, size: int | None = None) -> None:
    (folder / "rostrum.toml").write_text(
        '[[weights]]\npath = "w/model.bin"\nurl = "https://weights.example.org/m"\n'
        f'sha256 = "{hashlib.sha256(content).hexdigest()}"\nbytes = {size or len(content)}\n'
    )


def test_weights_are_taken_from_the_folder(folder: Path) -> None:
    weights(folder, b"x" * 5000)
    (folder / "w").mkdir()
    (folder / "w" / "model.bin").write_bytes(b"x" * 5000)
    assert copied(folder).large_bytes == 5000
    assert (folder.parent / "tree" / "w" / "model.bin").read_bytes() == b"x" * 5000


@pytest.mark.parametrize(
    ("content", "detail"), [(None, "weights_missing"), (b"y" * 5000, "large_content")]
)
def test_weights_that_are_not_here_or_not_these(
    folder: Path, content: bytes | None, detail: str
) -> None:
    weights(folder, b"x" * 5000)
    if content is not None:
        (folder / "w").mkdir()
        (folder / "w" / "model.bin").write_bytes(content)
    error = refusal(folder)
    assert (error.code, error.detail) == ("clone_refused", detail)
    assert "w/model.bin" in error.message


def test_large_files_have_a_limit_of_their_own(folder: Path) -> None:
    weights(folder, b"x" * 60_000)
    (folder / "w").mkdir()
    (folder / "w" / "model.bin").write_bytes(b"x" * 60_000)
    assert refusal(folder).detail == "large"


@pytest.mark.parametrize("made", [True, False])
def test_what_is_no_folder_is_one_sentence(tmp_path: Path, made: bool) -> None:
    place = tmp_path / "x"
    if made:
        place.write_text("")
    with pytest.raises(UsageError, match="name the folder that holds the eval_"):
        Folder.open(place)
