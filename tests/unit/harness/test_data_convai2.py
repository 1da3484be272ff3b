"""ConvAI2's variants by name, sets by name, both sides of a talk, files of fixed candidates."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data import cache, convai2, fbdialog, load, resolve
from harness.data.both_sides import both_sides, other_side
from harness.data.fetch import FETCHABLE
from harness.data.fixed_candidates import read_candidates, write_candidates
from harness.data.names import FETCHABLE as KNOWN
from harness.dialogue import SILENCE, Dialogue, Example
from harness.errors import UsageError

TALK = Dialogue("1", ("i like tea .",), (), (Example(("hi",), ("yes",)),))


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that holds one file of ConvAI2."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "rostrum" / "convai2"
    folder.mkdir(parents=True)
    fbdialog.write(folder / "valid_self_original.txt", [TALK])
    return folder


def test_every_variant_has_its_name() -> None:
    assert convai2.file_name(split="valid") == "valid_self_original.txt"
    assert (
        convai2.file_name(split="train", persona="both", revision="revised", candidates=False)
        == "train_both_revised_no_cands.txt"
    )
    assert len(convai2.VARIANTS) == 3 * 7 * 2
    assert convai2.VARIANTS["test_none_original_no_cands"] == ("test", "none", "original", False)


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"split": "tset"}, "split 'tset' is unknown; known: train, valid, test"),
        ({"persona": "all"}, "persona 'all' is unknown; known: self, none, other, both"),
        ({"revision": "new"}, "revision 'new' is unknown; known: original, revised"),
        ({"persona": "none", "revision": "revised"}, "'none' has no revision 'revised'"),
    ],
)
def test_a_wrong_part_is_told_the_known_ones(parts: dict[str, str], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        convai2.file_name(**{"split": "valid", **parts})  # type: ignore[arg-type]  # all text


def test_a_set_is_known_by_name_once_it_is_fetched(fetched: Path, tmp_path: Path) -> None:
    for name in ("convai2:valid_self_original", "convai2:valid_self_original.txt"):
        assert load(name) == [TALK]
    assert convai2.load(split="valid") == convai2.load(split="valid", directory=fetched) == [TALK]
    assert resolve("convai2") == fetched
    assert resolve("elsewhere:x") == Path("elsewhere:x")
    assert resolve(Path("convai2:valid_self_original")) == fetched / "valid_self_original.txt"


@pytest.mark.parametrize(
    "name", ["convai2:", "convai2:../x", "convai2:a/b", "convai2:" + "x" * 999]
)
def test_a_name_that_is_no_file_of_the_set_is_refused(fetched: Path, name: str) -> None:
    with pytest.raises(UsageError):
        resolve(name)


def test_a_file_that_the_set_lacks_and_a_folder_say_what_there_is(fetched: Path) -> None:
    with pytest.raises(UsageError, match=r"no file a\.txt; there are: valid_self_original"):
        load("convai2:a")
    with pytest.raises(UsageError, match="it is a folder; name a file of it"):
        load("convai2")


def test_a_set_that_is_not_there_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(UsageError, match="convai2 is not in") as caught:
        convai2.load(split="valid")
    assert caught.value.hint == "Get it with: rostrum data fetch convai2"


def test_a_folder_of_that_name_is_no_set(
    fetched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "convai2").mkdir()
    assert resolve("convai2") == Path("convai2")


def test_the_cache_follows_xdg_and_ignores_a_relative_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache.folder("convai2") == Path("/home/ann/.cache/rostrum/convai2")
    assert tuple(FETCHABLE) == KNOWN


@pytest.mark.shared
def test_a_folder_in_convai2s_names_is_loaded_by_parts(shared: Path) -> None:
    folder = shared / "data" / "spc"
    sides = {
        persona: convai2.load(split="test", persona=persona, directory=folder)
        for persona in convai2.PERSONAS
    }

    assert sum(len(one.examples) for one in sides["self"]) == 1450
    for own, none, other, both in zip(*sides.values(), strict=True):
        assert (own.persona, other.partner_persona) == (both.persona, both.partner_persona)
        assert none == replace(both, persona=(), partner_persona=())


def test_the_other_side_hears_what_this_one_says() -> None:
    talk = Dialogue(
        "7",
        ("me .",),
        ("you .",),
        (
            Example((SILENCE,), ("a", "label"), ("x", "a"), "1"),
            Example(("b", "c"), ("d",)),
            Example(("e",), ("f",)),
        ),
    )

    assert both_sides(talk) == (
        talk,
        Dialogue(
            "7/other",
            ("you .",),
            ("me .",),
            (Example(("a",), ("b",)), Example((SILENCE,), ("c",)), Example(("d",), ("e",))),
        ),
    )


def test_the_side_that_begins_is_prompted_with_silence() -> None:
    assert other_side(TALK).examples == (Example((SILENCE,), ("hi",)),)


def test_a_side_that_never_speaks_is_refused() -> None:
    with pytest.raises(UsageError, match="the other side of the dialogue '1' never speaks"):
        other_side(Dialogue("1", examples=(Example((SILENCE,), ("a",)),)))


WORDS = st.text("abc", min_size=1, max_size=3)
HEARD = st.lists(WORDS, min_size=1, max_size=3).map(tuple)
PLAIN = st.builds(lambda heard, said: Example(heard, (said,)), HEARD, WORDS)
OPENING = st.builds(lambda said: Example((SILENCE,), (said,)), WORDS)


@given(st.lists(OPENING, max_size=1), st.lists(PLAIN, min_size=2, max_size=5))
def test_turning_twice_gives_all_back_but_the_last_example(
    opening: list[Example], rest: list[Example]
) -> None:
    talk = Dialogue("1", ("me .",), ("you .",), (*opening, *rest))

    assert other_side(other_side(talk)) == replace(talk, examples=talk.examples[:-1])


def test_candidates_are_read_in_their_order_and_written_again(tmp_path: Path) -> None:
    path = tmp_path / "cands.txt"
    path.write_bytes("yes | no\r\n i see\\nwell \nä".encode())
    candidates = read_candidates(path)

    assert candidates == ("yes | no", "i see\nwell", "ä")
    write_candidates(tmp_path / "again.txt", candidates)
    assert read_candidates(tmp_path / "again.txt") == candidates


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "1: the file is empty"),
        (b"a\n\nb\n", "2: an empty line where a candidate is expected"),
        (b"a\nb\n a\n", "3: 'a' stands on line 1 already"),
        (b"a\n\xff\n", "2:1: not UTF-8 at byte 1: 0xff"),
        (b"a\nb\nc\nd\n", "4: more than 3 candidates"),
    ],
)
def test_a_bad_file_of_candidates_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, reason: str
) -> None:
    monkeypatch.setattr("harness.data.fixed_candidates.MAX_CANDIDATES", 3)
    path = tmp_path / "cands.txt"
    path.write_bytes(content)

    with pytest.raises(UsageError) as caught:
        read_candidates(path)
    assert caught.value.message == f"{path}:{reason}"


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=5), max_size=4))
def test_whatever_candidates_can_be_written_are_read_again(
    tmp_path_factory: pytest.TempPathFactory, candidates: list[str]
) -> None:
    path = tmp_path_factory.mktemp("cands") / "a"
    try:
        write_candidates(path, candidates)
    except UsageError:
        assert not path.exists()
        return

    assert read_candidates(path) == tuple(candidates)
