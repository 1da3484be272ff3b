"""A hold keeps a lease alive, and ends the work when it should end."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from leaderboard import ledger
from leaderboard.states import State
from worker import hold as holding
from worker.hold import Hold, Reason
from worker.stopped import Stopped

WORK = ledger.Work(
    attempt_id=7,
    fence=1,
    state=State.RUNNING,
    competition_id="c",
    team_id=1,
    team="t",
    repo_url="/r",
    ref="main",
    commit=None,
    losses=0,
    retries=0,
    tracks=("f1",),
    environment=None,
    image=None,
)


class Talk:
    """A conversation that waits until it is interrupted."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    def interrupt(self) -> None:
        self.ended.set()


class Beats:
    """A ledger that answers each heartbeat with the next of its answers, the last for ever."""

    def __init__(self, *answers: ledger.Beat | Exception) -> None:
        self.answers = list(answers)
        self.count = 0

    def __call__(self, db: object, work: ledger.Work) -> ledger.Beat:
        self.count += 1
        answer = self.answers[min(self.count, len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer


FINE = ledger.Beat(held=True, stop=False)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Hold]:
    def make(beats: Beats, shutdown: threading.Event | None = None) -> Hold:
        monkeypatch.setattr(holding.ledger, "heartbeat", beats)
        return Hold(
            None,  # type: ignore[arg-type]  # the ledger is the fake above
            WORK,
            every=0.02,
            patience=0.2,
            shutdown=shutdown or threading.Event(),
        )

    return make


def test_it_beats_until_the_work_is_done(held: Callable[..., Hold]) -> None:
    beats = Beats(FINE)
    with held(beats) as hold:
        while beats.count < 3:
            time.sleep(0.01)
        hold.check()
    after = beats.count
    time.sleep(0.1)
    assert beats.count == after


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (ledger.Beat(held=True, stop=True), Reason.CANCELLED),
        (ledger.Beat(held=False, stop=False), Reason.LOST),
    ],
)
def test_a_cancel_and_a_lost_lease_interrupt_the_conversation(
    held: Callable[..., Hold], answer: ledger.Beat, reason: Reason
) -> None:
    talk = Talk()
    with held(Beats(FINE, answer)) as hold:
        with pytest.raises(Stopped), hold.talking(talk):  # noqa: PT012
            assert talk.ended.wait(5)
            raise RuntimeError("what the broken conversation raises")
        assert hold.reason is reason


def test_a_shutdown_interrupts_at_once(held: Callable[..., Hold]) -> None:
    shutdown, talk = threading.Event(), Talk()
    with held(Beats(FINE), shutdown) as hold:
        with pytest.raises(Stopped), hold.talking(talk):  # noqa: PT012
            shutdown.set()
            assert talk.ended.wait(5)
        assert hold.reason is Reason.SHUTDOWN


def test_a_database_that_is_away_for_a_moment_changes_nothing(held: Callable[..., Hold]) -> None:
    beats = Beats(OSError("away"), FINE)
    with held(beats) as hold:
        while beats.count < 4:
            time.sleep(0.01)
        hold.check()


def test_a_database_that_stays_away_loses_the_lease(held: Callable[..., Hold]) -> None:
    with held(Beats(OSError("away"))) as hold:
        assert hold.stop.wait(5)
        assert hold.reason is Reason.LOST


def test_no_conversation_begins_after_the_stop(held: Callable[..., Hold]) -> None:
    begun = False
    with held(Beats(ledger.Beat(held=True, stop=True))) as hold:
        assert hold.stop.wait(5)
        with pytest.raises(Stopped), hold.talking(Talk()):
            begun = True
    assert not begun


def test_no_step_is_taken_after_the_stop(
    held: Callable[..., Hold], monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[State] = []

    def advance(db: object, work: ledger.Work, target: State) -> ledger.Work:
        moved.append(target)
        return replace(work, state=target)

    monkeypatch.setattr(holding.ledger, "advance", advance)
    with held(Beats(FINE)) as hold:
        hold.advance(State.BUILDING)
        assert hold.work.state is State.BUILDING
        hold.stop.set()
        with pytest.raises(Stopped):
            hold.advance(State.PREFLIGHT)
    assert moved == [State.BUILDING]


def test_a_stop_that_the_ledger_knew_of_first_ends_the_work_as_a_cancel(
    held: Callable[..., Hold], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(db: object, work: ledger.Work, target: State) -> ledger.Work:
        raise ledger.StopAsked("asked to stop")

    monkeypatch.setattr(holding.ledger, "advance", refused)
    with held(Beats(FINE)) as hold:
        with pytest.raises(Stopped):
            hold.advance(State.BUILDING)
        assert hold.reason is Reason.CANCELLED
        assert hold.stop.is_set()
