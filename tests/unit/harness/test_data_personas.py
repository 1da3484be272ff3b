"""The personas of real talks are told from what was really said, and not from anything else."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.data import load
from harness.data.personas import told
from harness.dialogue import Context, Dialogue
from harness.evaluation import evaluate

pytestmark = pytest.mark.shared


class Knowing:
    """Gives the replies that were given."""

    def __init__(self, dialogues: Sequence[Dialogue]) -> None:
        self._given = {
            (one.persona, one.turns_before(place)): example.replies[0]
            for one in dialogues
            for place, example in enumerate(one.examples)
        }

    def respond(self, contexts: Sequence[Context]) -> list[str]:
        return [self._given[one.persona, one.turns] for one in contexts]


@pytest.fixture(params=["valid", "test"])
def dialogues(request: pytest.FixtureRequest, shared: Path) -> list[Dialogue]:
    return load(shared / "data" / "spc" / f"{request.param}_self_original_no_cands.txt")


def test_most_personas_are_told_among_twenty(dialogues: list[Dialogue]) -> None:
    (hits, reciprocal) = told(dialogues).measures

    assert hits.value > 0.8
    assert hits.low is not None
    assert hits.low > 0.7
    assert reciprocal.value > hits.value


def test_the_talks_of_others_tell_no_persona(shared: Path) -> None:
    # valid and test have eleven groups of personas that share sentences: everybody is in a lineup
    dialogues = load(shared / "data" / "spc" / "train_self_original_no_cands.txt")

    found = told(dialogues)

    assert found.groups == 73
    assert found.control is not None
    assert found.control.n == len(dialogues)
    assert found.control.low is not None
    assert found.control.high is not None
    assert found.control.low < found.chance < found.control.high
    assert found.measures[0].low is not None
    assert found.measures[0].low > 0.7


def test_an_agent_that_gives_those_replies_has_the_same_figures_in_its_report(
    dialogues: list[Dialogue],
) -> None:
    report = evaluate(Knowing(dialogues), dialogues, "f1", profile=True)

    own = {measure.name: measure for measure in report.measures}
    for measure in told(dialogues).measures:
        assert own[measure.name].value == measure.value
        assert (own[measure.name].low, own[measure.name].high) == (measure.low, measure.high)
