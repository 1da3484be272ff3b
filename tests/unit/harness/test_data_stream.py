"""Files read in one pass: by any name, packed, larger than memory, with bad dialogues left out."""

import gzip
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data import fbdialog, jsonl, load, stream
from harness.data.lines import read_lines
from harness.data.seen import Seen
from harness.data.tolerance import Tolerance
from harness.dialogue import Dialogue, Example
from harness.errors import UsageError

TALKS = [
    Dialogue(str(number), ("i like tea .",), (), (Example((f"hi {number}",), ("yes", "no")),))
    for number in range(1, 6)
]

LINE = jsonl.dumps(TALKS[:1]).strip()


def written(path: Path) -> Path:
    (fbdialog if ".txt" in path.name else jsonl).write(path, TALKS)
    return path


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_a_stream_gives_what_load_gives_packed_or_not(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name)
    for packed in (f"{name}.gz", "b.gz"):
        (tmp_path / packed).write_bytes(gzip.compress(path.read_bytes()))
        assert list(stream(tmp_path / packed)) == TALKS

    assert list(stream(path)) == load(str(path)) == TALKS


@pytest.mark.parametrize("damage", [b"no gzip", gzip.compress(b"1 a\tb\n" * 99)[:-9], b"\x1f\x8b"])
def test_damaged_gzip_data_is_the_users_error(tmp_path: Path, damage: bytes) -> None:
    for name in ("a.txt.gz", "a.gz"):
        (tmp_path / name).write_bytes(damage)
        with pytest.raises(UsageError, match="its gzip data is damaged or cut off"):
            load(tmp_path / name)


def test_no_path_is_a_traceback(tmp_path: Path) -> None:
    for name in (tmp_path, tmp_path / "absent", "a\0b", Path("a\0b"), "x" * 9999, "", "convai2:\0"):
        with pytest.raises(UsageError):
            load(name)


def test_the_first_dialogue_is_there_before_the_last_is_written(tmp_path: Path) -> None:
    read, write = os.pipe()
    with os.fdopen(write, "wb") as file:
        file.write(b"1 hi\tyes\n1 a\tb\n")
        file.flush()
        threading.Timer(0.05, file.close).start()
        dialogues = stream(f"/dev/fd/{read}")
        assert next(dialogues).examples[0].replies == ("yes",)
    os.close(read)


@given(st.lists(st.binary(max_size=9).map(lambda line: line.replace(b"\n", b"")), max_size=9))
def test_lines_come_out_as_they_went_in(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("lines") / "a"
    path.write_bytes(b"".join(line + b"\n" for line in lines))

    assert list(read_lines(path, bound=9)) == lines


def test_a_line_beyond_the_bound_is_cut_and_its_rest_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.data.lines.CHUNK", 7)
    path = tmp_path / "a"
    path.write_bytes(b"one\n" + b"x" * 50 + b"\nthree\n" + b"y" * 50)

    assert list(read_lines(path, bound=9)) == [b"one", b"x" * 11, b"three", b"y" * 11]


BAD_TXT = b"""\
1 good\tone
1 bad\t\t\ta|b
2 more of it
3 and bad again\ta|
1 good\ttwo
no number
2 of the same episode\tyes
1 your persona: alone .
1 good\tthree
"""
BAD_JSONL = b"".join(
    line for one in TALKS[:3] for line in (jsonl.dumps([one]), b"{}\n", jsonl.dumps([one]))
)


def collected(path: Path, content: bytes, *, skip_bad: int) -> tuple[list[str], list[str]]:
    """What is read, and the places that were told."""
    path.write_bytes(content)
    told: list[str] = []

    def note(error: UsageError) -> None:
        told.append(error.message.removeprefix(f"{path}:").partition(": ")[0])

    found = [
        dialogue.id + dialogue.examples[0].replies[0]
        for dialogue in stream(path, skip_bad=skip_bad, skipped=note)
    ]
    return found, told


def test_an_episode_with_a_bad_line_is_left_out_whole_and_counted_once(tmp_path: Path) -> None:
    read = collected(tmp_path / "a.txt", BAD_TXT, skip_bad=3)

    assert read == (["1one", "5three"], ["2:9", "6", "8"])


def test_a_bad_line_of_json_is_left_out(tmp_path: Path) -> None:
    read = collected(tmp_path / "a.jsonl", BAD_JSONL, skip_bad=6)

    assert read == (["1yes", "2yes", "3yes"], ["2", "3", "5", "6", "8", "9"])


@pytest.mark.parametrize(
    ("name", "content", "place"), [("a.txt", BAD_TXT, "8"), ("a.jsonl", BAD_JSONL, "5")]
)
def test_one_more_than_allowed_is_refused_and_says_how_many_went_before(
    tmp_path: Path, name: str, content: bytes, place: str
) -> None:
    (tmp_path / name).write_bytes(content)
    told: list[UsageError] = []

    with pytest.raises(UsageError) as caught:
        list(stream(tmp_path / name, skip_bad=2, skipped=told.append))

    assert caught.value.message.startswith(f"{tmp_path / name}:{place}: ")
    assert caught.value.message.endswith("(and 2 bad before it left out, the most allowed)")
    assert len(told) == 2


def test_a_negative_count_and_a_file_of_nothing_good_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"hello\n1 a\tb\n")
    (tmp_path / "b.txt").write_bytes(b"")

    with pytest.raises(UsageError, match="skip_bad is -1; it is a count of 0 or more"):
        load(tmp_path / "a.txt", skip_bad=-1)
    with pytest.raises(UsageError, match=r"a\.txt: none of its 1 dialogues can be read"):
        load(tmp_path / "a.txt", skip_bad=9)
    with pytest.raises(UsageError, match=r"b\.txt:1: the file is empty"):
        load(tmp_path / "b.txt", skip_bad=9)


@pytest.mark.parametrize("line", ["x" * 30, "2 more", "2 a\tb"])
def test_an_episode_without_an_end_is_refused_at_its_bound(
    monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setattr(fbdialog, "MAX_EPISODE_BYTES", 1000)
    monkeypatch.setattr(fbdialog, "MAX_EPISODE_LINES", 20)
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        yield b"1 a\tb"
        for number in range(2, 10_000):
            taken = number
            yield line.replace("2", str(number), 1).encode()

    with pytest.raises(UsageError, match=r"f:\d+: "):
        fbdialog.parse(endless(), name="f")
    assert taken < 50


def test_after_an_episode_that_is_too_long_the_next_one_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fbdialog, "MAX_EPISODE_LINES", 3)
    lines = [b"1 a\tb", b"1 a\tb", b"2 a\tb", b"3 a\tb", b"4 a\tb", b"5 a\tb", b"1 c\td"]
    with pytest.raises(UsageError, match=r"f:5: the episode that begins on line 2 has more than"):
        fbdialog.parse(lines, name="f")

    read = list(fbdialog.scan(lines, tolerance=Tolerance(1)))
    assert [(one.id, one.examples[0].replies) for one in read] == [("1", ("b",)), ("3", ("d",))]


@given(st.lists(st.integers(0, 3000).map(str), max_size=3000))
def test_seen_knows_each_text_once(texts: list[str]) -> None:
    seen, known = Seen(), set[str]()
    for text in texts:
        assert seen.add(text) == (text not in known)
        known.add(text)


def test_seen_grows() -> None:
    seen = Seen()
    assert all(seen.add(str(number)) for number in range(5000))
    assert not any(seen.add(str(number)) for number in range(5000))


TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
EXAMPLES = st.builds(
    lambda partner, replies, others, reward: Example(
        tuple(partner), tuple(replies), (*others, replies[0]) if others else (), reward
    ),
    st.lists(TEXTS, min_size=1, max_size=3),
    st.lists(TEXTS, min_size=1, max_size=3),
    st.lists(TEXTS, max_size=3),
    st.none() | TEXTS,
)
PARTS = st.tuples(
    st.lists(TEXTS, max_size=2),
    st.lists(TEXTS, max_size=2),
    st.lists(EXAMPLES, min_size=1, max_size=3),
)


@given(st.lists(PARTS, min_size=1, max_size=3))
def test_what_both_formats_hold_survives_any_way_between_them(
    tmp_path_factory: pytest.TempPathFactory,
    parts: list[tuple[list[str], list[str], list[Example]]],
) -> None:
    talks = [
        Dialogue(str(number), tuple(own), tuple(partner), tuple(examples))
        for number, (own, partner, examples) in enumerate(parts, 1)
    ]
    folder = tmp_path_factory.mktemp("both")
    jsonl.write(folder / "a.jsonl", talks)
    assert load(folder / "a.jsonl") == talks
    try:
        fbdialog.write(folder / "b.txt", stream(folder / "a.jsonl"))
    except UsageError:
        assert not (folder / "b.txt").exists()
        return
    jsonl.write(folder / "c.jsonl", stream(folder / "b.txt"))

    assert load(folder / "b.txt") == load(folder / "c.jsonl") == talks
    assert (folder / "c.jsonl").read_bytes() == (folder / "a.jsonl").read_bytes()


def failing() -> Iterator[Dialogue]:
    yield TALKS[0]
    raise RuntimeError("the source broke")


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_a_failure_leaves_the_former_file_and_no_half_of_a_new_one(
    tmp_path: Path, name: str
) -> None:
    path = written(tmp_path / name)
    before = path.read_bytes()
    sources: tuple[Iterable[Dialogue], ...] = (failing(), [])
    for dialogues in sources:
        with pytest.raises((RuntimeError, UsageError)):
            (fbdialog if ".txt" in name else jsonl).write(path, dialogues)

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.shared
def test_every_real_file_is_read_and_written_byte_for_byte(shared: Path, tmp_path: Path) -> None:
    paths = sorted((shared / "data" / "spc").glob("*.txt"))
    assert len(paths) == 18
    for path in paths:
        talks = load(path)
        assert talks[0].id == "1"
        if path.stat().st_size < 2_000_000:
            fbdialog.write(tmp_path / "a.txt", talks)
            assert (tmp_path / "a.txt").read_bytes() == path.read_bytes()
        if path.name.startswith("test_both"):
            jsonl.write(tmp_path / "a.jsonl", talks)
            assert load(tmp_path / "a.jsonl") == talks


LINES = st.lists(
    st.binary(max_size=30)
    | st.sampled_from([b"1 a\tb", b"2 c\td", b"3 e", b"1 your persona: x", LINE, LINE[:-9]]),
    max_size=8,
)


@given(LINES, st.integers(0, 3))
def test_hostile_lines_raise_nothing_but_the_users_error(lines: list[bytes], most: int) -> None:
    for form in (fbdialog, jsonl):
        told: list[UsageError] = []
        read: list[Dialogue] = []
        try:
            read.extend(form.scan(lines, name="f", tolerance=Tolerance(most, told.append)))
        except UsageError as error:
            told.append(error)
        assert len(told) <= most + 1
        assert all(e.message.startswith("f:") and e.message.isprintable() for e in told)
        assert all(dialogue.examples for dialogue in read)


@given(st.integers(0, 9), st.sampled_from([b"no number", b"\t2 a", b"\xff", b"", b"x" * 300_000]))
def test_a_bad_line_costs_its_own_episode_only(place: int, line: bytes) -> None:
    lines = [raw for number in range(5) for raw in (b"1 a %d\tb" % number, b"2 c\td")]
    good = fbdialog.parse(lines)
    lines.insert(place + 1, line)

    read = list(fbdialog.scan(lines, tolerance=Tolerance(1)))

    assert read == [one for one in good if one.id != str(place // 2 + 1)]
