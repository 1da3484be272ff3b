"""Contexts and prefixes between two ends that say only what was added."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.dialogue import Context, Turn
from harness.remote import contexts as seam
from harness.remote.contexts import ContextReader, ContextWriter, PrefixReader, PrefixWriter
from harness.remote.frames import FrameError

HI = Context("one", ("i like tea .",), ("p",), (Turn("partner", "hi"),))
LATER = Context(
    "two", HI.persona, HI.partner_persona, (*HI.turns, Turn("self", "a"), Turn("partner", "b"))
)
VERB = {"verb": "next_word_probabilities"}


class Ends:
    """A writer and a reader, with JSON between them; `sent` is what the last request held."""

    def __init__(self, *, continues: bool = True):
        writer, reader = ContextWriter(continues=continues), ContextReader(continues=continues)
        self._writer, self._reader = writer, reader
        self._prefix_writer, self._prefix_reader = PrefixWriter(writer), PrefixReader(reader)
        self.sent: Any = None

    def contexts(self, contexts: Sequence[Context]) -> list[Context]:
        self.sent = json.loads(json.dumps(self._writer.write(contexts)))
        return self._reader.read(self.sent)

    def prefixes(
        self, contexts: Sequence[Context], prefixes: Sequence[Sequence[str]]
    ) -> tuple[list[Context], list[tuple[str, ...]]]:
        self.sent = json.loads(json.dumps(self._prefix_writer.write(contexts, prefixes)))
        return self._prefix_reader.read(VERB | self.sent)


def test_a_context_says_what_it_adds_to_an_earlier_one() -> None:
    ends = Ends()
    assert ends.contexts([HI]) == [HI]
    assert isinstance(ends.sent[0], dict)
    assert ends.contexts([Context("else")]) == [Context("else")]  # a request of others between
    assert ends.contexts([LATER]) == [LATER]
    assert ends.sent == [["two", "one", [["self", "a"], ["partner", "b"]]]]
    assert ends.contexts([LATER]) == [LATER]
    assert ends.sent == ["two"]


def test_a_reader_of_1_0_gets_every_context_whole() -> None:
    ends = Ends(continues=False)
    ends.contexts([HI])
    assert ends.contexts([LATER]) == [LATER]
    assert isinstance(ends.sent[0], dict)


@pytest.mark.parametrize(
    "other",
    [
        Context("two", HI.persona, ("q",), LATER.turns),
        Context("two", ("i like you .",), HI.partner_persona, LATER.turns),
        Context("two", HI.persona, HI.partner_persona, (Turn("self", "hi"), *LATER.turns[1:])),
        Context("two", HI.persona, HI.partner_persona, ()),
    ],
)
def test_what_only_looks_like_the_same_dialogue_is_sent_whole(other: Context) -> None:
    ends = Ends()
    ends.contexts([HI])
    assert ends.contexts([other]) == [other]
    assert isinstance(ends.sent[0], dict)


def test_an_id_that_comes_again_names_the_new_context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seam, "KEPT", 2)
    ends = Ends()
    changed = Context("one", ("i like tea .",), (), (Turn("partner", "ho"),))
    for context in (HI, changed, LATER, Context("x"), Context("y"), Context("z"), LATER, HI):
        assert ends.contexts([context]) == [context]


@given(st.data())
def test_whatever_is_asked_arrives(data: st.DataObject) -> None:
    """Few ids, texts and places to keep, so that they clash and are dropped."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(seam, "KEPT", data.draw(st.integers(0, 4)))
        ends = Ends(continues=data.draw(st.booleans()))
        texts = st.sampled_from(["a", "b", "\u2019"])
        turns = st.lists(st.builds(Turn, st.sampled_from(["self", "partner"]), texts), max_size=3)
        some = st.builds(
            Context,
            st.sampled_from(["one", "two", "three", "four"]),
            st.lists(texts, max_size=1).map(tuple),
            st.lists(texts, max_size=1).map(tuple),
            turns.map(tuple),
        )
        for _ in range(data.draw(st.integers(1, 6))):
            asked = data.draw(st.lists(some, max_size=3, unique_by=lambda context: context.id))
            assert ends.contexts(asked) == asked


@given(st.data())
def test_whatever_prefixes_are_asked_arrive(data: st.DataObject) -> None:
    ends = Ends(continues=data.draw(st.booleans()))
    rows = st.lists(st.sampled_from([HI, LATER, Context("x"), HI]), max_size=4)
    words = st.sampled_from(["a", "b"])
    for _ in range(data.draw(st.integers(1, 3))):
        contexts = data.draw(rows)
        prefixes = [tuple(data.draw(st.lists(words, max_size=2))) for _ in contexts]
        assert ends.prefixes(contexts, prefixes) == (contexts, prefixes)
        for _ in range(data.draw(st.integers(0, 3))):
            kept = [place for place in range(len(contexts)) if data.draw(st.booleans())]
            contexts = [contexts[place] for place in kept]
            prefixes = [(*prefixes[place], data.draw(words)) for place in kept]
            assert ends.prefixes(contexts, prefixes) == (contexts, prefixes)


def test_a_request_that_goes_on_names_what_ended_and_one_word_a_row() -> None:
    ends = Ends()
    other = Context("x")
    ends.prefixes([HI, LATER, other], [(), ("y",), ()])
    asked = ([HI, other], [("a",), ("b",)])
    assert ends.prefixes(*asked) == asked
    assert ends.sent == {"ended": [1], "words": ["a", "b"]}
    asked = ([HI, other], [("a",), ("b",)])  # the same again does not go on
    assert ends.prefixes(*asked) == asked
    assert ends.sent == {"contexts": ["one", "x"], "prefixes": [["a"], ["b"]]}
    asked = ([other, HI], [("b", "c"), ("a", "c")])  # nor does another order
    assert ends.prefixes(*asked) == asked
    assert "contexts" in ends.sent


def test_what_the_agent_does_to_its_lists_changes_no_later_request() -> None:
    ends = Ends()
    contexts, prefixes = ends.prefixes([HI, LATER], [(), ()])
    contexts.clear()
    prefixes.reverse()
    assert ends.prefixes([LATER], [("a",)]) == ([LATER], [("a",)])


@pytest.mark.parametrize(
    "item",
    [
        [],
        ["two"],
        ["two", "one"],
        ["two", "one", [], []],
        ["two", "unknown", []],
        ["two", 1, []],
        [None, "one", []],
        ["two", "one", {}],
        ["two", "one", ["hi"]],
        ["two", "one", [["system", "hi"]]],
        ["two", "one", [["self", 1]]],
        "unknown",
        7,
        {"id": "two"},
    ],
)
def test_items_that_are_none_are_refused(item: object) -> None:
    reader = ContextReader(continues=True)
    reader.read([{"id": "one", "persona": [], "partner_persona": [], "turns": []}])
    with pytest.raises(FrameError):
        reader.read([item])


def test_a_reader_of_1_0_knows_no_list() -> None:
    reader = ContextReader()
    reader.read([{"id": "one", "persona": [], "partner_persona": [], "turns": []}])
    with pytest.raises(FrameError):
        reader.read([["two", "one", []]])


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        ([], ["a"]),
        ([], ["a", "b", "c"]),
        ([0], ["a", "b"]),
        ([2], ["a"]),
        ([-1], ["a"]),
        ([1, 0], []),
        ([0, 0], ["a"]),
        ([True], ["a"]),
        (["0"], ["a"]),
        ([0.0], ["a"]),
        ([], ["a", 1]),
        ([], ["a", None]),
        ({}, ["a", "b"]),
        ([], "ab"),
    ],
)
def test_goings_on_that_are_none_are_refused(ended: object, words: object) -> None:
    reader = PrefixReader(ContextReader(continues=True))
    rows = [{"id": name, "persona": [], "partner_persona": [], "turns": []} for name in ("a", "b")]
    reader.read(VERB | {"contexts": rows, "prefixes": [[], []]})
    with pytest.raises(FrameError):
        reader.read(VERB | {"ended": ended, "words": words})


def test_there_are_as_many_prefixes_as_contexts() -> None:
    reader = PrefixReader(ContextReader())
    with pytest.raises(FrameError):
        reader.read(VERB | {"contexts": [], "prefixes": [[]]})


def test_nothing_goes_on_before_the_first_request() -> None:
    reader = PrefixReader(ContextReader(continues=True))
    with pytest.raises(FrameError):
        reader.read(VERB | {"ended": [], "words": ["a"]})
