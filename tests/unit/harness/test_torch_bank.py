"""The bank gives what would be encoded anew, encodes a text once, and stays within its size."""

import pytest
import torch
from torch import Tensor

from harness.torch import bank as banks
from harness.torch.bank import Bank, Found
from harness.torch.batch import Ids


def ids(text: str) -> Ids:
    return tuple(map(ord, text))


class Encoder:
    """Encodes a text by its ids; knows how many texts it has encoded."""

    def __init__(self) -> None:
        self.texts = 0

    def __call__(self, vectors: Tensor) -> Tensor:
        self.texts += len(vectors)
        return torch.stack([vectors.sum(1), vectors.ne(0).sum(1)], 1).float()


def asked(bank: Bank, encode: Encoder, *rows: list[str]) -> Found:
    found = bank.of(rows, ids=ids, encode=encode)
    assert found is not None
    for row, vectors, encodings in zip(rows, found.vectors, found.encodings, strict=True):
        for text, vector, encoding in zip(row, vectors, encodings, strict=False):
            assert vector[vector.ne(0)].tolist() == list(ids(text))
            assert encoding.tolist() == [sum(ids(text)), len(text)]
        assert not vectors[len(row) :].any()
        assert not encodings[len(row) :].any()
    return found


def test_a_text_is_encoded_once() -> None:
    bank, encode = Bank(10), Encoder()
    asked(bank, encode, ["a", "bcd", "a"], ["ef"])
    assert encode.texts == 3
    asked(bank, encode, ["ef", "a"], ["longer than all before"], [])
    assert encode.texts == 4
    assert len(bank) == 4
    bank.forget()
    asked(bank, encode, ["a"])
    assert encode.texts == 5


def test_what_is_kept_is_bounded_and_never_wrong() -> None:
    bank, encode = Bank(8), Encoder()
    for start in range(40):
        asked(bank, encode, [f"text {number}" for number in range(start, start + 5)])
        assert len(bank) <= 8
    asked(bank, encode, [str(number) for number in range(30)])  # more than there is room for
    assert len(bank) == 0


def test_long_texts_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(banks, "MAX_NUMBERS", 1000)
    bank, encode = Bank(100), Encoder()
    asked(bank, encode, ["a", "b"])
    assert len(bank) == 2
    asked(bank, encode, ["x" * 2000])
    assert len(bank) == 0


def test_a_model_that_encodes_nothing_has_no_bank() -> None:
    bank = Bank(8)
    assert bank.of([["a"]], ids=ids, encode=lambda _: None) is None
    assert bank.of([[], []], ids=ids, encode=Encoder()) is None
    assert len(bank) == 0
