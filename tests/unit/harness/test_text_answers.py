"""Answers as F1 and hits compare them: the quick ways give what the rule of ConvAI2 gives."""

import doctest
import re
import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness import text
from harness.metrics import f1, hits
from harness.text import answer_traces, answer_words, normalise, split_words

PUNCTUATION = re.compile(r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]")
ARTICLES = re.compile(r"\b(?:a|an|the)\b")
APART = re.compile(r"[.,;:!?]")

# What has tripped such code before: marks, articles at every edge, letters that grow or turn into
# ASCII in lower case, whitespace and word boundaries that are not ASCII, control characters.
WORDS = ("a", "an", "the", "A", "The", "AN", "b", "Dog", "n", "0")
SPACES = (" ", "  ", "\n", "\t", "\r", "\x0b", "\x1c", "\x1f", "\x85", "\xa0", "\u2003", "\u3000")
MARKS = ("_", "'", "\u2019", ".", "-", "!", "\\", "]", "^", "[", "\x00", "\x1b", "\x7f", "\u200b")
LETTERS = ("\u0663", "\u0301", "\u0130", "\u212a", "\u03a3", "\u1e9e", "\u00c9", "\ufb03", "\ud800")
TRICKY = st.sampled_from((*WORDS, *SPACES, *MARKS, *LETTERS, "\U0001f600", "\u4e2d"))
TEXTS = st.one_of(st.text(max_size=30), st.lists(TRICKY, max_size=12).map("".join))


def by_the_rule(answer: str) -> str:
    """ConvAI2's rule by three regular expressions, as it stood first in `harness.text`."""
    return " ".join(ARTICLES.sub(" ", PUNCTUATION.sub(" ", answer.lower())).split())


@given(TEXTS)
@example("the\x00 dog")
@example("a\u0301 b")
@example("\u0130")
@example("the_the")
@example("a\x1ca")
def test_normalising_is_the_rule_to_the_letter(answer: str) -> None:
    assert normalise(answer) == by_the_rule(answer)
    assert answer_words(answer) == by_the_rule(answer).split()


def test_every_character_is_normalised_by_the_rule_alone_and_beside_an_article() -> None:
    for character in map(chr, range(sys.maxunicode + 1)):
        if ord(character) > 0x3000 and unicodedata.category(character)[0] in "LC":
            continue  # ideographs, private and unassigned: half a million alike
        answer = f"the{character}A{character} x"
        assert normalise(answer) == by_the_rule(answer), hex(ord(character))


@given(st.lists(TEXTS, max_size=6))
def test_texts_that_are_equal_once_normalised_have_equal_traces(answers: list[str]) -> None:
    traces = answer_traces(answers)

    assert len(traces) == len(answers)
    for one, trace in zip(answers, traces, strict=True):
        assert trace == answer_traces([one])[0] == answer_traces([normalise(one)])[0]


def test_a_trace_tells_most_texts_apart() -> None:
    answers = ["i like dogs .", "I like, dogs!", "i like cats .", "the dogs like it"]

    traces = answer_traces(answers)

    assert traces == [b"ilikdogs", b"ilikdogs", b"ilikcs", b"dogsliki"]
    assert answer_traces([]) == []


@given(TEXTS)
def test_splitting_is_the_rule_to_the_letter(line: str) -> None:
    assert split_words(line) == APART.sub(r" \g<0> ", line.lower()).split()


@pytest.mark.parametrize("module", [text, f1, hits])
def test_the_examples_in_the_docstrings_run(module: object) -> None:
    result = doctest.testmod(module)  # type: ignore[arg-type]  # a module, under a looser name

    assert result.attempted > 0
    assert result.failed == 0
