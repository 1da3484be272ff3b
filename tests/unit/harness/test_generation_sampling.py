"""Drawing words: the distributions are those of the definitions, and chance is the context's."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from harness.torch.generation.options import SearchOptions
from harness.torch.generation.sampling import FEW, draw, uniforms

DRAWS = 40_000


def drawn(row: Tensor, options: SearchOptions) -> Tensor:
    chance = uniforms(["all"], seed=1, count=DRAWS)[0]
    return draw(row.expand(DRAWS, -1), chance, options)


def topk(row: list[float], k: int) -> list[float]:
    """The k likeliest words, made a distribution again."""
    order = sorted(range(len(row)), key=lambda at: -row[at])[:k]
    total = sum(row[at] for at in order)
    return [value / total if at in order else 0.0 for at, value in enumerate(row)]


def nucleus(row: list[float], p: float) -> list[float]:
    """Holtzman et al. 2020, equations 2 and 3: the smallest set of mass at least p."""
    order = sorted(range(len(row)), key=lambda at: -row[at])
    held = list(itertools.accumulate(row[at] for at in order))
    size = next(n for n, mass in enumerate(held, 1) if mass >= p - 1e-12)
    return topk(row, size)


def chi_square(tokens: Tensor, wanted: list[float]) -> float:
    counts = torch.bincount(tokens, minlength=len(wanted)).tolist()
    assert all(count == 0 for count, share in zip(counts, wanted, strict=True) if share == 0)
    return sum(
        (count - DRAWS * share) ** 2 / (DRAWS * share)
        for count, share in zip(counts, wanted, strict=True)
        if share > 0
    )


ROW = [0.02, 0.3, 0.05, 0.22, 0.11, 0.09, 0.14, 0.07]
LIMIT = 24.3  # chi-square, 7 degrees of freedom: one in a thousand is larger


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (SearchOptions(inference="sample"), ROW),
        (SearchOptions(inference="topk", topk=3), topk(ROW, 3)),
        (SearchOptions(inference="topk", topk=99), ROW),
        (SearchOptions(inference="nucleus", topp=0.7), nucleus(ROW, 0.7)),
        (SearchOptions(inference="nucleus", topp=0.1), nucleus(ROW, 0.1)),
        (SearchOptions(inference="nucleus", topp=1.0), ROW),
        (
            SearchOptions(inference="sample", temperature=0.5),
            [value**2 / sum(v**2 for v in ROW) for value in ROW],
        ),
        (
            SearchOptions(inference="nucleus", topp=0.7, temperature=2.0),
            nucleus([v**0.5 / sum(v**0.5 for v in ROW) for v in ROW], 0.7),
        ),
    ],
)
def test_words_are_drawn_as_the_definition_says(
    options: SearchOptions, wanted: list[float]
) -> None:
    tokens = drawn(torch.tensor(ROW).log(), options)
    assert chi_square(tokens, wanted) < LIMIT


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 9999), p=st.floats(0.05, 0.999), size=st.sampled_from([3, 40, 700]))
def test_a_nucleus_is_the_smallest_set_that_holds_its_mass(seed: int, p: float, size: int) -> None:
    """Whether the few likeliest words suffice or all must be sorted."""
    logits = torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    row = logits.log_softmax(0)
    options = SearchOptions(inference="nucleus", topp=p)
    grid = (torch.arange(4000) + 0.5) / 4000
    tokens = draw(row.expand(4000, -1), grid, options)
    wanted = torch.tensor(nucleus(row.exp().tolist(), p))
    shares = torch.bincount(tokens, minlength=size) / 4000
    assert float((shares - wanted).abs().max()) < 2 / 4000


def test_a_wide_nucleus_in_the_batch_changes_no_other_row() -> None:
    flat = torch.zeros(4 * FEW).log_softmax(0)
    sharp = torch.linspace(0, 40, 4 * FEW).log_softmax(0)
    chance = uniforms(["a", "b"], seed=0, count=1)[:, 0]
    options = SearchOptions(inference="nucleus", topp=0.99)
    both = draw(torch.stack([sharp, flat]), chance, options)
    assert both[0] == draw(sharp[None], chance[:1], options)[0]
    assert both[1] == draw(flat[None], chance[1:], options)[0]


@given(st.floats(0, 1, exclude_max=True))
def test_what_is_excluded_is_never_drawn(chance: float) -> None:
    row = torch.tensor([[-math.inf, -1.0, -math.inf, -50.0, -math.inf]])
    for inference in ("sample", "topk", "nucleus"):
        for topp in (0.5, 1.0):
            options = SearchOptions(inference=inference, topp=topp)
            assert int(draw(row, torch.tensor([chance]), options)) in (1, 3)


def test_the_largest_number_below_one_draws_the_last_word_that_may_be_said() -> None:
    row = torch.tensor([[0.5, 0.25, 0.25, 0.0]]).log()
    chance = torch.tensor([math.nextafter(1, 0)], dtype=torch.float64)
    assert int(draw(row, chance, SearchOptions(inference="sample"))) in (1, 2)


def test_chance_hangs_on_the_key_and_the_seed_alone() -> None:
    both = uniforms(["a", "b"], seed=3, count=5)
    assert torch.equal(both[1], uniforms(["b"], seed=3, count=5)[0])
    assert not torch.equal(both[0], both[1])
    assert not torch.equal(both[0], uniforms(["a"], seed=4, count=5)[0])
    assert torch.equal(both[:, :2], uniforms(["a", "b"], seed=3, count=2))
    assert uniforms(["\ud800"], seed=0, count=1).shape == (1, 1)  # an id may be any text
