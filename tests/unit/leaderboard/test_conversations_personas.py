"""Three personas without a common sentence, drawn by a seed that nobody can guess."""

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data import sample
from harness.errors import UsageError
from harness.text import normalise
from leaderboard.human.personas import Persona, draw, seeded


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
