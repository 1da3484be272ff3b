"""The board: published values, ranks and ties from them, and a reason on every row."""

import math

import pytest
from house import TOML, House, report

from harness.agent import Track
from harness.errors import SubmissionError, UsageError
from leaderboard import competition, figures, ledger
from leaderboard.board import board, preflight_log, submission
from leaderboard.db.models import Attempt, Role
from leaderboard.rank import Entry, Standing, finalists, standings
from leaderboard.reasons import BASELINE, ordinal, why
from leaderboard.states import State
from leaderboard.submissions import listing, reports

TRACKS: tuple[Track, ...] = ("hits", "f1", "ppl")


@pytest.mark.parametrize(
    ("track", "value", "published", "text"),
    [
        ("hits", 0.80651, 0.807, "80.7"),
        ("hits", 0.05, 0.05, "5.0"),
        ("hits", 0.0, 0.0, "0.0"),
        ("hits", 1.0, 1.0, "100.0"),
        ("f1", 0.16849, 0.168, "16.8"),
        ("f1", 0.00049, 0.0, "0.0"),
        ("ppl", 35.0712, 35.07, "35.07"),
        ("ppl", 8.0, 8.0, "8.000"),
        ("ppl", 9.99996, 10.0, "10.00"),
        ("ppl", 1.0, 1.0, "1.000"),
        ("ppl", 1234.4, 1234.0, "1234"),
        ("ppl", 19304.0, 19300.0, "19300"),
        ("ppl", math.inf, math.inf, "∞"),
    ],
)
def test_scores_are_published_to_a_tenth_of_a_point_or_four_digits(
    track: Track, value: float, published: float, text: str
) -> None:
    assert figures.published(track, value) == published
    assert figures.text(track, value) == text


def test_the_rows_stand_by_rank_then_the_baselines(house: House) -> None:
    house.score("second", hits=0.4, f1=0.15)
    house.score("first", hits=0.5, f1=0.20, ppl=30.0)
    house.score("third", f1=0.10)
    house.score("constant-words", baseline=True, f1=0.99)
    shown = board(house.db, "spc")
    assert [(row.team, row.rank, row.baseline) for row in shown.rows] == [
        ("first", 1, False),
        ("second", 2, False),
        ("third", 3, False),
        ("constant-words", None, True),
    ]
    first = shown.rows[0]
    assert list(first.tracks) == ["hits", "f1", "ppl"]
    cell = first.tracks["ppl"]
    assert (cell.text, cell.interval, cell.n) == ("30.00", "27.00 to 33.00", 1450)
    assert (cell.tokens, cell.vocabulary, cell.sandbox) == (16_155, 4_487, "bubblewrap")
    assert cell.signature.startswith("track:ppl|")
    assert (first.entry, first.commit, first.scored_at) == ("owl-1", "c" * 40, house.clock.now)
    assert (shown.title, shown.demo, shown.phase) == ("A small competition", False, "test")
    assert [row.finalist for row in shown.rows] == [True, True, True, False]


def test_what_looks_equal_ranks_equal(house: House) -> None:
    house.score("a", f1=0.16801)
    house.score("b", f1=0.16849)
    house.score("c", f1=0.1)
    rows = board(house.db, "spc").rows
    assert [(row.team, row.rank, row.tied) for row in rows] == [
        ("a", 1, True),
        ("b", 1, True),
        ("c", 3, False),
    ]
    assert rows[0].tracks["f1"].value == rows[1].tracks["f1"].value
    assert "Shared with 1 other." in rows[0].why


def test_every_row_says_why(house: House) -> None:
    house.score("a", hits=0.4, f1=0.10)
    house.score("b", hits=0.3, f1=0.20, ppl=30.0)
    house.score("base", baseline=True, f1=0.3)
    rows = {row.team: row.why for row in board(house.db, "spc").rows}
    assert rows == {
        "b": "Rank 1 by its best place, 1st in F1; ties are broken by the next places: "
        "1st in perplexity, 2nd in hits@1.",
        "a": "Rank 2 by its best place, 1st in hits@1; ties are broken by the next places: "
        "2nd in F1. Perplexity was not entered, the worst place.",
        "base": BASELINE,
    }


def test_two_missing_tracks_are_named_together() -> None:
    sentence = why(Standing(4, {"f1": 4}), tracks=TRACKS, sharing=2)
    assert sentence == (
        "Rank 4 by its best place, 4th in F1. Hits@1 and perplexity were not entered, "
        "the worst place. Shared with 2 others."
    )


def test_an_infinite_perplexity_is_last_of_those_entered_and_before_none(house: House) -> None:
    house.score("infinite", ppl=math.inf)
    house.score("huge", ppl=99_999.0)
    house.score("none", f1=0.0)
    competition.load(house.db, TOML.replace("[tracks.hits]\ncandidates = 2\n[tracks.f1]\n", ""))
    rows = board(house.db, "spc").rows
    assert [(row.team, row.rank) for row in rows] == [("huge", 1), ("infinite", 2), ("none", 3)]
    assert rows[1].tracks["ppl"].value == math.inf
    assert rows[1].tracks["ppl"].text == "∞"
    assert rows[2].tracks == {}
    assert rows[2].why == "Rank 3: no track of this competition was entered."


def test_a_team_stands_with_its_latest_score_that_is_not_withheld(house: House) -> None:
    house.score("owls", f1=0.30)
    house.clock.tick(days=31)
    latest = house.score("owls", f1=0.20)
    assert board(house.db, "spc").rows[0].tracks["f1"].text == "20.0"
    with house.db.write() as session:
        session.get_one(Attempt, latest).withheld = "under review"
    rows = board(house.db, "spc").rows
    assert [row.tracks["f1"].text for row in rows] == ["30.0"]


def test_what_has_no_score_is_not_on_the_board(house: House) -> None:
    house.queue(house.accept("waits"))
    ledger.fail(house.db, house.run(house.accept("failed")), SubmissionError("out_of_memory"))
    assert board(house.db, "spc").rows == ()


def test_the_board_is_of_one_competition_and_one_split(house: House) -> None:
    house.score("owls", f1=0.3)
    competition.load(house.db, TOML, chosen_id="other")
    assert board(house.db, "other").rows == ()
    with house.db.write() as session:
        session.get_one(Attempt, 1).split = Role.VALID
    assert board(house.db, "spc").rows == ()
    with pytest.raises(UsageError, match="'cps' is unknown; known: other, spc"):
        board(house.db, "cps")


def test_baselines_take_no_place_away() -> None:
    found = standings(
        [
            Entry("team", {"f1": 0.1}),
            Entry("base", {"f1": 0.2}, baseline=True),
        ],
        tracks=TRACKS,
    )
    assert found == {"team": Standing(1, {"f1": 1}), "base": Standing(None, {})}


def test_a_track_that_is_not_the_competitions_does_not_count() -> None:
    found = standings(
        [Entry("a", {"f1": 0.1, "hits": 0.9}), Entry("b", {"f1": 0.2})], tracks=("f1",)
    )
    assert (found["a"].rank, found["b"].rank) == (2, 1)


def test_ties_break_by_the_second_then_the_third_place() -> None:
    entries = [
        Entry("a", {"hits": 0.9, "f1": 0.1, "ppl": 30.0}),
        Entry("b", {"hits": 0.8, "f1": 0.2, "ppl": 40.0}),
        Entry("c", {"hits": 0.7, "f1": 0.15, "ppl": 20.0}),
        Entry("d", {"ppl": 20.0}),
    ]
    found = standings(entries, tracks=TRACKS)
    assert found["c"].places == {"hits": 3, "f1": 2, "ppl": 1}
    assert {key: place.rank for key, place in found.items()} == {"c": 1, "b": 2, "a": 3, "d": 4}


def test_finalists_share_a_third_place_and_are_at_most_ten() -> None:
    entries = [Entry(f"t{n:02}", {"f1": 0.5}) for n in range(12)] + [Entry("x", {"f1": 0.4})]
    found = standings(entries, tracks=TRACKS)
    assert finalists(found) == [f"t{n:02}" for n in range(10)]
    assert len(finalists(found, at_most=99)) == 12
    assert finalists({}) == []


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (13, "13th"), (22, "22nd")],
)
def test_ordinals(number: int, text: str) -> None:
    assert ordinal(number) == text


def test_a_waiting_submission_says_what_is_before_it(house: House) -> None:
    house.accept("cats")
    house.clock.tick(seconds=1)
    attempt_id = house.accept("owls", ref="dev")
    view = submission(house.db, attempt_id)
    assert (view.state, view.ahead, view.final) == (State.RECEIVED, 1, False)
    assert view.sentence == "Accepted, waiting for a worker. 1 attempt waits before it."
    assert (view.entry, view.ref, view.commit) == ("owls", "dev", None)
    assert view.quota.used == 1
    assert [moment.note for moment in view.timeline] == ["submitted dev"]


def test_a_failed_submission_says_why_and_what_to_do(house: House) -> None:
    work = house.run(house.accept())
    ledger.fail(house.db, work, SubmissionError("invalid_prediction", detail="negative"))
    view = submission(house.db, 1)
    assert view.sentence == "Failed: a prediction is not valid."
    assert view.verdict is not None
    assert (view.verdict.code, view.verdict.detail) == ("invalid_prediction", "negative")
    assert "Return what the verb's docstring asks for" in view.verdict.hint
    assert view.scores == {}


def test_setbacks_are_told(house: House) -> None:
    house.lease(house.accept())
    house.clock.tick(seconds=100)
    ledger.sweep(house.db)
    assert "its worker was lost 1 of at most 3 times" in submission(house.db, 1).sentence


def test_a_scored_submission_shows_published_scores_and_no_machine(house: House) -> None:
    house.score("owls", f1=0.16849, ppl=math.inf)
    view = submission(house.db, 1)
    assert (view.entry, view.can_chat, view.sandbox) == ("owl-1", True, "bubblewrap")
    assert {track: cell.text for track, cell in view.scores.items()} == {"f1": "16.8", "ppl": "∞"}
    assert {moment.worker for moment in view.timeline} == {None}
    whole = reports(house.db, view.attempt_id)
    assert whole["f1"].score.value == 0.16849
    assert whole["ppl"] == report("ppl", math.inf)


def test_a_withheld_score_is_shown_to_nobody(house: House) -> None:
    attempt_id = house.score("owls", f1=0.2)
    with house.db.write() as session:
        session.get_one(Attempt, attempt_id).withheld = "under review."
    view = submission(house.db, 1)
    assert view.scores == {}
    assert view.sentence == "Scored; the organizers withhold the score: under review."


def test_logs_are_named_and_read_apart(house: House) -> None:
    work = house.preflight(house.accept())
    ledger.keep_log(house.db, work, name="f1", text="canary")
    view = submission(house.db, 1)
    assert view.logs == ("f1",)
    assert "canary" not in repr(view)
    assert preflight_log(house.db, 1, "f1") == "canary"
    with pytest.raises(UsageError, match="has no log of ppl"):
        preflight_log(house.db, 1, "ppl")


def test_a_list_shows_the_newest_first_and_one_team_on_demand(house: House) -> None:
    house.score("owls", f1=0.2)
    house.accept("cats")
    assert [(line.id, line.team, line.state) for line in listing(house.db, "spc")] == [
        (2, "cats", State.RECEIVED),
        (1, "owls", State.SCORED),
    ]
    assert [line.id for line in listing(house.db, "spc", team_id=house.team("owls"))] == [1]


def test_a_submission_that_does_not_exist_is_a_sentence(house: House) -> None:
    with pytest.raises(UsageError, match="no submission 7") as caught:
        submission(house.db, 7)
    assert caught.value.code == "unknown_submission"
