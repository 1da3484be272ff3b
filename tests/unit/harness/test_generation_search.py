"""Greedy and beam search against exhaustion: exact, within the rules, the same in any batch."""

import pytest
import torch
from generation_toys import END, START, Table, task
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.torch.generation.beam import beam_search
from harness.torch.generation.options import Hypothesis, SearchOptions
from harness.torch.generation.search import search

SEEDS = st.integers(0, 2**31 - 1)


def beams(table: Table, options: SearchOptions, **how: bool) -> list[tuple[Hypothesis, ...]]:
    asked = task(len(table.likely))
    found = beam_search(table, table.begin, task=asked, options=options, **how)
    return [beam.hypotheses for beam in found]


def same(found: Hypothesis, wanted: Hypothesis) -> bool:
    return found.tokens == wanted.tokens and found.score == pytest.approx(wanted.score)


@settings(max_examples=40, deadline=None)
@given(
    seed=SEEDS,
    words=st.integers(3, 5),
    lengths=st.tuples(st.integers(0, 3), st.integers(1, 3)).filter(lambda it: it[0] <= it[1]),
    alpha=st.sampled_from([0.0, 0.65, 1.0, 2.0, -0.5]),
    offset=st.sampled_from([1, 5]),
    best=st.integers(1, 4),
)
def test_a_beam_as_wide_as_the_space_finds_what_exhaustion_finds(
    seed: int, words: int, lengths: tuple[int, int], alpha: float, offset: int, best: int
) -> None:
    table = Table.random(seed, words=words)
    options = SearchOptions(
        inference="beam",
        min_length=lengths[0],
        max_length=lengths[1],
        beam_size=words**3,
        beam_length_penalty=alpha,
        beam_length_offset=offset,
        n_best=best,
    )
    wanted = table.every(options)[:best]
    found = beams(table, options)[0]
    assert len(found) == len(wanted)
    assert all(map(same, found, wanted))
    assert found[0].log_probability == pytest.approx(table.score(found[0].tokens))


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, size=st.integers(1, 6), best=st.integers(1, 3), alpha=st.floats(-1, 2))
def test_stopping_early_never_changes_what_a_beam_finds(
    seed: int, size: int, best: int, alpha: float
) -> None:
    table = Table.random(seed, contexts=3, words=6)
    options = SearchOptions(
        inference="beam", max_length=6, beam_size=max(size, best), n_best=best,
        beam_length_penalty=alpha,
    )  # fmt: skip
    early, late = beams(table, options), beams(table, options, stop_early=False)
    assert early == late


def test_stopping_early_saves_steps() -> None:
    options = SearchOptions(inference="beam", max_length=20, beam_size=3)
    early, late = (Table.random(3, words=6) for _ in range(2))
    early.likely[..., END] += 3
    late.likely[..., END] += 3
    beams(early, options)
    beams(late, options, stop_early=False)
    assert len(early.steps) < len(late.steps) == 21


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, minimum=st.integers(0, 3), block=st.integers(0, 3))
def test_a_beam_of_one_is_greedy_search(seed: int, minimum: int, block: int) -> None:
    table = Table.random(seed, contexts=4, words=6)
    rules = {"min_length": minimum, "max_length": 7, "beam_block_ngram": block}
    greedy = search(table, table.begin, task=task(4), options=SearchOptions(**rules))
    narrow = beams(table, SearchOptions(inference="beam", beam_size=1, **rules))
    assert [beam.hypotheses for beam in greedy] == narrow


def test_greedy_search_takes_the_likeliest_word_each_time() -> None:
    table = Table.random(1, words=6)
    (beam,) = search(table, table.begin, task=task(1), options=SearchOptions(max_length=8))
    before, last = START, START
    for length, token in enumerate((*beam.hypotheses[0].tokens, END)):
        row = table.likely[0, before, last].clone()
        row[START] = -torch.inf
        row[END] = row[END] if length else -torch.inf
        assert token == int(row.argmax()) or length == 8
        before, last = last, token


@settings(max_examples=40, deadline=None)
@given(
    seed=SEEDS,
    inference=st.sampled_from(["greedy", "beam", "sample", "topk", "nucleus"]),
    size=st.integers(1, 3),
    minimum=st.integers(0, 4),
)
def test_no_inference_repeats_an_ngram_or_ends_too_early_or_late(
    seed: int, inference: str, size: int, minimum: int
) -> None:
    table = Table.random(seed, contexts=3, words=9)
    heard = torch.randint(2, 9, (3, 6), generator=torch.Generator().manual_seed(seed))
    heard[0, 3:] = -1
    options = SearchOptions(
        inference=inference,  # type: ignore[arg-type]  # drawn from the list above
        min_length=minimum,
        max_length=9,
        beam_size=3,
        n_best=2,
        beam_block_ngram=size,
        beam_context_block_ngram=size + 1,
        topk=3,
    )
    asked = task(3, context=heard)
    for context, beam in enumerate(search(table, table.begin, task=asked, options=options)):
        for hypothesis in beam.hypotheses:
            said = hypothesis.tokens
            assert START not in said
            assert END not in said
            assert len(said) <= 9
            grams = [said[at : at + size] for at in range(len(said) - size + 1)]
            assert len(set(grams)) == len(grams)
            known = heard[context].tolist()
            wide = {tuple(known[at : at + size + 1]) for at in range(6 - size)}
            assert wide.isdisjoint(said[at : at + size + 1] for at in range(len(said) - size))
            # below the minimum only where all that may be said has been
            assert len(said) >= minimum or size <= 2


def test_the_minimum_length_is_kept() -> None:
    table = Table.random(5, contexts=2, words=6)
    table.likely[..., END] += 9
    for inference in ("greedy", "beam", "sample"):
        options = SearchOptions(inference=inference, min_length=4, max_length=6, n_best=2)
        for beam in search(table, table.begin, task=task(2), options=options):
            assert all(len(one.tokens) >= 4 for one in beam.hypotheses)


def test_a_reply_ends_where_every_word_is_blocked() -> None:
    table = Table.random(2, words=4)
    options = SearchOptions(min_length=3, max_length=9, beam_block_ngram=1)
    for inference in ("greedy", "beam"):
        how = SearchOptions(**{**vars(options), "inference": inference})
        (beam,) = search(table, table.begin, task=task(1), options=how)
        assert len(beam.hypotheses[0].tokens) == 2  # there are two words to say


@settings(max_examples=25, deadline=None)
@given(
    seed=SEEDS,
    inference=st.sampled_from(["greedy", "beam", "sample", "topk", "nucleus"]),
)
def test_a_context_gets_the_same_alone_as_in_a_batch(seed: int, inference: str) -> None:
    table = Table.random(seed, contexts=8, words=7)
    options = SearchOptions(
        inference=inference,  # type: ignore[arg-type]  # drawn from the list above
        max_length=6, beam_size=4, n_best=3, beam_block_ngram=2, seed=seed, topk=4,
    )  # fmt: skip
    asked = task(8)
    together = search(table, table.begin, task=asked, options=options)
    for number in range(8):
        alone = table.only(number)
        (beam,) = search(alone, alone.begin, task=task(1, first=number), options=options)
        assert beam == together[number]


@pytest.mark.parametrize("inference", ["greedy", "beam", "sample"])
def test_what_has_ended_leaves_the_batch(inference: str) -> None:
    table = Table.random(4, contexts=16, words=6)
    options = SearchOptions(inference=inference, max_length=12, beam_size=3, beam_length_penalty=0)
    search(table, table.begin, task=task(16), options=options)
    assert table.steps[0] == 16
    assert table.steps[-1] < max(table.steps)


def test_no_contexts_give_no_replies() -> None:
    table = Table.random(0)
    for inference in ("greedy", "beam", "nucleus"):
        options = SearchOptions(inference=inference)
        assert search(table, table.begin[:0], task=task(0), options=options) == []


@pytest.mark.parametrize("inference", ["greedy", "beam", "sample"])
def test_a_model_that_gives_nan_is_named(inference: str) -> None:
    table = Table.random(0)
    table.likely.fill_(torch.nan)
    with pytest.raises(UsageError, match="NaN"):
        search(table, table.begin, task=task(1), options=SearchOptions(inference=inference))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"max_length": 0}, "max_length is 0"),
        ({"min_length": 9, "max_length": 3}, "max_length is 3; it must be at least 9"),
        ({"inference": "beam", "n_best": 9}, "raise search.beam_size"),
        ({"temperature": 0.0}, "temperature is 0"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"topp": 1.5}, "topp is 1.5"),
        ({"beam_block_ngram": -1}, "beam_block_ngram is -1"),
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, float], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        SearchOptions(**wrong)  # type: ignore[arg-type]  # wrong on purpose


def test_the_length_penalty_is_that_of_the_paper() -> None:
    options = SearchOptions(beam_length_penalty=0.6)
    assert options.penalty(1) == 1
    assert options.penalty(7) == pytest.approx(2**0.6)  # (5 + 7) / 6
    field = SearchOptions(beam_length_offset=1)
    assert field.penalty(11) / field.penalty(5) == pytest.approx((12 / 6) ** 0.65)
