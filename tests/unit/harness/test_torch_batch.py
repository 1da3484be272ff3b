"""Batches: sorted and padded, and every answer back at its place."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.dialogue import Context
from harness.torch.batch import (
    Answer,
    Metrics,
    Observation,
    Output,
    batchify,
    match_batch,
    present,
    stacked,
)


def seen(*ids: int, memories: tuple[tuple[int, ...], ...] = ()) -> Observation:
    return Observation(Context("x"), tuple(ids), memories=memories)


def test_rows_are_sorted_by_length_and_padded() -> None:
    batch = batchify([seen(5), seen(6, 7, 8), seen(9), seen(4, 4)])

    assert batch.text_vec.tolist() == [[6, 7, 8], [4, 4, 0], [5, 0, 0], [9, 0, 0]]
    assert batch.text_lengths.tolist() == [3, 2, 1, 1]
    assert batch.valid_indices == (1, 3, 0, 2)
    assert batch.text_mask.sum(1).tolist() == [3, 2, 1, 1]
    assert batch.label_vec is batch.labels is batch.candidates is batch.memory_vecs is None
    assert batch.text_vec.dtype == torch.int64


def test_memories_of_unlike_rows_are_padded() -> None:
    batch = batchify([seen(5, memories=((1,), (2, 3))), seen(6)])

    assert batch.memory_vecs is not None
    assert batch.memory_vecs.tolist() == [[[1, 0], [2, 3]], [[0, 0], [0, 0]]]
    assert present(batch.memory_vecs).tolist() == [[True, True], [False, False]]
    assert stacked([(), ()]) is None


def test_labels_are_there_only_if_every_row_has_one() -> None:
    labelled = replace(seen(5), label=(7, 8), labels=("hello you", "hi"))
    batch = batchify([labelled, replace(labelled, label=(7,))])

    assert batch.label_vec is not None
    assert batch.label_lengths is not None
    assert batch.labels == ("hello you", "hello you")
    assert batch.label_vec.tolist() == [[7, 8], [7, 0]]
    assert batch.label_lengths.tolist() == [2, 1]
    assert batchify([labelled, seen(5)]).label_vec is None


def test_what_is_not_valid_has_no_row_and_an_empty_answer() -> None:
    batch = batchify([seen(1), seen(2, 2), seen(3, 3, 3)], valid=[0, 2])
    output = Output(text=["three", "one"], scores=[[3.0], [1.0]])

    assert batch.valid_indices == (2, 0)
    assert match_batch(3, batch, output) == [
        Answer("one", scores=(1.0,)),
        Answer(),
        Answer("three", scores=(3.0,)),
    ]


def test_a_batch_needs_a_row() -> None:
    with pytest.raises(ValueError, match="needs an observation"):
        batchify([seen(1)], valid=[])


@given(st.lists(st.integers(1, 9), min_size=1, max_size=30))
def test_sorting_is_undone(lengths: list[int]) -> None:
    batch = batchify([seen(*[place + 1] * length) for place, length in enumerate(lengths)])
    output = Output(text=[str(int(row[0]) - 1) for row in batch.text_vec])

    answers = match_batch(len(lengths), batch, output)

    assert [answer.text for answer in answers] == [str(place) for place in range(len(lengths))]
    assert batch.text_lengths.tolist() == sorted(lengths, reverse=True)


def test_a_batch_moves_as_a_whole() -> None:
    batch = batchify([replace(seen(5, memories=((1,),)), label=(7,), labels=("a",))])
    assert batch.to(torch.device("cpu")) is batch

    moved = batch.to(torch.device("meta"))

    tensors = (moved.text_vec, moved.text_lengths, moved.label_vec, moved.memory_vecs)
    assert all(tensor is not None and tensor.is_meta for tensor in tensors)
    assert moved.observations == batch.observations


def test_metrics_add_up_by_weight() -> None:
    total = Metrics({"loss": (4.0, 2.0)}) + Metrics({"loss": (2.0, 1.0), "ppl": (8.0, 1.0)})
    assert total.means() == {"loss": 2.0, "ppl": 8.0}
    assert Metrics().mean("loss") != Metrics().mean("loss")  # NaN
