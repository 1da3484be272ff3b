"""The persona measures of a run: gathered with the profile, merged from shards, compared."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.comparison import compare
from harness.dialogue import Context, Dialogue, Example
from harness.evaluation import evaluate
from harness.merge import merge
from harness.metrics.lineups import Crowd
from harness.metrics.profile import Profile
from harness.report import Measure, Report

NAMES = ("persona@1", "persona_mrr")
CHANCE_MRR = sum(1 / place for place in range(1, 21)) / 20
SAID = ("hello there", "i see", "what do you do ?")


def talk(number: int) -> Dialogue:
    """A talk of three replies, none of which tells of the persona."""
    return Dialogue(
        f"talk {number}",
        (f"i am no{number} .", f"i like {number % 30}ball ."),
        (),
        tuple(Example((f"ask {turn}",), (text,)) for turn, text in enumerate(SAID)),
    )


TALKS = [talk(number) for number in range(45)]


class Reciting:
    """Says sentence after sentence of its persona."""

    def respond(self, contexts: Sequence[Context]) -> list[str]:
        return [one.persona[len(one.turns) % 2] if one.persona else "" for one in contexts]


class Once:
    """Tells of itself in its answer of this number, and says nothing else."""

    def __init__(self, number: int):
        self._turns = 2 * number + 1

    def respond(self, contexts: Sequence[Context]) -> list[str]:
        return [" ".join(one.persona) if len(one.turns) == self._turns else "" for one in contexts]


class Silent:
    def respond(self, contexts: Sequence[Context]) -> list[str]:
        return [""] * len(contexts)


class Echo:
    """Says the partner's last words: nothing of anybody."""

    def respond(self, contexts: Sequence[Context]) -> list[str]:
        return [one.turns[-1].text for one in contexts]


def run(agent: Reciting | Once | Silent | Echo, talks: list[Dialogue], **options: Crowd) -> Report:
    return evaluate(agent, talks, "f1", profile=True, data_name="x", **options)  # type: ignore[arg-type]  # one verb


def persona(report: Report) -> dict[str, Measure]:
    return {it.name: it for it in report.measures if it.name.startswith("persona")}


def test_who_recites_its_persona_is_always_told_and_the_report_keeps_it(tmp_path: Path) -> None:
    report = run(Reciting(), TALKS)

    report.save(tmp_path / "report.json")

    assert Report.load(tmp_path / "report.json") == report
    assert tuple(persona(report)) == NAMES
    for measure in persona(report).values():
        assert (measure.value, measure.low, measure.high, measure.n) == (1.0, 1.0, 1.0, 45)
        assert measure.signature == "rule:persona1|among:20|seed:0"
        assert measure.totals == ((1.0, 1.0),) * 45


@pytest.mark.parametrize("number", range(len(SAID)))
def test_a_persona_may_be_told_by_any_one_answer(number: int) -> None:
    assert persona(run(Once(number), TALKS))["persona@1"].value == 1.0


def test_who_tells_nothing_of_itself_is_worth_chance() -> None:
    for agent in (Silent(), Echo()):
        found = persona(run(agent, TALKS))
        assert found["persona@1"].value == pytest.approx(0.05)
        assert found["persona_mrr"].value == pytest.approx(CHANCE_MRR)


def test_dialogues_without_a_persona_add_nothing() -> None:
    bare = [replace(one, persona=()) for one in TALKS[:5]]

    found = persona(run(Reciting(), [*bare, *TALKS[5:]]))

    assert {measure.n for measure in found.values()} == {40}
    assert {measure.value for measure in found.values()} == {1.0}
    assert found["persona@1"].totals[4:6] == ((0.0, 0.0), (1.0, 1.0))


@pytest.mark.parametrize("talks", [TALKS[:19], [replace(one, persona=()) for one in TALKS]])
def test_a_set_without_lineups_has_no_such_measure(talks: list[Dialogue]) -> None:
    report = run(Reciting(), talks)

    assert persona(report) == {}
    assert {"bleu", "chrf"} <= {measure.name for measure in report.measures}


def test_without_a_profile_nobody_looks_for_a_persona() -> None:
    assert persona(evaluate(Reciting(), TALKS, "f1")) == {}


def test_shards_with_the_crowd_of_the_whole_merge_to_the_measures_of_the_whole() -> None:
    whole = run(Echo(), TALKS)
    crowd = Crowd.of(TALKS)

    merged = merge([run(Echo(), part, crowd=crowd) for part in (TALKS[:7], TALKS[7:])])

    assert persona(merged) == persona(whole)
    assert persona(run(Echo(), TALKS[:7], crowd=crowd))["persona@1"].n == 7


def test_two_runs_are_compared_dialogue_by_dialogue() -> None:
    found = compare(run(Reciting(), TALKS), run(Silent(), TALKS), metric="persona@1")

    assert found.value == pytest.approx(0.95)
    assert found.p < 0.001


def test_answers_without_their_dialogue_have_a_profile_without_personas() -> None:
    profile = Profile()
    profile.add(0, "hi", replies=["hello"])

    assert {rows.metric.name for rows in profile.rows(1) if rows.totals.any()} == {
        *("length", "bleu", "chrf")
    }
