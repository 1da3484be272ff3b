"""Three personas without a common sentence, drawn by a seed that nobody can guess."""

import random
import time
from pathlib import Path

import pytest
import siteworld
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from harness.data import sample
from harness.dialogue import Dialogue, Example
from harness.errors import UsageError
from harness.text import normalise
from leaderboard import competition, datasets
from leaderboard.human.personas import Persona, draw, seeded
from leaderboard.human.pool import personas


def shared(*personas: Persona) -> bool:
    sentences = [{normalise(sentence) for sentence in persona} for persona in personas]
    return sum(map(len, sentences)) != len(set().union(*sentences))


@given(st.integers(0, 2**32))
def test_no_two_share_a_sentence(seed: int) -> None:
    pool = [(f"i am number {n % 7} .", f"My friend is the {n % 5}.") for n in range(35)]
    drawn = draw(pool, rng=random.Random(seed))
    assert not shared(drawn.rater, drawn.partner, drawn.distractor)


def test_the_only_three_are_found() -> None:
    crowd = [("the dog barks .", f"i am {n} .") for n in range(40)]
    pool = [*crowd, ("a cat sleeps .",), ("an owl calls .",)]
    for seed in range(20):
        drawn = draw(pool, rng=random.Random(seed))
        assert {("a cat sleeps .",), ("an owl calls .",)} < {
            drawn.rater,
            drawn.partner,
            drawn.distractor,
        }


@pytest.mark.parametrize(
    "pool",
    [
        [],
        [("one .",)],
        [("one .",), ("two .",)],
        [("one .",), ("two .",), ("Two!", "three .")],
        [("the dog .",), ("A dog !", "x"), ("dog", "y"), ("another .",)],
    ],
)
def test_a_pool_that_cannot_give_three(pool: list[Persona]) -> None:
    with pytest.raises(UsageError) as caught:
        draw(pool, rng=random.Random(1))
    assert caught.value.code == "bad_data"


def test_a_large_pool_of_the_worst_kind_ends_soon() -> None:
    pool = [(f"side {n % 2} .", f"number {n} .") for n in range(2000)]
    began = time.monotonic()
    with pytest.raises(UsageError):
        draw(pool, rng=random.Random(1))
    assert time.monotonic() - began < 5


def test_a_draw_can_be_made_again_by_who_knows_the_secret() -> None:
    pool = [dialogue.persona for dialogue in sample.make().valid]
    one = draw(pool, rng=seeded(b"s" * 32, nonce=b"7"))
    assert one == draw(pool, rng=seeded(b"s" * 32, nonce=b"7"))
    assert one != draw(pool, rng=seeded(b"t" * 32, nonce=b"7"))
    assert one != draw(pool, rng=seeded(b"s" * 32, nonce=b"8"))


def test_the_pool_is_public_and_read_once(tmp_path: Path) -> None:
    world = siteworld.empty(tmp_path)
    rules = siteworld.TOML.replace("candidates = 20", "candidates = 2")
    competition.load(world.db, rules.format(id=world.competition_id, title="A small one"))

    def store(role: str, word: str) -> None:
        talk = (Example(partner=("hi",), replies=("yes",), candidates=("no", "yes")),)
        found = [
            Dialogue(str(number), persona=(f"{word} {number % 2} .",), examples=talk)
            for number in (1, 2, 3)
        ]
        datasets.store(world.db, world.competition_id, role, found, hidden=role == "test")

    store("test", "hidden")
    with pytest.raises(UsageError) as caught:
        personas(world.db, world.competition_id)
    assert caught.value.code == "data_missing"
    store("valid", "valid")
    assert personas(world.db, world.competition_id) == (("valid 1 .",), ("valid 0 .",))
    store("personas", "own")
    assert personas(world.db, world.competition_id) == (("own 1 .",), ("own 0 .",))

    statements: list[str] = []
    event.listen(world.db.engine, "before_cursor_execute", lambda *told: statements.append(told[2]))
    assert personas(world.db, world.competition_id) == (("own 1 .",), ("own 0 .",))
    assert not [statement for statement in statements if "content" in statement]
