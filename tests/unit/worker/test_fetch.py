"""What a fetch brings, and what it refuses, against real repositories."""

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from gitrepos import Repo, Shelf

from harness.errors import OperatorError, SubmissionError
from worker.fetch import Access, Bounds, child, fetch, store
from worker.fetch.repository import wanted
from worker.stopped import Stopped

LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12345\n"


def refusal(action: Callable[[], object]) -> tuple[str, str | None]:
    with pytest.raises(SubmissionError) as refused:
        action()
    return refused.value.code, refused.value.detail


def test_a_branch_comes_as_a_read_only_tree_without_git(shelf: Shelf) -> None:
    repo = shelf.repo()
    repo.write("agent.py", "print('hi')\n")
    repo.write("weights/model.txt", "1 2 3\n")
    commit = repo.commit()
    fetched = shelf.fetch(repo)
    assert fetched.commit == commit
    assert (fetched.files, fetched.bytes) == (2, 18)
    assert (fetched.path / "agent.py").read_text() == "print('hi')\n"
    assert not (fetched.path / ".git").exists()
    assert oct((fetched.path / "agent.py").stat().st_mode)[-3:] == "444"
    assert oct((fetched.path / "weights").stat().st_mode)[-3:] == "555"
    assert (fetched.path / "agent.py").stat().st_uid == os.geteuid()
    assert shelf.leftovers() == []


def test_a_commit_is_fetched_exactly_even_when_the_branch_moved_on(shelf: Shelf) -> None:
    repo = shelf.repo()
    repo.write("a.py", "1\n")
    first = repo.commit()
    repo.write("a.py", "2\n")
    repo.commit()
    assert (shelf.fetch(repo, first).path / "a.py").read_text() == "1\n"
    assert (shelf.fetch(repo, "main").path / "a.py").read_text() == "2\n"


def test_the_same_commit_is_not_fetched_twice(shelf: Shelf) -> None:
    repo = shelf.repo()
    repo.write("a.py")
    first = shelf.fetch(repo, repo.commit())
    repo.path.joinpath(".git").rename(repo.path / "gone")
    assert shelf.fetch(repo, first.commit) == first


def test_a_bare_repository_of_another_owner_is_read_all_the_same(shelf: Shelf) -> None:
    repo = shelf.repo()
    repo.write("a.py")
    repo.commit()
    bare = Repo(shelf.root / "bare.git")
    repo.git("clone", "--quiet", "--bare", ".", str(bare.path))
    if os.geteuid() == 0:
        for folder, _, files in os.walk(bare.path):
            os.chown(folder, 12_345, 12_345)
            for name in files:
                os.chown(Path(folder) / name, 12_345, 12_345)
    assert shelf.fetch(bare).files == 1


@pytest.mark.parametrize(
    "ref", ["missing", "0" * 40, "-x", "--upload-pack=touch x", "a..b", "a b", "a.lock", ".a", "a/"]
)
def test_what_is_not_there_or_no_branch_is_not_found(shelf: Shelf, ref: str) -> None:
    repo = shelf.repo()
    repo.write("a.py")
    repo.commit()
    assert refusal(lambda: shelf.fetch(repo, ref)) == ("commit_not_found", None)
    assert shelf.leftovers() == []


def test_a_branch_named_like_an_option_is_only_a_name(shelf: Shelf) -> None:
    repo = shelf.repo()
    repo.write("a.py")
    commit = repo.commit()
    repo.git("update-ref", "refs/heads/--upload-pack=touch", commit)
    assert refusal(lambda: shelf.fetch(repo, "--upload-pack=touch")) == ("commit_not_found", None)
    assert wanted("refs/heads/main") == ("refs/heads/main",)


def test_the_id_of_a_file_is_no_commit(shelf: Shelf) -> None:
    repo = shelf.repo()
    repo.write("a.py")
    repo.commit()
    blob = repo.git("rev-parse", "HEAD:a.py")
    assert refusal(lambda: shelf.fetch(repo, blob)) == ("commit_not_found", None)


def test_a_submodule_is_refused(shelf: Shelf) -> None:
    repo = shelf.repo()
    repo.write("a.py")
    commit = repo.commit()
    repo.commit_entry("160000", commit, "vendored")
    assert refusal(lambda: shelf.fetch(repo)) == ("clone_refused", "submodule")


@pytest.mark.parametrize(
    "target",
    ["/etc/passwd", "../outside", "../../etc/passwd", "missing", "folder", ".", "x" * 2000],
)
def test_a_link_that_leaves_the_tree_is_refused(shelf: Shelf, target: str) -> None:
    repo = shelf.repo()
    repo.write("folder/a.py")
    repo.commit()
    repo.commit_entry("120000", repo.blob(target), "link")
    assert refusal(lambda: shelf.fetch(repo)) == ("clone_refused", "link")


def test_a_link_to_a_file_of_the_tree_comes_as_that_file(shelf: Shelf) -> None:
    repo = shelf.repo()
    repo.write("folder/a.py", "here\n")
    (repo.path / "folder" / "link.py").symlink_to("../folder/a.py")
    repo.commit()
    link = shelf.fetch(repo).path / "folder" / "link.py"
    assert link.read_text() == "here\n"
    assert not link.is_symlink()


def test_a_link_counts_with_the_bytes_of_its_file(shelf: Shelf) -> None:
    repo = shelf.repo()
    repo.write("a.txt", "x" * 600)
    (repo.path / "link").symlink_to("a.txt")
    repo.commit()
    assert refusal(lambda: shelf.fetch(repo, max_bytes=1000)) == ("repo_too_large", "bytes")


def test_a_pointer_to_lfs_is_refused(shelf: Shelf) -> None:
    repo = shelf.repo()
    repo.write("model.safetensors", LFS)
    repo.commit()
    assert refusal(lambda: shelf.fetch(repo)) == ("clone_refused", "lfs")


def test_hooks_filters_and_attributes_stay_inert(shelf: Shelf) -> None:
    repo = shelf.repo()
    mark = shelf.root.parent / "mark"
    repo.write(
        ".gitattributes", "*.py filter=evil text eol=crlf export-ignore\n*.txt export-subst\n"
    )
    repo.write("a.py", "one\n")
    repo.write("b.txt", "$Format:%H$\n")
    commit = repo.commit()
    for section in ("filter.evil.smudge", "uploadpack.packObjectsHook", "core.fsmonitor"):
        repo.git("config", section, f"touch {mark}")
    for hook in ("post-checkout", "reference-transaction", "pre-receive", "post-index-change"):
        path = repo.path / ".git" / "hooks" / hook
        path.write_text(f"#!/bin/sh\ntouch {mark}\n")
        path.chmod(0o755)
    fetched = shelf.fetch(repo, commit)
    assert (fetched.path / "a.py").read_bytes() == b"one\n"
    assert (fetched.path / "b.txt").read_bytes() == b"$Format:%H$\n"
    assert not mark.exists()


def test_too_many_bytes_are_refused_before_they_are_written(shelf: Shelf) -> None:
    repo = shelf.repo()
    repo.write("zeros.txt", "0" * 2_000_000)
    repo.commit()
    assert refusal(lambda: shelf.fetch(repo, max_bytes=1_000_000)) == ("repo_too_large", "bytes")
    assert shelf.fetch(repo, max_bytes=2_000_000).bytes == 2_000_000


def test_a_file_that_unpacks_to_far_more_is_refused_in_bounded_space(shelf: Shelf) -> None:
    repo = shelf.repo()
    with (repo.path / "bomb").open("wb") as bomb:
        bomb.truncate(300 << 20)
    repo.commit()
    begin = time.monotonic()
    assert refusal(lambda: shelf.fetch(repo)) == ("repo_too_large", "bytes")
    assert time.monotonic() - begin < 30
    assert shelf.leftovers() == []


def test_too_many_files_are_refused(shelf: Shelf) -> None:
    repo = shelf.repo()
    blob = repo.blob("x")
    repo.commit_tree("".join(f"100644 blob {blob}\tf{n}\n" for n in range(101)))
    assert refusal(lambda: shelf.fetch(repo)) == ("repo_too_large", "files")
    assert shelf.fetch(repo, max_files=101).files == 101


def test_a_hundred_thousand_files_are_refused_soon(shelf: Shelf) -> None:
    repo = shelf.repo()
    blob = repo.blob("x")
    repo.commit_tree("".join(f"100644 blob {blob}\tf{n}\n" for n in range(100_000)))
    begin = time.monotonic()
    assert refusal(lambda: shelf.fetch(repo)) == ("repo_too_large", "files")
    assert time.monotonic() - begin < 30


@pytest.mark.parametrize("name", [".git", "..", "."])
def test_names_that_lead_elsewhere_are_refused(shelf: Shelf, name: str) -> None:
    repo = shelf.repo()
    inner = repo.git("mktree", text=f"100644 blob {repo.blob('x')}\tconfig\n")
    repo.commit_tree(f"040000 tree {inner}\t{name}\n")
    assert refusal(lambda: shelf.fetch(repo)) == ("clone_refused", "damaged")


@pytest.mark.parametrize("name", ["bad\tname", "escape\x1b[31m", "bidi\u202ename", "n" * 256])
def test_names_that_cannot_be_shown_or_written_are_refused(shelf: Shelf, name: str) -> None:
    repo = shelf.repo()
    repo.commit_entry("100644", repo.blob("x"), name)
    assert refusal(lambda: shelf.fetch(repo)) == ("clone_refused", "damaged")


def test_a_folder_that_is_no_repository_is_refused(shelf: Shelf) -> None:
    (shelf.root / "plain").mkdir()
    assert refusal(lambda: shelf.fetch(str(shelf.root / "plain"))) == ("clone_refused", "access")


def test_a_damaged_repository_is_refused(shelf: Shelf) -> None:
    repo = shelf.repo()
    repo.write("a.py")
    repo.commit()
    tree = repo.git("rev-parse", "HEAD^{tree}")
    (repo.path / ".git" / "objects" / tree[:2] / tree[2:]).unlink()
    code, _ = refusal(lambda: shelf.fetch(repo))
    assert code == "clone_refused"


def test_an_object_that_is_a_link_to_a_file_of_ours_is_not_copied(shelf: Shelf) -> None:
    repo = shelf.repo()
    repo.write("a.py")
    repo.commit()
    blob = repo.git("rev-parse", "HEAD:a.py")
    stored = repo.path / ".git" / "objects" / blob[:2] / blob[2:]
    stored.unlink()
    stored.symlink_to("/etc/passwd")
    code, _ = refusal(lambda: shelf.fetch(repo))
    assert code == "clone_refused"


def test_the_deadline_ends_the_child_and_all_that_it_started(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_child(shelf, monkeypatch)
    begin = time.monotonic()
    assert refusal(lambda: shelf.fetch("/x", seconds=1.0)) == ("clone_refused", "timeout")
    assert time.monotonic() - begin < 10
    pid = int((shelf.root / "grandchild").read_text())
    assert ended(pid)


def test_a_stop_ends_the_fetch(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_child(shelf, monkeypatch)
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    with pytest.raises(Stopped):
        fetch("/x", "main", store=shelf.store, bounds=Bounds(), access=Access(), stop=stop)
    assert shelf.leftovers() == []


@pytest.mark.parametrize("line", ["", "not json", "[]", '{"error": "x"}', "x" * 100_000])
def test_a_child_that_answers_nonsense_is_our_fault(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    program = shelf.root / "answers"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{line}\nEND\n")
    program.chmod(0o755)
    monkeypatch.setattr(child.sys, "executable", str(program))
    with pytest.raises(OperatorError) as bug:
        shelf.fetch("/x")
    assert bug.value.code == "evaluator_bug"


def test_git_sees_nothing_of_the_workers_environment(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, seen = shelf.root / "python", shelf.root / "seen"
    program.write_text(f'#!/bin/sh\nenv > {seen}\necho \'{{"error": "commit_not_found"}}\'\n')
    program.chmod(0o755)
    monkeypatch.setattr(child.sys, "executable", str(program))
    monkeypatch.setenv("ROSTRUM_DATABASE_URL", "canary")
    assert refusal(lambda: shelf.fetch("/x")) == ("commit_not_found", None)
    assert "canary" not in seen.read_text()


def test_facts_beside_the_tree_say_what_it_holds(shelf: Shelf) -> None:
    repo = shelf.repo()
    repo.write("a.py", "12345")
    fetched = shelf.fetch(repo, repo.commit())
    facts = fetched.path.with_name(f"{fetched.commit}.json")
    assert json.loads(facts.read_text()) == {"bytes": 5, "files": 1}


def test_trees_that_nobody_used_for_long_are_pruned(shelf: Shelf) -> None:
    repo = shelf.repo()
    repo.write("folder/a.py")
    old = shelf.fetch(repo, repo.commit())
    repo.write("folder/a.py", "new\n")
    new = shelf.fetch(repo, repo.commit())
    ruin = shelf.store / f"{store.SCRATCH_PREFIX}ruin"
    ruin.mkdir()
    later = time.time() + store.KEEP_SECONDS + 10
    for kept in (new.path.with_name(f"{new.commit}.json"), ruin):
        os.utime(kept, (later, later))
    assert store.prune(shelf.store, now=later) == 1
    assert not old.path.exists()
    assert new.path.is_dir()
    assert store.prune(shelf.store, now=later + store.RUIN_SECONDS + 10) == 1
    assert not ruin.exists()
    assert shelf.fetch(repo, old.commit) == old


def test_a_tree_that_is_used_is_kept(shelf: Shelf) -> None:
    repo = shelf.repo()
    repo.write("a.py")
    fetched = shelf.fetch(repo, repo.commit())
    facts = fetched.path.with_name(f"{fetched.commit}.json")
    os.utime(facts, (0, 0))
    shelf.fetch(repo, fetched.commit)
    assert store.prune(shelf.store) == 0


def test_a_tree_that_a_lock_keeps_is_never_pruned(shelf: Shelf) -> None:
    repo = shelf.repo()
    repo.write("a.py")
    fetched = shelf.fetch(repo, repo.commit())
    os.utime(fetched.path.with_name(f"{fetched.commit}.json"), (0, 0))
    assert store.prune(shelf.store, keep=frozenset({fetched.commit})) == 0
    assert fetched.path.is_dir()
    assert store.prune(shelf.store) == 1


def slow_child(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that starts another and waits for ever."""
    program = shelf.root / "sleeps"
    program.write_text(f"#!/bin/sh\nsleep 600 &\necho $! > {shelf.root}/grandchild\nwait\n")
    program.chmod(0o755)
    monkeypatch.setattr(child.sys, "executable", str(program))


def ended(pid: int) -> bool:
    """Whether the process is gone, or only its name is left, within two seconds."""
    for _ in range(40):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False
