"""A withheld score is shown to nobody, wherever it stood, and can be shown again."""

import pytest
from house import House, report

from harness.errors import SubmissionError, UsageError
from leaderboard import ledger
from leaderboard.board import board, submission
from leaderboard.submissions import listing

REASON = "the repository held the test set"


def shown(house: House) -> list[tuple[str, int, str]]:
    """Team, submission and F1 of each row of the board."""
    rows = board(house.db, house.competition_id).rows
    return [(row.team, row.submission_id, row.tracks["f1"].text) for row in rows]


def notes(house: House, attempt_id: int) -> list[str]:
    found = ledger.timeline(house.db, attempt_id)
    return [moment.note for moment in found if moment.source is None][1:]


def test_a_withheld_score_leaves_every_page_and_comes_back(house: House) -> None:
    house.score("owls", f1=0.30)
    house.score("cats", f1=0.20)
    done = ledger.withhold(house.db, 1, reason=REASON)
    assert (done.attempt_id, done.reason) == (1, REASON)
    assert shown(house) == [("cats", 2, "20.0")]
    assert board(house.db, "spc").rows[0].rank == 1
    view = submission(house.db, 1)
    assert view.scores == {}
    assert view.withheld == REASON
    assert REASON in view.sentence
    assert [line.withheld for line in listing(house.db, "spc")] == [None, REASON]

    assert ledger.withhold(house.db, 1, reason="an error", undo=True).reason is None
    assert shown(house) == [("owls", 1, "30.0"), ("cats", 2, "20.0")]
    assert submission(house.db, 1).scores["f1"].text == "30.0"
    assert notes(house, 1) == [
        f"the score is withheld: {REASON}",
        "the score is shown again: an error",
    ]


def test_a_second_reason_replaces_the_first_and_both_stay_in_the_timeline(house: House) -> None:
    house.score("owls", f1=0.30)
    ledger.withhold(house.db, 1, reason="under review")
    ledger.withhold(house.db, 1, reason=REASON)
    assert submission(house.db, 1).withheld == REASON
    assert len(notes(house, 1)) == 2


def test_withholding_a_rerun_does_not_bring_back_the_score_before_it(house: House) -> None:
    house.score("owls", f1=0.30)
    ledger.rerun(house.db, 1, reason="again")
    ledger.score(house.db, house.run(2), {"f1": report("f1", 0.50)})
    assert ledger.withhold(house.db, 1, reason=REASON).attempt_id == 2
    assert shown(house) == []
    assert submission(house.db, 1).scores == {}


def test_the_score_that_stands_can_be_withheld_while_a_rerun_is_under_way(house: House) -> None:
    house.score("owls", f1=0.30)
    ledger.rerun(house.db, 1, reason="again")
    assert ledger.withhold(house.db, 1, reason=REASON).attempt_id == 1
    assert shown(house) == []
    ledger.score(house.db, house.run(2), {"f1": report("f1", 0.10)})
    assert shown(house) == [("owls", 1, "10.0")]


def test_only_a_score_can_be_withheld_and_only_a_withheld_one_shown_again(house: House) -> None:
    ledger.fail(house.db, house.run(house.accept()), SubmissionError("crashed"))
    house.score("cats", f1=0.20)
    for submission_id, undo, code in (
        (1, False, "not_scored"),
        (2, True, "not_withheld"),
        (9, False, "unknown_submission"),
    ):
        with pytest.raises(UsageError) as caught:
            ledger.withhold(house.db, submission_id, reason=REASON, undo=undo)
        assert caught.value.code == code
    assert notes(house, 2) == []
