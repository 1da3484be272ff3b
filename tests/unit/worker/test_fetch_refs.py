"""Branches, tags and commits become one full id; a private tree is given to its owner alone."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from gitrepos import Repo, Shelf

from harness.errors import SubmissionError
from leaderboard.vault import Secret
from worker.fetch import Access, Bounds, child, fetch, resolve
from worker.fetch.repository import wanted


def refusal(action: Callable[[], object]) -> tuple[str, str | None]:
    with pytest.raises(SubmissionError) as refused:
        action()
    return refused.value.code, refused.value.detail


def named(shelf: Shelf, ref: str, name: str = "team") -> str:
    return resolve(
        str(shelf.root / name), ref, store=shelf.store, seconds=60, access=Access(shelf.root)
    )


@pytest.fixture
def tagged(shelf: Shelf) -> tuple[Repo, str, str]:
    """A repository whose first commit has a light and an annotated tag; its first and last id."""
    repo = shelf.repo()
    repo.write("a.py", "1\n")
    first = repo.commit()
    repo.git("tag", "light")
    repo.git("tag", "--annotate", "-m", "a release", "v1.0")
    repo.git("tag", "--annotate", "-m", "a tag of a tag", "v1.0-again", "v1.0")
    repo.write("a.py", "2\n")
    return repo, first, repo.commit()


def test_tags_stand_for_their_commit(shelf: Shelf, tagged: tuple[Repo, str, str]) -> None:
    repo, first, last = tagged
    for ref in ("light", "v1.0", "refs/tags/v1.0", "v1.0-again"):
        assert shelf.fetch(repo, ref).commit == named(shelf, ref) == first
    for ref in ("main", "refs/heads/main"):
        assert shelf.fetch(repo, ref).commit == named(shelf, ref) == last
    assert named(shelf, first) == first


def test_packed_tags_are_tags(shelf: Shelf, tagged: tuple[Repo, str, str]) -> None:
    repo, first, _ = tagged
    repo.git("pack-refs", "--all")
    repo.git("gc", "--quiet")
    assert shelf.fetch(repo, "v1.0").commit == named(shelf, "light") == first


def test_a_branch_wins_over_a_tag_of_its_name(shelf: Shelf, tagged: tuple[Repo, str, str]) -> None:
    repo, first, last = tagged
    repo.git("branch", "v1.0")
    assert shelf.fetch(repo, "v1.0").commit == named(shelf, "v1.0") == last
    assert shelf.fetch(repo, "refs/tags/v1.0").commit == named(shelf, "refs/tags/v1.0") == first


def test_a_tag_of_a_file_is_no_commit(shelf: Shelf, tagged: tuple[Repo, str, str]) -> None:
    repo, *_ = tagged
    repo.git("tag", "blob", repo.git("rev-parse", "HEAD:a.py"))
    assert refusal(lambda: shelf.fetch(repo, "blob")) == ("commit_not_found", None)


def test_only_a_whole_name_is_found(shelf: Shelf, tagged: tuple[Repo, str, str]) -> None:
    repo, *_ = tagged
    for ref in ("missing", "refs/tags/main", "refs/heads/v1.0", "ain", "1.0"):
        assert refusal(lambda r=ref: named(shelf, r)) == ("commit_not_found", None)  # type: ignore[misc]  # a lambda with a default
    assert refusal(lambda: shelf.fetch(repo, "refs/tags/main")) == ("commit_not_found", None)


@pytest.mark.parametrize(
    "ref", ["", "-u", "--upload-pack=x", "refs/notes/x", "refs/heads/", "refs/heads/-x", "a:b", "*"]
)
def test_what_git_takes_for_something_else_is_no_name(ref: str) -> None:
    if ref == "refs/notes/x":  # a branch may be called so, and nothing but a branch or tag is asked
        assert wanted(ref) == ("refs/heads/refs/notes/x", "refs/tags/refs/notes/x")
        return
    assert refusal(lambda: wanted(ref)) == ("commit_not_found", None)


def test_resolving_leaves_nothing_behind(shelf: Shelf, tagged: tuple[Repo, str, str]) -> None:
    named(shelf, "main")
    assert shelf.leftovers() == []
    assert list(shelf.store.iterdir()) == []
    assert refusal(lambda: named(shelf, "main", "missing")) == ("clone_refused", "address")


def test_objects_that_are_borrowed_from_elsewhere_do_not_come(shelf: Shelf) -> None:
    other = shelf.repo("other")
    other.write("secret.py")
    commit = other.commit()
    thief = shelf.repo("thief")
    thief.write("a.py")
    thief.commit()
    borrowed = thief.path / ".git" / "objects" / "info" / "alternates"
    borrowed.write_text(f"{other.path}/.git/objects\n", "utf-8")
    thief.git("update-ref", "refs/heads/stolen", commit)
    code, _ = refusal(lambda: shelf.fetch(thief, "stolen"))
    assert code in ("clone_refused", "commit_not_found")


def test_a_private_tree_is_given_to_its_owner_alone(
    shelf: Shelf, tagged: tuple[Repo, str, str]
) -> None:
    """Who knows the address and the commit of another team gets nothing from our disk."""
    repo, first, _ = tagged
    secret = Secret("https", "u", "t")

    def owned(owner: str, opened_by: Secret | None) -> Path:
        return fetch(
            str(repo.path),
            first,
            store=shelf.store,
            bounds=Bounds(1 << 20, 100, 60),
            access=Access(shelf.root),
            secret=opened_by,
            owner=owner,
        ).path

    mine = owned("team 1", secret)
    (repo.path / ".git").rename(repo.path / "gone")
    assert owned("team 1", secret) == owned("team 1", None) == mine  # a key may be gone later
    for owner, opened_by in (("team 2", secret), ("team 2", None), ("", None)):
        assert refusal(lambda o=owner, s=opened_by: owned(o, s)) == ("clone_refused", "access")  # type: ignore[misc]  # a lambda with defaults


def test_a_tree_that_was_public_is_not_fetched_again_for_a_key(
    shelf: Shelf, tagged: tuple[Repo, str, str]
) -> None:
    repo, first, _ = tagged
    public = shelf.fetch(repo, first)
    (repo.path / ".git").rename(repo.path / "gone")
    again = fetch(
        str(repo.path),
        first,
        store=shelf.store,
        bounds=Bounds(),
        access=Access(),
        secret=Secret("https", "u", "t"),
        owner="team 1",
    )
    assert again == public


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives users away")
def test_two_fetches_at_once_run_as_two_users(shelf: Shelf) -> None:
    with child.scratch(shelf.store) as one, child.scratch(shelf.store) as two:
        assert one[1] != two[1]
        for folder, uid in (one, two):
            assert (folder.stat().st_uid, folder.stat().st_mode & 0o777) == (uid, 0o700)
    assert shelf.leftovers() == []
