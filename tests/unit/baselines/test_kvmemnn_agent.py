"""The agent in a talk: it answers what was just asked, as who it is, and says nothing twice."""

from pathlib import Path
from typing import Literal

import pytest
from kvworld import (
    JOBS,
    KINDS,
    PAIRS,
    PET,
    PETS,
    WORK,
    Agent,
    asked,
    contexts,
    fresh,
    learned,
    talks,
)
from toyset import module_of

from harness.dialogue import Context, Turn
from harness.evaluation import evaluate
from harness.torch.learning import examples

BUDGETS = {"historical": (300, 0.1), "modern": (60, 3e-3)}
"""Batches and the rate of each; Historical takes small steps."""

MINDS = {"historical": 0.4, "modern": 0.95}
"""F1 of replies where the persona alone decides among six; .17 is chance."""


@pytest.fixture(scope="module", params=KINDS)
def agent(request: pytest.FixtureRequest) -> Agent:
    updates, rate = BUDGETS[request.param]
    return learned(request.param, updates=updates, rate=rate)


def test_it_minds_its_persona(agent: Agent) -> None:
    """What it is asked is the same; who it is decides."""
    score = evaluate(agent, talks(), "f1").score.value
    assert score >= MINDS[agent.options.model.kind]


def test_it_answers_what_was_just_asked_and_not_the_turn_before(agent: Agent) -> None:
    persona = ("i am a pilot .", "i own a pony .")
    work, pets = JOBS["pilot"], PETS["pony"]
    first = asked(PET, persona=persona, id_="1")
    second = asked(PET, pets, WORK, persona=persona, id_="2")
    third = asked(WORK, work, PET, persona=persona, id_="3")

    replies = agent.respond([first, second, third])

    of_what = [WORK if reply in JOBS.values() else PET for reply in replies]
    assert of_what == [PET, WORK, PET]
    if agent.options.model.kind == "modern":
        assert replies == [pets, work, pets]


def test_it_does_not_repeat_itself(agent: Agent) -> None:
    persona = ("i am a pilot .", "i own a pony .")
    again = asked(PET, "We ride pony, along a beach!", PET, persona=persona)
    (reply,) = agent.respond([again])
    assert reply != PETS["pony"]
    assert reply in {text for _, text in PAIRS}


def test_an_empty_context_and_a_strange_one_are_answered(agent: Agent) -> None:
    strange = Context(
        "y", ("",), ("?",), (Turn("self", ""), Turn("partner", "__end__ \u200b" * 500))
    )
    assert all(agent.respond([Context("x"), strange]))
    scores = agent.score_candidates([Context("x"), strange], [["a", ""], [PETS["pony"]] * 3])
    assert [len(row) for row in scores] == [2, 3]


def test_the_earlier_turns_do_not_hang_on_who_asked_before(agent: Agent) -> None:
    """Nothing is kept between calls that an answer needs."""
    alone = [agent.respond([context])[0] for context in reversed(contexts())]
    assert agent.respond(contexts()) == alone[::-1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("persona", ["memories", "none"])
def test_a_persona_that_is_not_read_changes_nothing(
    kind: str, persona: Literal["memories", "none"]
) -> None:
    agent = fresh(kind, persona=persona)
    one, other = (asked(WORK, persona=(f"i am a {job} .",), id_=job) for job in ("nurse", "judge"))
    scores = agent.score_candidates([one, other], [list(JOBS.values())] * 2)
    if persona == "none":
        assert scores[0] == pytest.approx(scores[1], abs=1e-6)
        assert len(set(agent.respond([one, other]))) == 1
    else:
        assert scores[0] != pytest.approx(scores[1], abs=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_holds_all_of_it(kind: str, tmp_path: Path) -> None:
    agent = fresh(kind)
    agent.train_step(agent.batchify(examples(agent, talks()[:9])))
    agent.save(tmp_path / "c", resume=True)
    lists = [[PETS["dog"], "hm"]] * len(contexts())

    found = module_of("kvmemnn", "agent").MemoryAgent.load(tmp_path / "c", resume=True)

    assert found.respond(contexts()) == agent.respond(contexts())
    assert found.score_candidates(contexts(), lists) == agent.score_candidates(contexts(), lists)
    assert found.model.state_dict().keys() == agent.model.state_dict().keys()


def test_the_network_of_2018_reads_its_own_last_turn_and_what_came_after() -> None:
    as_in_2018 = module_of("kvmemnn", "agent").as_in_2018
    turns = [Turn("partner", "a"), Turn("self", "b"), Turn("partner", "c"), Turn("partner", "d")]
    seen = as_in_2018(Context("x", ("i am a nurse .",), ("i am tall .",), tuple(turns)))
    assert [turn.text for turn in seen.turns] == ["b", "c", "d"]
    assert seen.persona == ("your persona: i am a nurse .",)
    assert seen.partner_persona == ("partner's persona: i am tall .",)
    assert as_in_2018(Context("x", turns=(turns[0],))).turns == (turns[0],)


def test_without_pairs_or_a_list_it_says_what_is_missing() -> None:
    from harness.errors import UsageError

    with pytest.raises(UsageError, match="no replies to choose from"):
        fresh("modern", pairs=False).respond(contexts())
