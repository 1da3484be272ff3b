"""The memory of pairs: near ones first, one key for one bag, and nothing that nobody would say."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  as everybody writes it
from toyset import module_of

from harness.dialogue import Dialogue, Example
from harness.errors import UsageError

pairs = module_of("kvmemnn", "pairs")


def ids(text: str) -> tuple[int, ...]:
    return tuple(4 + "abcdefgh".index(word) for word in text.split()) or (3,)


def unit(*rows: tuple[int, ...]) -> torch.Tensor:
    """One place a word."""
    found = torch.zeros(len(rows), 16)
    for row, words in zip(found, rows, strict=True):
        row.index_add_(0, torch.tensor(words), torch.ones(len(words)))
    return F.normalize(found, dim=-1)


def keys_of(held: object) -> torch.Tensor:
    return unit(*(tuple(i for i in row if i) for row in held.key_vecs.tolist()))  # type: ignore[attr-defined]  # Pairs of a flat module


def test_the_nearest_key_gives_its_replies_the_commonest_first() -> None:
    said = [("a b", "g"), ("c", "h"), ("b a", "h"), ("a b", "h"), ("a b", "h"), ("d", "f")]
    held = pairs.Pairs.of(said, ids=ids)

    places, match = held.nearest(unit(ids("a b")), keys_of(held), count=3)

    found = [held.texts[place] for place in places[0].tolist()]
    assert found[:3] == [("a b", "h"), ("a b", "g"), ("b a", "h")]  # words in any order are one key
    assert match[0].tolist() == pytest.approx([1.0, 1.0, 1.0])
    assert len(held.key_vecs) == 3


def test_nearest_is_what_comparing_with_every_pair_gives() -> None:
    torch.manual_seed(0)
    words = list("abcdefgh")
    texts = [
        (" ".join(words[i] for i in torch.randint(8, (3,)).tolist()), words[row % 8])
        for row in range(300)
    ]
    held = pairs.Pairs.of(texts, ids=ids)
    asked = unit(ids("a b c"), ids("d d e"), ids("h"))

    _, match = held.nearest(asked, keys_of(held), count=20)

    every = unit(*(ids(said) for said, _ in held.texts))
    best = (asked @ every.T).topk(20, dim=1).values
    torch.testing.assert_close(match, best, atol=1e-6, rtol=0)


def test_asking_for_more_than_there_is_gives_all() -> None:
    held = pairs.Pairs.of([("a", "b"), ("c", "d")], ids=ids)
    places, match = held.nearest(unit(ids("a"), ids("c")), keys_of(held), count=100)
    assert places.tolist() == [[0, 1], [1, 0]]
    assert match.shape == (2, 2)


def test_a_training_set_gives_what_was_said_last_and_replied() -> None:
    replies = [
        "fine .",
        "hi [user 2's name] !",
        "i am ( name ) .",
        "user 1 , bye",
        "i'm {x}",
        "ok .",
    ]
    talk = Dialogue(
        "t", examples=tuple(Example(("so", f"q{n}"), (r,)) for n, r in enumerate(replies))
    )

    assert pairs.pairs_of([talk], limit=9) == [("q0", "fine ."), ("q5", "ok .")]


def test_a_limit_takes_pairs_from_all_of_the_set() -> None:
    talk = Dialogue("t", examples=tuple(Example((f"q{n}",), (f"r{n}",)) for n in range(10)))
    assert [said for said, _ in pairs.pairs_of([talk], limit=4)] == ["q0", "q3", "q6", "q9"]


def test_pairs_return_from_their_file() -> None:
    texts = [("zoë ?", 'a "b"\n'), ("", "x")]
    held = pairs.Pairs.of(texts, ids=lambda text: (len(text) + 4,))
    assert pairs.from_bytes(pairs.to_bytes(held), place="p") == texts


@pytest.mark.parametrize(
    "content", [b"{", b"3", b'["abc"]', b"[[1, 2]]", b'[["a"]]', b"\xff", b"[" * 10**5]
)
def test_a_damaged_file_is_one_sentence(content: bytes) -> None:
    with pytest.raises(UsageError, match=r"pairs\.json is damaged"):
        pairs.from_bytes(content, place="x/pairs.json")


def test_no_pair_at_all_is_one_sentence() -> None:
    with pytest.raises(UsageError, match="needs a pair"):
        pairs.Pairs.of([], ids=ids)
