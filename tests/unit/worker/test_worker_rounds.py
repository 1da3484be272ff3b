"""A round's repositories are asked a few at a time; who is silent holds up nobody."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from harness.errors import OperatorError, SubmissionError
from leaderboard import resolutions
from leaderboard.resolutions import Branch
from worker import rounds
from worker.rounds import AT_ONCE, Asking
from worker.stopped import Stopped


@dataclass
class Book:
    """In place of the database: what waits, what was written down, who is being asked."""

    waiting: list[Branch]
    recorded: dict[int, str] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)  # Any: keyword arguments
    at_once: int = 0
    most: int = 0


def branch(number: int) -> Branch:
    return Branch(number, number, number, f"team{number}", f"https://git.example/{number}", "main")


@pytest.fixture
def open_book(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[int, Callable[[int], str]], tuple[Book, Asking]]:
    """A book of so many branches, and what their repositories answer."""

    def opened(count: int, answer: Callable[[int], str]) -> tuple[Book, Asking]:
        book = Book([branch(number) for number in range(count)])
        lock = threading.Lock()

        def commit_of(_workplace: object, repo_url: str, ref: str, **how: object) -> str:
            with lock:
                book.asked.append({"url": repo_url, "ref": ref, **how})
                book.at_once += 1
                book.most = max(book.most, book.at_once)
            try:
                return answer(int(repo_url.rpartition("/")[2]))
            finally:
                with lock:
                    book.at_once -= 1

        def record(_db: object, one: Branch, commit: str) -> bool:
            book.recorded[one.submission_id] = commit
            return True

        def unanswered(_db: object, one: Branch, *, reason: str) -> None:
            book.reasons[one.submission_id] = reason

        monkeypatch.setattr(rounds, "commit_of", commit_of)
        monkeypatch.setattr(resolutions, "unresolved", lambda _db: book.waiting)
        monkeypatch.setattr(resolutions, "record", record)
        monkeypatch.setattr(resolutions, "unanswered", unanswered)
        return book, Asking(Nowhere(), seconds=7.0)  # type: ignore[arg-type]  # only its db is used

    return opened


class Nowhere:
    """A workplace without a database."""

    db = None


def test_every_branch_is_asked_for_with_its_teams_key_and_a_deadline(open_book: Any) -> None:
    book, asking = open_book(3, lambda number: f"{number}" * 40)
    assert asking.ask() == 3
    assert book.recorded == {0: "0" * 40, 1: "1" * 40, 2: "2" * 40}
    (first, *_) = sorted(book.asked, key=lambda one: one["team_id"])
    assert (first["url"], first["ref"], first["team_id"]) == ("https://git.example/0", "main", 0)
    assert first["seconds"] == 7.0


def test_only_a_few_are_asked_at_once(open_book: Any) -> None:
    def slow(_number: int) -> str:
        time.sleep(0.01)
        return "a" * 40

    book, asking = open_book(40, slow)
    assert asking.ask() == 40
    assert 1 < book.most <= AT_ONCE


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (SubmissionError("clone_refused", detail="timeout"), "clone_refused (timeout)"),
        (SubmissionError("commit_not_found"), "commit_not_found"),
        (OperatorError("evaluator_bug", message="secret"), "evaluator_bug"),
    ],
)
def test_who_does_not_answer_is_noted_and_the_others_go_on(
    open_book: Any, error: Exception, words: str
) -> None:
    def answer(number: int) -> str:
        if number == 1:
            raise error
        return "a" * 40

    book, asking = open_book(3, answer)
    assert asking.ask() == 2
    assert list(book.recorded) == [0, 2]
    assert book.reasons == {1: f"the repository did not say where it points, {words}"}


def test_a_beat_that_ends_asks_nobody_else(open_book: Any) -> None:
    begun = threading.Event()

    def answer(_number: int) -> str:
        begun.set()
        stop = book.asked[0]["stop"]
        assert stop.wait(timeout=10)
        raise Stopped

    book, asking = open_book(AT_ONCE * 5, answer)
    asking.go()
    asking.go()  # one at a time is enough
    assert begun.wait(timeout=10)
    asking.close()
    assert len(book.asked) <= AT_ONCE
    assert (book.recorded, book.reasons) == ({}, {})


def test_a_database_that_is_away_is_logged_and_ends_nothing(
    open_book: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    book, asking = open_book(1, lambda _: "a" * 40)

    def away(_db: object) -> list[Branch]:
        raise OSError("no route to the database")

    with monkeypatch.context() as patch:
        patch.setattr(resolutions, "unresolved", away)
        asking.go()
        asking.wait()
    assert "the branches of a round were not resolved" in caplog.text
    asking.go()
    asking.wait()
    assert book.recorded == {0: "a" * 40}
