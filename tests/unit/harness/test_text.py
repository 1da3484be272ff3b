"""The official split, answer normalisation, and the dictionary."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.dialogue import SILENCE, Dialogue, Example
from harness.errors import UsageError
from harness.text import SPECIALS, Vocabulary, normalise, split_words

TALK = Dialogue(
    "1",
    persona=("i like tea .",),
    partner_persona=("i am old .",),
    examples=(
        Example((SILENCE,), ("Hello, you!", "second label"), ("Hello, you!", "distractor")),
        Example(("one", "two"), ("three",)),
    ),
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("Hi.How ARE you?!", ["hi", ".", "how", "are", "you", "?", "!"]),
        ('don\'t "quote" (me) - x-ray', ["don't", '"quote"', "(me)", "-", "x-ray"]),
        ("10:30; yes...", ["10", ":", "30", ";", "yes", ".", ".", "."]),
        ("a\u00a0b\tc\nd", ["a", "b", "c", "d"]),
        ("it\u2019s ÉTÉ", ["it\u2019s", "été"]),
    ],
)
def test_words_are_split_at_six_marks_and_whitespace_only(text: str, words: list[str]) -> None:
    assert split_words(text) == words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't!", "don t"),
        ("it\u2019s", "it\u2019s"),
        ("the a an", ""),
        ("A theatre, an anthem", "theatre anthem"),
        ("user_name\\path`x`^", "user name path x"),
        ("  many \n spaces ", "many spaces"),
    ],
)
def test_answers_are_normalised(text: str, expected: str) -> None:
    assert normalise(text) == expected


@given(st.text(max_size=60))
def test_splitting_and_normalising_twice_change_nothing_more(text: str) -> None:
    words = split_words(text)

    assert split_words(" ".join(words)) == words
    assert all(word.split() == [word] for word in words)
    assert normalise(normalise(text)) == normalise(text)


def test_the_dictionary_counts_train_wholly_and_valid_without_replies() -> None:
    valid = Dialogue("v", persona=("persona",), examples=(Example(("line",), ("onlylabel",)),))

    counts = dict(zip(*_columns(Vocabulary.build([TALK], [valid])), strict=True))

    assert {name: counts.pop(name) for name in SPECIALS} == dict.fromkeys(SPECIALS, 0)
    assert counts == {
        **{"your": 2, "persona": 4, ":": 3, "i": 2, "like": 1, "tea": 1, ".": 2},
        **{"partner's": 1, "am": 1, "old": 1, "__silence__": 1},
        **{"hello": 1, ",": 1, "you": 1, "!": 1, "second": 1, "label": 1},
        **{"one": 1, "two": 1, "three": 1, "line": 1},
    }


def test_words_stand_by_falling_count_then_by_the_word() -> None:
    vocabulary = Vocabulary.from_counts({"b": 2, "a": 2, "z": 9, "__unk__": 4})

    assert vocabulary.words == (*SPECIALS, "z", "a", "b")
    assert vocabulary.counts == (0, 0, 0, 0, 9, 2, 2)
    assert vocabulary.index["a"] == 5
    assert ("a" in vocabulary, "c" in vocabulary, len(vocabulary)) == (True, False, 7)


@pytest.mark.shared
def test_the_dictionary_of_real_dialogues_has_the_size_of_an_independent_count(
    shared: Path,
) -> None:
    from harness.data import load

    folder = shared / "data" / "spc"
    train, valid, test = (
        load(folder / f"{split}_self_original.txt") for split in ("train", "valid", "test")
    )
    vocabulary = Vocabulary.build(train, valid)
    words = [w for d in test for e in d.examples for w in split_words(e.replies[0])]

    assert len(vocabulary) == 4487
    assert (len(words), sum(word in vocabulary for word in words)) == (16_304, 16_155)


@given(st.dictionaries(st.text(min_size=1).filter(lambda w: w.split() == [w]), st.integers(1, 9)))
def test_a_dictionary_survives_its_file(counts: dict[str, int]) -> None:
    try:
        "".join(counts).encode()
    except UnicodeEncodeError:
        return
    vocabulary = Vocabulary.from_counts(counts)

    again = Vocabulary.from_tsv(vocabulary.to_tsv())

    assert again == vocabulary
    assert again.sha256 == vocabulary.sha256


def test_a_dictionary_is_saved_and_loaded(tmp_path: Path) -> None:
    vocabulary = Vocabulary.build([TALK])
    vocabulary.save(tmp_path / "dictionary.tsv")

    assert Vocabulary.load(tmp_path / "dictionary.tsv") == vocabulary


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "begins with __null__"),
        ("a\t3\n", "begins with __null__"),
        ("{head}a\n", ":5: 1 fields where word<TAB>count"),
        ("{head}a\tmany\n", ":5: the count 'many' is not a whole number"),
        ("{head}a\t\u0663\n", "is not a whole number"),
        ("{head}a b\t3\n", ":5: 'a b' is not a word"),
        ("{head}\t3\n", "is not a word"),
        ("{head}a\t3\na\t3\n", ":6: 'a' does not stand in order"),
        ("{head}a\t3\nb\t4\n", ":6: 'b' does not stand in order"),
    ],
)
def test_a_bad_dictionary_is_refused_with_its_line(
    tmp_path: Path, content: str, reason: str
) -> None:
    head = Vocabulary.from_counts({}).to_tsv()
    path = tmp_path / "dictionary.tsv"
    path.write_text(content.replace("{head}", head), encoding="utf-8")

    with pytest.raises(UsageError, match=re.escape(reason)) as caught:
        Vocabulary.load(path)

    assert str(path) in caught.value.message


def test_a_dictionary_that_is_not_text_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "dictionary.tsv"
    path.write_bytes(b"__null__\t1000000003\n\xff\t3\n")

    with pytest.raises(UsageError, match=r"dictionary\.tsv:2: not UTF-8"):
        Vocabulary.load(path)
    with pytest.raises(UsageError, match="cannot read the dictionary"):
        Vocabulary.load(tmp_path / "absent.tsv")


def test_a_dictionary_with_a_word_twice_cannot_be_made() -> None:
    with pytest.raises(UsageError, match="no word twice"):
        Vocabulary((*SPECIALS, "a", "a"), (0, 0, 0, 0, 1, 1))
    with pytest.raises(UsageError, match="begins with"):
        Vocabulary(("a",), (1,))


@pytest.mark.parametrize("module", ["harness", "harness.dialogue", "harness.text", "harness.data"])
def test_the_words_need_neither_numpy_nor_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit(any(m in sys.modules for m in ('numpy', 'torch')))"

    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0


def _columns(vocabulary: Vocabulary) -> tuple[tuple[str, ...], tuple[int, ...]]:
    return vocabulary.words, vocabulary.counts
