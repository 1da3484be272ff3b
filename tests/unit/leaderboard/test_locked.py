"""What a locked competition refuses, and what organizers may still do."""

from collections.abc import Callable

import pytest
from finals import Finals, scores
from house import TOML, House

from harness.dialogue import Dialogue, Example
from harness.errors import UsageError
from leaderboard import competition, datasets, ledger, rounds, teams
from leaderboard.board import board
from leaderboard.db.models import Competition as CompetitionRow
from leaderboard.db.people import Conversation
from leaderboard.human.stages import ChatState
from leaderboard.lock import lock
from leaderboard.locks import finalist_attempts

OTHER = Dialogue(
    id="o", persona=("i row .",), examples=(Example(("hello",), ("hi",), ("bye", "hi")),)
)


@pytest.fixture
def finals(house: House) -> Finals:
    """A locked competition with four teams on its board."""
    scores(house)
    lock(house.db, "spc", reason="done", early=True)
    return Finals(house)


REFUSED: dict[str, Callable[[House], object]] = {
    "a submission": lambda house: house.accept("seq2seq", ref="dev"),
    "a submission of a new team": lambda house: house.accept("latecomer"),
    "a rerun": lambda house: ledger.rerun(house.db, 1, reason="again"),
    "a round": lambda house: rounds.run(house.db, "spc"),
    "another repository": lambda house: teams.move(house.db, 1, repo_url="https://git.b/x"),
    "another text": lambda house: competition.load(house.db, TOML + "[quota]\n"),
    "another set": lambda house: datasets.store(house.db, "spc", "train", [OTHER]),
    "other personas": lambda house: datasets.store(house.db, "spc", "personas", [OTHER]),
}


@pytest.mark.parametrize("what", REFUSED)
def test_nothing_that_could_change_a_score_is_taken_in(finals: Finals, what: str) -> None:
    house = finals.house
    before = board(house.db, "spc").rows
    with pytest.raises(UsageError, match="its scores are final") as caught:
        REFUSED[what](house)
    assert caught.value.code == "locked"
    assert board(house.db, "spc").rows == before
    assert ledger.waiting(house.db) == []


def test_the_same_text_and_data_again_change_nothing_and_are_no_error(finals: Finals) -> None:
    house = finals.house
    assert competition.load(house.db, TOML).id == "spc"
    hidden = datasets.dialogues(house.db, "spc", "test")
    stored = datasets.store(house.db, "spc", "test", hidden, hidden=True)
    assert stored.dialogues == 1


def test_another_competition_goes_on(finals: Finals) -> None:
    house = finals.house
    competition.load(house.db, TOML, chosen_id="next")
    house.competition_id = "next"
    house.team_ids.clear()
    assert house.kinds(house.accept("seq2seq"))


def test_the_finalists_on_the_board_are_those_of_the_lock(house: House) -> None:
    scores(house)
    today = {row.team for row in board(house.db, "spc").rows if row.finalist}
    assert today == {"ranker", "seq2seq", "mute", "last"}
    lock(house.db, "spc", reason="done", early=True)
    with house.db.write() as session:  # a rule that would choose one finalist today
        row = session.get_one(CompetitionRow, "spc")
        row.toml = TOML + "[human]\nper_track = 1\nat_most = 1\n"
    assert {row.team for row in board(house.db, "spc").rows if row.finalist} == today


def test_a_finalist_can_be_withheld_and_its_live_chat_ends(finals: Finals) -> None:
    house = finals.house
    finals.open()
    finals.invite("anna", "bert")
    his = finals.chat("anna", "ranker", ChatState.OPEN)
    others = finals.chat("bert", "seq2seq", ChatState.OPEN)
    ledger.withhold(house.db, finals.finalist("ranker").submission_id, reason="it was copied")
    with house.db.read() as session:
        found = session.get_one(Conversation, his)
        assert (found.state, found.void_code) == (ChatState.VOID, "withheld")
        assert session.get_one(Conversation, others).state is ChatState.OPEN
        locked = finalist_attempts(session, "spc")
    assert "ranker" not in {row.team for row in board(house.db, "spc").rows}
    assert locked is not None
    assert finals.finalist("ranker").attempt_id in locked
    assert finals.finalist("ranker").withheld == "it was copied"
    undone = ledger.withhold(
        house.db, finals.finalist("ranker").submission_id, reason="it was not", undo=True
    )
    assert undone.reason is None
    rows = {row.team: row.finalist for row in board(house.db, "spc").rows}
    assert rows["ranker"]
