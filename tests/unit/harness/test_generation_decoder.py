"""Incremental decoding is the same as forcing the whole reply, for every kind of model."""

import pytest
import torch
from generation_toys import TinyCopier, TinyLSTM, TinyTransformer

from harness.dialogue import Context
from harness.torch.batch import Batch, Observation, batchify
from harness.torch.generation.decoder import ModelDecoder, TorchGeneratorModel, join, select
from harness.torch.generation.forced import PLACES, decode_forced, likelihoods
from harness.torch.generation.kept import Kept
from harness.torch.generation.options import SearchOptions, Task
from harness.torch.generation.search import search
from harness.torch.words import END, PAD, START, UNKNOWN

WORDS = 12
CPU = torch.device("cpu")
TEXTS = [(4, 5, 6, 7, 8), (9, 4), (5, 5, 10), (11,)]
Model = TorchGeneratorModel  # type: ignore[type-arg]  # either of two


def made(kind: type[Model]) -> Model:  # type: ignore[type-arg]  # either of two
    torch.manual_seed(0)
    return kind(WORDS).double().eval()


def batch(texts: list[tuple[int, ...]] = TEXTS) -> Batch:
    return batchify([Observation(Context(str(n)), text) for n, text in enumerate(texts)])


KINDS = pytest.mark.parametrize("kind", [TinyLSTM, TinyTransformer, TinyCopier])


@KINDS
@torch.no_grad()
def test_step_by_step_is_the_same_as_forced(kind: type[Model]) -> None:  # type: ignore[type-arg]
    model = made(kind)
    labels = torch.randint(4, WORDS, (len(TEXTS), 7))
    encoded = model.encode(batch())
    lengths = torch.full((len(TEXTS),), 7)
    forced = decode_forced(model, encoded, labels, lengths=lengths, start=START)
    decoder = ModelDecoder(model)
    state = decoder.begin(encoded, len(TEXTS), device=CPU)
    read = torch.full((len(TEXTS),), START)
    for place in range(7):
        likely, state = decoder.step(read, state)
        read = labels[:, place]
        assert torch.allclose(likely.gather(1, read[:, None])[:, 0], forced[:, place])


@KINDS
@torch.no_grad()
def test_rows_that_change_places_keep_their_history(kind: type[Model]) -> None:  # type: ignore[type-arg]
    model = made(kind)
    decoder = ModelDecoder(model)
    encoded = model.encode(batch())
    state = decoder.begin(encoded, len(TEXTS), device=CPU)
    said = torch.full((len(TEXTS), 1), START)
    whose = torch.arange(len(TEXTS))
    for step in range(5):
        likely, state = decoder.step(said[:, -1], state)
        heard = select(encoded, whose)
        hidden, _ = model.decode(said, heard, None)
        assert torch.allclose(likely, model.next_words(hidden[:, -1], heard))
        rows = torch.randint(0, len(said), (6,), generator=torch.Generator().manual_seed(step))
        state, whose = decoder.reorder(state, rows), whose[rows]
        said = torch.cat([said[rows], torch.randint(4, WORDS, (6, 1))], dim=1)


@KINDS
@torch.no_grad()
def test_a_reply_that_was_found_is_scored_as_it_was_found(kind: type[Model]) -> None:  # type: ignore[type-arg]
    model = made(kind)
    encoded = model.encode(batch())
    asked = Task("abcd", start=START, end=END, blocked=(PAD, START, UNKNOWN))
    for inference in ("greedy", "beam", "nucleus"):
        options = SearchOptions(inference=inference, max_length=9, n_best=3)
        decoder = ModelDecoder(model)
        state = decoder.begin(encoded, 4, device=CPU)
        for row, beam in enumerate(search(decoder, state, task=asked, options=options)):
            rows = [(row, (*one.tokens, END)) for one in beam.hypotheses]
            scored = likelihoods(model, encoded, rows, start=START, device=CPU)
            for one, hypothesis in zip(scored, beam.hypotheses, strict=True):
                assert one.total == pytest.approx(hypothesis.log_probability)
                assert one.tokens == len(hypothesis.tokens) + 1


@KINDS
@torch.no_grad()
def test_a_context_is_decoded_alone_as_in_a_batch(kind: type[Model]) -> None:  # type: ignore[type-arg]
    model = made(kind)

    def replies(texts: list[tuple[int, ...]], keys: list[str], inference: str) -> list[object]:
        read = batch(texts)
        asked = Task([keys[at] for at in read.valid_indices], start=START, end=END)
        decoder = ModelDecoder(model)
        state = decoder.begin(model.encode(read), len(texts), device=CPU)
        options = SearchOptions(inference=inference, max_length=8)  # type: ignore[arg-type]
        found = search(decoder, state, task=asked, options=options)
        tokens = {
            read.valid_indices[row]: beam.hypotheses[0].tokens for row, beam in enumerate(found)
        }
        return [tokens[place] for place in range(len(texts))]

    for inference in ("greedy", "beam", "sample", "nucleus", "topk"):
        together = replies(TEXTS, list("abcd"), inference)
        assert together == [
            replies([text], [key], inference)[0] for text, key in zip(TEXTS, "abcd", strict=True)
        ]


@torch.no_grad()
def test_what_was_encoded_moves_only_when_rows_change_their_context() -> None:
    moves: list[list[int]] = []

    class Counting(TinyLSTM):
        def reorder_encoder_states(self, encoded: object, rows: torch.Tensor) -> object:
            moves.append(rows.tolist())
            return super().reorder_encoder_states(encoded, rows)  # type: ignore[arg-type]

    model = made(Counting)
    decoder = ModelDecoder(model)
    state = decoder.begin(model.encode(batch(TEXTS[:2])), 2, device=CPU)
    _, state = decoder.step(torch.tensor([START, START]), state)
    state = decoder.reorder(state, torch.tensor([0, 0, 1, 1]))
    _, state = decoder.step(torch.tensor([4, 5, 6, 7]), state)
    state = decoder.reorder(state, torch.tensor([1, 0, 2, 2]))
    state = decoder.reorder(state, torch.tensor([2, 3]))
    assert moves == [[0, 0, 1, 1], [2, 3]]


@KINDS
@torch.no_grad()
def test_likelihoods_are_the_same_in_every_order_and_chunk(kind: type[Model]) -> None:  # type: ignore[type-arg]
    model = made(kind)
    encoded = model.encode(batch())
    drawn = torch.Generator().manual_seed(0)
    rows = [
        (n % 4, tuple(torch.randint(4, WORDS, (n % 9,), generator=drawn).tolist()))
        for n in range(PLACES // 4)
    ]
    found = likelihoods(model, encoded, rows, start=START, device=CPU)
    for place in (0, 1, 17, 300, PLACES // 4 - 1):
        (alone,) = likelihoods(model, encoded, [rows[place]], start=START, device=CPU)
        assert found[place].total == pytest.approx(alone.total)
        assert found[place].tokens == len(rows[place][1])
    assert found[0].mean == 0.0  # of no words
    assert found[17].mean == found[17].total / found[17].tokens


def test_trees_are_selected_and_joined_whatever_their_form() -> None:
    first = {"a": (torch.ones(2, 3), [torch.ones(2)]), "b": None, "c": 7}
    second = {"a": (2 * torch.ones(1, 4), [torch.zeros(1)]), "b": None, "c": 7}
    both = join([first, second])
    assert both["a"][0].tolist() == [[1, 1, 1, 0], [1, 1, 1, 0], [2, 2, 2, 2]]
    assert both["a"][1][0].tolist() == [1, 1, 0]
    assert (both["b"], both["c"]) == (None, 7)
    back = select(both, torch.tensor([2, 0]))
    assert back["a"][0].tolist() == [[2, 2, 2, 2], [1, 1, 1, 0]]
    masks = join([torch.ones(1, 1, dtype=torch.bool), torch.ones(1, 2, dtype=torch.bool)])
    assert masks.tolist() == [[True, False], [True, True]]


def test_kept_states_are_found_by_context_and_beginning() -> None:
    kept: Kept[torch.Tensor] = Kept(4)
    one, two = Context("1"), Context("2")
    kept.put([one, two], [(1,), (1, 4)], torch.tensor([[10.0], [20.0]]))
    place = kept.find(two, (1, 4, 5))
    first = kept.find(one, (1, 9))
    assert place is not None
    assert first is not None
    assert kept.take([place, first], device=CPU).tolist() == [[20.0], [10.0]]
    assert kept.find(two, (1, 5, 5)) is None  # another beginning
    assert kept.find(two, (1, 4)) is None  # nothing left to read
    assert kept.find(Context("2", persona=("new",)), (1, 4, 5)) is None


def test_kept_states_are_joined_from_several_blocks() -> None:
    kept: Kept[torch.Tensor] = Kept(9)
    contexts = [Context(str(number)) for number in range(5)]
    kept.put(contexts[:3], [(1,)] * 3, torch.tensor([[0.0], [1], [2]]))
    kept.put(contexts[3:], [(1,)] * 2, torch.tensor([[3.0, 3], [4, 4]]))
    places = [kept.find(contexts[number], (1, 2)) for number in (4, 0, 3, 2)]
    taken = kept.take([place for place in places if place], device=CPU)
    assert taken.tolist() == [[4, 4], [0, 0], [3, 3], [2, 0]]


def test_kept_states_are_bounded_in_rows_and_the_oldest_block_goes_first() -> None:
    kept: Kept[torch.Tensor] = Kept(4)
    contexts = [Context(str(number)) for number in range(9)]
    for start in (0, 2, 4):
        kept.put(contexts[start : start + 2], [(1,), (1,)], torch.zeros(2, 1))
    assert kept.rows == 4
    assert kept.find(contexts[0], (1, 2)) is None
    assert kept.find(contexts[5], (1, 2)) is not None
    kept.put(contexts[2:6], [(1, 2)] * 4, torch.zeros(4, 1))  # all move on: old blocks are free
    assert (kept.rows, len(kept)) == (4, 4)
    kept.put(contexts, [(1,)] * 9, torch.zeros(9, 1))  # more than there is room for
    assert (kept.rows, len(kept)) == (4, 4)
    kept.put([contexts[8], contexts[8]], [(1,), (1, 2)], torch.tensor([[1.0], [2.0]]))
    twin = kept.find(contexts[8], (1, 2, 3))
    assert twin is not None
    assert kept.take([twin], device=CPU).tolist() == [[2.0]]
    kept.clear()
    assert (kept.rows, len(kept)) == (0, 0)
