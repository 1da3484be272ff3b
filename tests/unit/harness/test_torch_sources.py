"""Candidate sources: what each row chooses from, and what counts as wrong."""

from dataclasses import replace

import pytest
import torch
from torch_toys import REPLIES, ToyRanker, fresh, toy, toy_options

from harness.dialogue import Context, Dialogue, Example, Turn
from harness.errors import UsageError
from harness.torch import sources
from harness.torch.batch import Batch, Observation
from harness.torch.learning import examples, validate
from harness.torch.ranker import RankingOptions
from harness.torch.sources import Fixed, Pool, Source


def asked(agent: ToyRanker, *rows: tuple[str, tuple[str, ...]], count: int = 1) -> Batch:
    """A batch of rows of (label, candidates), all of one length so that they keep their order."""
    context = Context("x", turns=(Turn("partner", "tea"),))
    return agent.batchify(
        [agent.vectorize(context, labels=(label,), candidates=own) for label, own in rows]
    )


def options(source: Source) -> RankingOptions:
    return RankingOptions(candidates=source, eval_candidates=source)


def shown(pool: Pool, row: int) -> list[str]:
    """A row's candidates that count, the target in capitals."""
    assert pool.targets is not None
    assert pool.counts is not None
    places = range(len(pool.texts)) if pool.places is None else pool.places[row].tolist()
    texts = [pool.texts[place] for place in places]
    texts[int(pool.targets[row])] = texts[int(pool.targets[row])].upper()
    return [text for text, counts in zip(texts, pool.counts[row].tolist(), strict=True) if counts]


def test_inline_gives_each_row_its_own() -> None:
    batch = asked(fresh(), ("a cup", ("jazz", "a cup", "tea")), ("rain", ("rain", "tea")))
    pool = sources.inline(batch)

    assert pool.texts == ("jazz", "a cup", "tea", "rain")  # each text once
    assert shown(pool, 0) == ["jazz", "A CUP", "tea"]
    assert shown(pool, 1) == ["RAIN", "tea"]


def test_a_label_that_is_missing_among_the_candidates_is_added() -> None:
    pool = sources.inline(asked(fresh(), ("rain", ("jazz", "tea"))))
    assert shown(pool, 0) == ["jazz", "tea", "RAIN"]


def test_candidates_that_equal_the_label_are_no_wrong_answers() -> None:
    pool = sources.inline(asked(fresh(), ("Rain!", ("the rain", "tea", "rain"))))
    assert shown(pool, 0) == ["THE RAIN", "tea"]


def test_equal_replies_of_other_rows_are_no_wrong_answers() -> None:
    batch = asked(fresh(), ("rain", ()), ("tea", ()), ("Rain.", ()), ("rain", ()))
    pool = sources.in_batch(batch)

    assert pool.texts == ("rain", "tea", "Rain.")
    assert shown(pool, 0) == ["RAIN", "tea"]
    assert shown(pool, 1) == ["rain", "TEA", "Rain."]
    assert shown(pool, 2) == ["RAIN", "tea"]
    assert shown(pool, 3) == ["RAIN", "tea"]


def test_further_labels_are_no_wrong_answers() -> None:
    agent = fresh()
    context = Context("x", turns=(Turn("partner", "tea"),))
    rows = [agent.vectorize(context, labels=labels) for labels in (("tea", "jazz"), ("jazz",))]
    pool = sources.in_batch(agent.batchify(rows))

    assert shown(pool, 0) == ["TEA"]
    assert shown(pool, 1) == ["tea", "JAZZ"]


def test_batch_all_pools_candidates_and_labels() -> None:
    batch = asked(fresh(), ("rain", ("rain", "tea")), ("jazz", ("tea", "snow")))
    pool = sources.batch_all(batch)

    assert shown(pool, 0) == ["RAIN", "tea", "snow", "jazz"]
    assert shown(pool, 1) == ["rain", "tea", "snow", "JAZZ"]


def test_a_fixed_list_gains_the_labels_that_it_lacks() -> None:
    agent = fresh()
    fixed = Fixed.of(["tea", "rain", "tea"], vectoriser=agent.vectoriser)
    pool = sources.from_list(asked(agent, ("Rain!", ()), ("jazz", ())), fixed)

    assert shown(pool, 0) == ["tea", "RAIN", "jazz"]
    assert shown(pool, 1) == ["tea", "rain", "JAZZ"]
    with pytest.raises(UsageError, match="needs a reply"):
        Fixed.of([], vectoriser=agent.vectoriser)


def test_the_vocabulary_is_its_words_but_no_marks() -> None:
    fixed = Fixed.words(fresh().words)
    assert "tea" in fixed.texts
    assert not any(text.startswith("__") for text in fixed.texts)


def test_inline_without_candidates_says_what_to_do() -> None:
    with pytest.raises(UsageError, match=r"no candidates.*ranking\.candidates"):
        sources.inline(asked(fresh(), ("rain", ())))


def whole(source: Source) -> tuple[ToyRanker, list[Observation]]:
    """An agent of the source, and the toy with all replies as each example's candidates."""
    agent = fresh(toy_options(ranking=options(source), batch_size=100))
    agent.set_fixed(REPLIES)
    everything = [
        replace(talk, examples=tuple(replace(e, candidates=REPLIES) for e in talk.examples))
        for talk in toy()
    ]
    data = examples(agent, everything)
    if source not in ("inline", "batch-all"):  # which the set need not give them
        assert not any(one.candidates for one in data)
    return agent, data


@pytest.mark.parametrize("source", ["batch", "batch-all", "fixed"])
def test_sources_of_the_same_list_agree(source: Source) -> None:
    inline, theirs = validate(*whole("inline")).means(), validate(*whole(source)).means()

    assert theirs == pytest.approx(inline, rel=1e-5)
    assert theirs["mean_rank"] > 1


def test_a_word_is_found_in_the_vocabulary() -> None:
    talk = Dialogue("1", examples=(Example(("what about rain ?",), ("garden",)),))
    agent = fresh(toy_options(ranking=options("vocabulary")))
    data = examples(agent, [talk])
    for _ in range(20):
        agent.train_step(agent.batchify(data))

    assert agent.respond([talk.context(0, context_id="x")]) == ["garden"]
    assert validate(agent, data).mean("hits@1") == 1.0


@pytest.mark.parametrize("source", ["batch", "inline"])
def test_samples_hold_every_target_and_no_more_than_asked(source: Source) -> None:
    agent = fresh(toy_options(ranking=options(source)))
    batch = agent.batchify(examples(agent, toy())[:5])
    if source == "inline":
        pool = sources.sampled(sources.inline(batch), negatives=2)
        assert pool.places is not None
        assert pool.places.shape == (5, 3)
    else:
        pool = sources.sampled(sources.batch_all(_with_candidates(batch)), negatives=2)
        assert len(pool.texts) == len({row.labels[0] for row in batch.observations}) + 2

    for row, observation in enumerate(batch.observations):
        right = [text for text in shown(pool, row) if text.isupper()]
        assert right == [observation.labels[0].upper()]


def _with_candidates(batch: Batch) -> Batch:
    """The same labels with every reply of the toy as a candidate."""
    agent = fresh()
    vecs = tuple(map(agent.vectoriser.reply, REPLIES))
    rows = tuple(
        replace(row, candidates=REPLIES, candidate_vecs=vecs) for row in batch.observations
    )
    return replace(batch, observations=rows)


def test_samples_are_drawn_anew_and_are_seeded() -> None:
    agent = fresh()
    pool = sources.inline(agent.batchify(examples(agent, toy())))

    def draw() -> list[list[int]]:
        found = sources.sampled(pool, negatives=3).places
        assert found is not None
        return found.tolist()

    torch.manual_seed(3)
    first, second = draw(), draw()
    torch.manual_seed(3)
    assert draw() == first
    assert first != second
