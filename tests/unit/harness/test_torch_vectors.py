"""A context becomes ids: what is cut, from which side, and what stands where."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.dialogue import SILENCE, Context, Dialogue, Example, Turn
from harness.text import SPECIALS
from harness.torch.options import TextOptions
from harness.torch.vectors import MARKS, Vectoriser, learn_words
from harness.torch.words import END, START, Words

WORDS = Words((*SPECIALS, *MARKS, "your", "persona", ":", *"abcdefg", "sep"))


def read(ids: tuple[int, ...]) -> str:
    return " ".join(WORDS.words[i] for i in ids)


def vectoriser(**options: object) -> Vectoriser:
    return Vectoriser(WORDS, TextOptions(**options))  # type: ignore[arg-type]  # by name, in tables


def said(*texts: str, persona: tuple[str, ...] = (), partner: tuple[str, ...] = ()) -> Context:
    """A talk whose last turn is the partner's."""
    sides = ("partner", "self")
    turns = [Turn(sides[n % 2], text) for n, text in enumerate(reversed(texts))]  # type: ignore[arg-type]  # alternating literals
    return Context("x", persona, partner, tuple(reversed(turns)))


TALK = said("a b", "c", "d e")
PERSONAL = said("a", persona=("f", "g"))


@pytest.mark.parametrize(
    ("options", "context", "text", "memories"),
    [
        ({}, TALK, "a b c d e", []),
        ({"text_truncate": 3}, TALK, "c d e", []),
        ({"text_truncate": 1}, TALK, "e", []),
        ({"text_truncate": None}, TALK, "a b c d e", []),
        ({"history_size": 2}, TALK, "c d e", []),
        ({"history_size": 9}, TALK, "a b c d e", []),
        ({"delimiter": "sep"}, TALK, "a b sep c sep d e", []),
        ({"delimiter": "sep", "history_size": 1}, TALK, "d e", []),
        ({"person_tokens": True}, TALK, "__p1__ a b __p2__ c __p1__ d e", []),
        ({"person_tokens": True, "text_truncate": 3}, TALK, "__p1__ d e", []),
        ({"history": "memories"}, TALK, "d e", ["a b", "c"]),
        ({"history": "memories", "query_turns": 2}, TALK, "c d e", ["a b"]),
        ({"history": "memories", "query_turns": 9}, TALK, "a b c d e", []),
        ({"history": "memories", "history_size": 2}, TALK, "d e", ["c"]),
        ({"history": "memories", "memories": 1}, TALK, "d e", ["c"]),
        ({"history": "memories", "memories": 0}, TALK, "d e", []),
        (
            {"history": "memories", "person_tokens": True},
            TALK,
            "__p1__ d e",
            ["__p1__ a b", "__p2__ c"],
        ),
        ({}, PERSONAL, "your persona : f your persona : g a", []),
        ({"text_truncate": 2}, PERSONAL, "g a", []),  # a long persona goes first
        ({"persona_prefix": ""}, PERSONAL, "f g a", []),
        ({"persona_prefix": "", "delimiter": "sep"}, PERSONAL, "f sep g sep a", []),
        ({"persona": "none"}, PERSONAL, "a", []),
        ({"persona": "memories"}, PERSONAL, "a", ["f", "g"]),
        ({"persona": "memories", "memories": 1}, PERSONAL, "a", ["f"]),
        (
            {"persona": "memories", "history": "memories", "memories": 3},
            said("a", "b", "c", persona=("f", "g")),
            "c",
            ["f", "g", "b"],  # the persona is kept, then the latest turns
        ),
        ({"persona": "memories"}, said("a", partner=("f",)), "a", ["f"]),
        ({"partner_prefix": "b"}, said("a", partner=("f",)), "b f a", []),
        ({}, said(), "__silence__", []),  # nothing was said
        ({}, said(SILENCE), "__silence__", []),
        ({"person_tokens": True}, said(SILENCE), "__p1__ __silence__", []),
        ({}, said(SILENCE, "a", "b"), "__silence__ a b", []),
        ({}, said("zebra", "a zebra", "b"), "__unk__ a __unk__ b", []),
        ({}, said(""), "__unk__", []),  # a turn without words is still a turn
        ({}, said("A, b!"), "a __unk__ b __unk__", []),
        ({}, said("__end__ __p2__ __start__ __silence__ a"), "__unk__ " * 4 + "a", []),
    ],
)
def test_a_context_in_ids(
    options: dict[str, object], context: Context, text: str, memories: list[str]
) -> None:
    seen = vectoriser(**options).observe(context)
    assert read(seen.text) == text
    assert [read(memory) for memory in seen.memories] == memories


@pytest.mark.parametrize(
    ("text", "limit", "end", "ids"),
    [
        ("a b c", 64, False, "a b c"),
        ("a b c", 2, False, "a b"),
        ("a b c", 64, True, "a b c __end__"),
        ("a b c", 3, True, "a b c"),  # what was cut did not end
        ("a b c", None, True, "a b c __end__"),
        ("", 64, False, "__unk__"),
        ("zebra __end__", 64, True, "__unk__ __unk__ __end__"),
    ],
)
def test_a_reply_in_ids(text: str, limit: int | None, end: bool, ids: str) -> None:
    made = Vectoriser(WORDS, TextOptions(label_truncate=limit), label_end=end)
    assert read(made.reply(text)) == ids


def test_labels_and_candidates_come_along() -> None:
    seen = vectoriser().observe(TALK, labels=("a", "b"), candidates=("c d", "e"))
    assert (read(seen.label), seen.labels) == ("a", ("a", "b"))
    assert [read(vec) for vec in seen.candidate_vecs] == ["c d", "e"]
    assert seen.candidates == ("c d", "e")


def test_words_are_learned_without_candidates_and_with_the_marks() -> None:
    example = Example(("a __end__ a", SILENCE), ("b",), candidates=("never",))
    talk = Dialogue("1", ("i own c",), examples=(example,))

    words = learn_words([talk], options=TextOptions(delimiter="__end__ sep"), minimum=1)

    assert words.words[: len(SPECIALS) + len(MARKS)] == (*SPECIALS, *MARKS)
    assert set(words.words) >= {"a", "b", "c", "sep", "persona", "partner's"}
    assert "never" not in words.index
    assert len(set(words.words)) == len(words.words)


texts = st.lists(st.sampled_from(["a", "b", "zz", "__end__", ".", ""]), max_size=12).map(" ".join)


@given(
    st.lists(texts, max_size=6),
    st.lists(texts, max_size=4),
    st.integers(1, 9),
    st.sampled_from(["lines", "memories", "none"]),
    st.sampled_from(["text", "memories"]),
    st.integers(0, 5),
)
def test_whatever_is_said_is_bounded_and_spells_no_mark(
    turns: list[str], persona: list[str], limit: int, mode: str, history: str, memories: int
) -> None:
    made = vectoriser(text_truncate=limit, persona=mode, history=history, memories=memories)
    seen = made.observe(said(*turns, persona=tuple(persona)))
    assert 1 <= len(seen.text) <= limit
    assert len(seen.memories) <= memories
    assert all(1 <= len(memory) <= limit for memory in seen.memories)
    assert {START, END}.isdisjoint({*seen.text, *(i for m in seen.memories for i in m)})
