"""Where a finalist chats: from what was scored and from nothing else, or not at all."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event

import humanworld
import pytest
from humanworld import HumanWorld
from partners import Sandbox

from harness.errors import OperatorError, SubmissionError
from leaderboard import conversations
from leaderboard.conversations import Chat
from worker import packages as packages_of
from worker.converse.orphans import is_over
from worker.converse.seat import Seat, seat_of
from worker.fetch import Fetched
from worker.images import Environment, Runtime
from worker.place import Place
from worker.settings import Settings
from worker.workplace import Bench, Workplace

KEY = "0123456789abcdef01234567"


class Stored:
    """Benches that have every runtime, and remember which one was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def stored(self, name: str, digest: str) -> Bench:
        self.asked.append((name, digest))
        return Bench(Sandbox(), Runtime("docker", digest))  # type: ignore[arg-type]  # a fake


@pytest.fixture
def world(tmp_path: Path) -> HumanWorld:
    return humanworld.opened(tmp_path)


@pytest.fixture
def chat(world: HumanWorld) -> Chat:
    leased = conversations.lease(world.db, world.claim(), worker="w1")
    assert leased is not None
    return leased


@pytest.fixture
def place(world: HumanWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    """A workplace with every runtime, and a tree of the commit that was scored."""
    tree = tmp_path / "tree"
    tree.mkdir()

    def fetched(url: str, ref: str, **_: object) -> Fetched:
        return Fetched(ref, tree, 0, 0)

    monkeypatch.setattr("worker.tree.fetch", fetched)
    settings = Settings(sandbox_directory=tmp_path / "sandbox", cache_directory=tmp_path)
    return Workplace(world.db, settings, "w1", Stored())  # type: ignore[arg-type]  # a fake


@pytest.fixture
def seat(place: Workplace, chat: Chat) -> Callable[..., Seat]:
    def of(**changes: str | None) -> Seat:
        return seat_of(place, replace(chat, **changes), stop=Event())  # type: ignore[arg-type]  # of a Chat

    return of


def packages(place: Workplace) -> Path:
    folder = Place.open(place.settings.sandbox_directory).environments / KEY
    folder.mkdir()
    return folder


def test_the_cell_is_of_the_scored_runtime_commit_and_track_file(
    place: Workplace, chat: Chat, seat: Callable[..., Seat], tmp_path: Path
) -> None:
    job = seat().job
    assert place.benches.asked == [("docker", "sha256:1")]  # type: ignore[attr-defined]  # a fake
    assert (job.code, job.track_file, job.environment) == (tmp_path / "tree", "eval_f1.py", None)
    assert job.name.startswith(f"rostrum-chat-{chat.id}-")
    assert (job.fence, job.keep_log) == (chat.fence, False)


def test_its_packages_are_those_that_were_stored_and_are_not_resolved_again(
    place: Workplace, seat: Callable[..., Seat], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = packages(place)

    def resolve(*_: object, **__: object) -> Path:
        raise AssertionError("resolved again")

    monkeypatch.setattr(packages_of, "prepare_environment", resolve)
    assert seat(environment=KEY).job.environment == folder


def made(folder: Path) -> Environment:
    """What a build of today comes to."""
    return Environment(folder, folder.name, "", ())


def test_packages_that_are_gone_are_made_again_only_as_the_same(
    place: Workplace, seat: Callable[..., Seat], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = packages(place)
    folder.rmdir()
    monkeypatch.setattr(packages_of, "prepare_environment", lambda *_, **__: made(folder))
    assert seat(environment=KEY).job.environment == folder
    other = folder.with_name("f" * 24)
    monkeypatch.setattr(packages_of, "prepare_environment", lambda *_, **__: made(other))
    with pytest.raises(OperatorError, match="others today") as raised:
        seat(environment=KEY)
    assert raised.value.code == "image_missing"


def test_what_cannot_be_had_any_more_is_ours(
    place: Workplace, seat: Callable[..., Seat], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> Path:
        raise SubmissionError("build_failed", detail="not_found")

    monkeypatch.setattr(packages_of, "prepare_environment", refused)
    with pytest.raises(OperatorError, match="build_failed"):
        seat(environment=KEY)

    def gone(*_: object, **__: object) -> Fetched:
        raise SubmissionError("commit_not_found")

    monkeypatch.setattr("worker.tree.fetch", gone)
    with pytest.raises(OperatorError, match="commit_not_found") as raised:
        seat()
    assert raised.value.code == "image_missing"
    with pytest.raises(OperatorError):
        seat(track="chess")


def labels(seat: Seat) -> dict[str, str]:
    """The labels that a sandbox puts on a cell, as the engine gives them back."""
    given = {f"rostrum.{key}": value for key, value in seat.job.labels.items()}
    return given | {"rostrum.fence": str(seat.job.fence)}


def test_a_cell_is_over_once_its_chat_is(
    world: HumanWorld, chat: Chat, seat: Callable[..., Seat]
) -> None:
    over, mine = is_over(world.db), labels(seat())
    assert not over(mine)
    conversations.opened(world.db, chat)
    assert not over(mine)
    assert over(mine | {"rostrum.fence": "0"})
    conversations.dropped(world.db, [chat])
    assert over(mine)


def test_cells_of_others_are_never_over(
    world: HumanWorld, chat: Chat, seat: Callable[..., Seat]
) -> None:
    over, mine = is_over(world.db), labels(seat())
    conversations.dropped(world.db, [chat])
    assert over(mine)
    assert not over(mine | {"rostrum.house": "00000000"})
    assert not over(mine | {"rostrum.competition": "another"})
    assert not over(mine | {"rostrum.conversation": "x"})
    assert not over({"rostrum.cell": "rostrum-7-f1-0-abc", "rostrum.fence": "1"})
