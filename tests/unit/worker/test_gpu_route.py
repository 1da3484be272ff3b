"""A submission that asks for a GPU: refused, sent to another worker, or kept, as the rules say."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from test_attempt_stop import TOML

from harness.errors import OperatorError, SubmissionError
from harness.text import Vocabulary
from leaderboard import competition, fleet, ledger, teams
from leaderboard.db.engine import Database
from leaderboard.db.migrate import create
from leaderboard.states import State
from worker import attempt, exam
from worker import preflight as module
from worker.check.watch import Watch
from worker.entry import device_wanted
from worker.exam import Questions, Seat, sit
from worker.fetch import Fetched
from worker.hold import Hold
from worker.sandbox import Exit, Limits
from worker.settings import Settings
from worker.workplace import Benches, Workplace


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "eval_f1.py").write_text("")
    (folder / "rostrum.toml").write_text("gpu = true\n")
    return folder


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("gpu = true", True),
        ("gpu = false", False),
        ('gpu = "yes"', False),
        ("gpu = 1", False),
        ("gpu = ", False),
        ("", False),
    ],
)
def test_only_a_plain_true_asks_for_a_device(tree: Path, text: str, wanted: bool) -> None:
    (tree / "rostrum.toml").write_text(text)
    assert device_wanted(tree, allowed=True) is wanted


def test_a_tree_without_a_description_asks_for_none(tmp_path: Path) -> None:
    assert device_wanted(tmp_path, allowed=False) is False


def test_where_the_competition_offers_none_it_is_refused_with_a_sentence(tree: Path) -> None:
    with pytest.raises(SubmissionError, match="this competition runs without one") as refused:
        device_wanted(tree, allowed=False)
    assert (refused.value.code, refused.value.detail) == ("build_failed", "gpu")
    assert "only where the competition offers a GPU" in refused.value.hint


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    made = create(f"sqlite:///{tmp_path / 'rostrum.db'}")
    competition.load(made, f"{TOML}\n[gpu]\nallowed = true\n")
    added = teams.add(made, "c", name="owls", repo_url="/r", branch="main", baseline=False)
    ledger.accept(made, team_id=added.team.id, ref="main")
    yield made
    made.close()


def begun(db: Database, tree: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Hold:
    """The attempt, leased by a worker without a device, its tree fetched."""
    settings = Settings(folder / "sandbox", folder / "cache")
    workplace = Workplace(db, settings, "w1", Benches(settings))
    work = ledger.lease(db, 1, worker="w1")
    assert work is not None
    hold = Hold(db, work, every=60, patience=90, shutdown=Event())
    monkeypatch.setattr(module, "fetched_tree", lambda *_: Fetched("a" * 40, tree, 1, 2))
    module.preflight(workplace, hold)
    return hold


def test_a_worker_without_a_device_sends_it_to_those_that_have_one(
    db: Database, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(db, tree, tmp_path, monkeypatch)
    (hint,) = ledger.waiting(db)
    assert (hint.attempt_id, hint.gpu) == (1, True)
    assert ledger.lease(db, 1, worker="w1", gpu=(False,)) is None
    work = ledger.lease(db, 1, worker="w2", gpu=(False, True))
    assert work is not None
    assert (work.state, work.gpu, work.retries, work.losses) == (State.FETCHING, True, 0, 0)


def test_a_worker_whose_device_is_lost_takes_no_more(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object) -> None:
        raise OperatorError("gpu_lost", message="accelerator 0: GPU is lost")

    monkeypatch.setitem(attempt.WAYS, State.FETCHING, lost)
    settings = Settings(tmp_path / "sandbox", tmp_path / "cache")
    fleet.announce(db, "w1", queues=("preflight.gpu",), slots=1, gpu="0", version="1")
    attempt.attend(Workplace(db, settings, "w1", Benches(settings), gpu="0"), 1)
    (member,) = fleet.listing(db)
    assert member.drained_at is not None
    assert member.drain_reason == "accelerator 0: GPU is lost"


# ---- whose fault it is when a cell on a device fails --------------------------------------------


class Cell:
    """A cell whose agent fails at once."""

    def __init__(self) -> None:
        self.agent = self

    def load(self, *_: object, **__: object) -> None:
        raise SubmissionError("crashed", detail="verb")

    def first_process(self) -> None:
        return None

    def finish(self) -> Exit:
        return Exit(code=1)

    def __enter__(self) -> "Cell":
        return self

    def __exit__(self, *_: object) -> None:
        return


class Sandbox:
    name = "docker"

    def start(self, _: object) -> Cell:
        return Cell()


@pytest.mark.parametrize(("lost", "code"), [(True, "gpu_lost"), (False, "crashed")])
def test_a_device_that_answers_no_longer_is_no_fault_of_the_agent(
    lost: bool, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(_: str) -> str:
        if lost:
            raise OperatorError("gpu_lost", message="fallen off the bus")
        return "NVIDIA Something"

    monkeypatch.setattr(exam, "expect_answer", answer)
    seat = Seat(
        sandbox=Sandbox(),  # type: ignore[arg-type]  # a fake
        code=tmp_path,
        environment=None,
        limits=Limits(),
        house="0" * 8,
        worker="w",
        gpu="0",
        turns=tmp_path,
    )
    job = seat.cell("rostrum-1-f1-0", "f1", fence=1, keep_log=False)
    questions = Questions((), Vocabulary.build((), ()), "infinite", b"k", None)
    result = sit(Watch(), seat, job, "f1", questions)
    assert result.error is not None
    assert result.error.code == code
