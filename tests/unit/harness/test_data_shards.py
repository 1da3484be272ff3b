"""Shards: no dialogue meets one that would give it away."""

from pathlib import Path

import pytest

from harness import merge as merging
from harness.data import load
from harness.data.shards import SHARD_DIALOGUES, has_borrowed_distractors, plan
from harness.dialogue import Dialogue, Example
from harness.errors import UsageError
from harness.evaluation import evaluate


def talk(name: str, *pairs: tuple[str, str], distractors: tuple[str, ...] = ()) -> Dialogue:
    examples = tuple(Example((heard,), (said,), (*distractors, said)) for heard, said in pairs)
    return Dialogue(name, examples=examples)


def clean(count: int) -> list[Dialogue]:
    return [
        talk(f"{n}", (f"hello{n}", f"hi{n}"), (f"and{n}", f"yes{n}"), distractors=(f"never{n}",))
        for n in range(count)
    ]


def test_a_clean_set_is_one_shard() -> None:
    dialogues = clean(120)
    assert not has_borrowed_distractors(dialogues)
    for track in ("hits", "f1", "ppl"):
        assert plan(dialogues, track) == [dialogues]


def test_borrowed_distractors_bound_the_shards_of_hits_alone() -> None:
    dialogues = [*clean(107), talk("x", ("what", "that"), distractors=("Hi3 !",))]
    shards = plan(dialogues, "hits")
    assert [len(shard) for shard in shards] == [36, 36, 36]
    assert max(map(len, shards)) <= SHARD_DIALOGUES
    assert [d for shard in shards for d in shard] == dialogues
    assert plan(dialogues, "f1") == [dialogues]


def test_a_distractor_from_the_same_dialogue_is_not_borrowed() -> None:
    assert not has_borrowed_distractors(
        [talk("x", ("a1", "b1"), ("c1", "d1"), distractors=("b1",))]
    )


@pytest.mark.parametrize("track", ["hits", "f1", "ppl"])
def test_twins_are_kept_apart_on_every_track(track: str) -> None:
    one = talk("1", ("hello one", "hi two"), ("how is it", "it is fine"))
    other = talk("2", ("hi two", "how is it"), ("it is fine", "good to hear"))
    shards = plan([one, other, *clean(5)], track)  # type: ignore[arg-type]  # a literal, in a list
    assert len(shards) == 2
    assert not any(one in shard and other in shard for shard in shards)
    assert sum(map(len, shards)) == 7


def test_an_empty_set_has_no_shards() -> None:
    assert plan([], "hits") == []


class LongestWins:
    def score_candidates(self, contexts, candidates):  # type: ignore[no-untyped-def]  # a fake
        return [[float(len(text)) for text in texts] for texts in candidates]


@pytest.mark.shared
def test_shards_together_score_as_the_whole(shared: Path) -> None:
    dialogues = load(shared / "data" / "spc" / "test_self_original.txt")
    shards = plan(dialogues, "hits")
    assert len(shards) == 3
    whole = evaluate(LongestWins(), dialogues, "hits", data_name="x")  # type: ignore[arg-type]  # one verb
    parts = [evaluate(LongestWins(), shard, "hits", data_name="x") for shard in shards]  # type: ignore[arg-type]  # one verb
    merged = merging.merge(parts)
    assert merged.score == whole.score
    assert merged.totals == whole.totals
    assert merged.signature == whole.signature


def test_reports_of_different_runs_are_not_merged() -> None:
    first = evaluate(LongestWins(), clean(2), "hits", data_name="x")  # type: ignore[arg-type]  # one verb
    second = evaluate(LongestWins(), clean(2), "hits", data_name="y")  # type: ignore[arg-type]  # one verb
    with pytest.raises(UsageError, match="signature"):
        merging.merge([first, second])
