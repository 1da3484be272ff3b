"""Lineups: who stands beside a true persona, drawn by a seed and never a twin of it."""

import random
from collections import Counter

import pytest

from harness.dialogue import Dialogue, Example
from harness.metrics.lineups import Crowd, Lineups, signature
from harness.metrics.persona import Persona, canonical

PERSONAS = [(f"i am number {n}", f"i like thing{n}") for n in range(40)]


def talk(number: int, *, persona: tuple[str, ...] | None = None) -> Dialogue:
    own = PERSONAS[number] if persona is None else persona
    return Dialogue(f"talk {number}", own, (), (Example(("hi",), (f"thing{number} for me", "no")),))


TALKS = [talk(number) for number in range(40)]
LINEUPS = Lineups(Crowd.of(TALKS))


def others(lineups: Lineups, number: int = 0, *, name: str = "a") -> tuple[Persona, ...]:
    found = lineups.others(PERSONAS[number], name=name)
    assert found is not None
    return found


def test_nineteen_others_stand_beside_a_persona_each_once() -> None:
    found = others(LINEUPS)

    assert len(found) == len(set(found)) == 19
    assert canonical(PERSONAS[0]) not in found
    assert set(found) < {canonical(persona) for persona in PERSONAS}


def test_a_crowd_counts_each_persona_once_and_what_people_said() -> None:
    crowd = Crowd.of([talk(0), talk(0, persona=("I like thing0!", "i am number 0", "")), talk(1)])

    assert crowd.personas == {canonical(PERSONAS[0]), canonical(PERSONAS[1])}
    assert crowd.weights.texts == 2 * 2 + 3
    assert crowd.weights.counts["thing"] == 2 + 3
    assert crowd.weights.counts["no"] == 0  # a further label, which nobody said


def test_who_is_drawn_hangs_on_the_seed_and_the_dialogue_alone() -> None:
    random.Random(1).shuffle(turned := list(TALKS))
    again = Lineups(Crowd.of([*turned, turned[0]]))

    assert others(again) == others(LINEUPS)
    assert others(LINEUPS, name="b") != others(LINEUPS)
    assert others(Lineups(Crowd.of(TALKS), seed=1)) != others(LINEUPS)


def test_everybody_but_twins_is_drawn_alike() -> None:
    twin = ("I like thing0 !", "i am somebody else")
    lineups = Lineups(Crowd.of([*TALKS, talk(0, persona=twin)]), others=13)
    drawn = Counter[Persona]()
    for name in range(600):
        drawn.update(others(lineups, name=str(name)))

    assert canonical(twin) not in drawn
    assert drawn.keys() == {canonical(persona) for persona in PERSONAS[1:]}
    # 600 draws of 13 of 39: 200 each, give or take 4 standard deviations of 11.5
    assert 154 <= min(drawn.values()) <= max(drawn.values()) <= 246


@pytest.mark.parametrize("number", [0, 17, 39])
def test_wherever_twins_stand_they_are_passed_over(number: int) -> None:
    crowd = Crowd.of(
        [*TALKS, talk(0, persona=(PERSONAS[number][0], "b")), talk(0, persona=("a1",))]
    )

    found = Lineups(crowd, others=40).others(PERSONAS[number], name="all")

    assert found is not None
    rest = {canonical(p) for p in (*PERSONAS, ("a1",))} - {canonical(PERSONAS[number])}
    assert sorted(found) == sorted(rest)


def test_a_persona_from_elsewhere_has_a_lineup_too() -> None:
    found = LINEUPS.others(["i am number 3", "i am new"], name="a")

    assert found is not None
    assert canonical(PERSONAS[3]) not in found


def test_where_too_few_can_stand_beside_it_a_persona_has_no_lineup() -> None:
    assert Lineups(Crowd.of(TALKS[:19])).others(PERSONAS[0], name="a") is None
    assert Lineups(Crowd.of(TALKS[:20])).others(PERSONAS[0], name="a") is not None
    assert Lineups(Crowd.of(TALKS[:19])).others(PERSONAS[20], name="a") is not None
    assert Lineups(Crowd()).stand(["x"], persona=PERSONAS[0], name="a") is None
    assert Lineups(Crowd(), others=0).stand(["x"], persona=PERSONAS[0], name="a") is not None


@pytest.mark.parametrize("persona", [(), ("",), ("the", "!")])
def test_without_a_persona_nobody_is_looked_for(persona: tuple[str, ...]) -> None:
    assert LINEUPS.stand(["thing1"], persona=persona, name="a") is None


def test_a_lineup_says_who_is_told_best() -> None:
    standing = LINEUPS.stand(["number and thing7"], persona=PERSONAS[7], name="a")
    strange = others(LINEUPS, 7, name="a")[4]
    taken = LINEUPS.stand(list(strange), persona=PERSONAS[7], name="a")
    silent = LINEUPS.stand([], persona=PERSONAS[7], name="a")

    assert standing is not None
    assert taken is not None
    assert silent is not None
    assert standing.personas == (canonical(PERSONAS[7]), *others(LINEUPS, 7, name="a"))
    assert (silent.rank, silent.best, silent.worth.first) == (1, canonical(PERSONAS[7]), 0.05)
    assert taken.best == strange
    assert taken.rank > 1
    assert taken.worth.first == 0.0


def test_the_signature_says_among_how_many() -> None:
    assert signature() == "rule:persona1|among:20|seed:0"
    assert signature(others=4, seed=3) == "rule:persona1|among:5|seed:3"


def test_the_others_are_no_twins_of_each_other_as_far_as_the_set_allows() -> None:
    def group(persona: Persona) -> str:
        return persona[0]

    worded = [
        talk(n, persona=(PERSONAS[n][0], f"worded {n} {k}")) for n in range(30) for k in "abc"
    ]
    many, few = Lineups(Crowd.of(worded)), Lineups(Crowd.of(worded[: 3 * 12]))

    for name in "abcdef":
        assert len({group(persona) for persona in others(many, name=name)}) == 19
        pressed = others(few, name=name)
        assert len({group(persona) for persona in pressed}) == 11  # all but its own
        assert len(set(pressed)) == 19
