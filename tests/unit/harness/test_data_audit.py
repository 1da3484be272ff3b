"""What the audit finds in candidate lists, and what it leaves alone."""

import random
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from harness.data import load
from harness.data.audit import CHECKS, Audit, Finding, Severity, Source, audit
from harness.data.audit.lists import chi_square_p
from harness.data.shards import has_borrowed_distractors
from harness.dialogue import Dialogue, Example
from tests.conftest import PROJECT

WORDS = [f"word{n}" for n in range(2000)]


def lists(
    count: int, *, turns: int = 2, size: int = 5, seed: int = 0, place: int | None = None
) -> list[Dialogue]:
    """Dialogues with fair lists: no text is listed twice, and the reply's place is drawn."""
    rng = random.Random(seed)
    texts = iter([f"{a} {b}" for a in WORDS for b in ("one", "two", "red", "tea", "sea")])

    def example() -> Example:
        listed = [next(texts) for _ in range(size)]
        reply = listed[rng.randrange(size) if place is None else place]
        return Example((f"what about {reply} then",), (reply,), tuple(listed))

    return [
        Dialogue(str(n + 1), examples=tuple(example() for _ in range(turns))) for n in range(count)
    ]


def audited(*files: Sequence[Dialogue], train: Sequence[Dialogue] | None = None) -> Audit:
    sources = [Source(f"f{n}", lambda held=held: held) for n, held in enumerate(files)]  # type: ignore[misc]  # a default
    return audit(sources, train=Source("train", lambda: train) if train else None, examples=2)


def found(result: Audit) -> dict[str, Finding]:
    return {one.check: one for one in result.findings}


def changed(dialogues: Iterable[Dialogue], change: object) -> list[Dialogue]:
    """Each example as `change(example, dialogue number)` makes it."""
    return [
        Dialogue(
            one.id,
            one.persona,
            one.partner_persona,
            tuple(change(e, n) for e in one.examples),  # type: ignore[operator]  # a test's own
        )
        for n, one in enumerate(dialogues)
    ]


def with_list(example: Example, *listed: str) -> Example:
    return Example(example.partner, example.replies, listed)


def test_a_fair_set_has_no_findings() -> None:
    result = audited(lists(200))
    assert result.findings == ()
    assert not result.at_least(Severity.NOTE)
    (size,) = result.sizes
    assert (size.dialogues, size.examples, size.lists) == (200, 400, 400)


@pytest.mark.parametrize(
    ("place", "where"), [(4, "always last"), (0, "always first"), (2, "always at place 3")]
)
def test_a_reply_that_stands_at_one_place(place: int, where: str) -> None:
    one = found(audited(lists(10, place=place)))["reply-place"]
    assert one.severity is Severity.ERROR
    assert (one.count, one.total, one.share) == (20, 20, 1.0)
    assert where in one.detail
    assert one.examples[0].startswith('dialogue 1, reply 1: "word')


def test_a_reply_that_prefers_a_place() -> None:
    def skewed(example: Example, number: int) -> Example:
        others = [text for text in example.candidates if text != example.replies[0]]
        return with_list(example, *others[:4], example.replies[0]) if number % 3 else example

    warned = found(audited(changed(lists(100), lambda e, n: skewed(e, n % 2))))["reply-place"]
    assert warned.severity is Severity.ERROR  # more than half of the replies stand last
    assert "chi-square" in warned.detail
    few = found(audited(changed(lists(200), lambda e, n: skewed(e, 3 if n % 5 else 1))))
    assert few["reply-place"].severity is Severity.WARNING
    assert few["reply-place"].count < few["reply-place"].total / 2


def test_few_lists_say_nothing_about_places() -> None:
    assert "reply-place" not in found(audited(lists(2, place=4)))
    mixed = [*lists(2, place=4), *(Dialogue("x", examples=lists(1)[0].examples) for _ in [0])]
    assert "reply-place" not in found(audited(mixed))


@pytest.mark.parametrize(("value", "freedom", "p"), [(30.144, 19, 0.05), (43.820, 19, 0.001)])
def test_chi_square_agrees_with_the_tables(value: float, freedom: int, p: float) -> None:
    assert chi_square_p(value, freedom=freedom) == pytest.approx(p, rel=0.05)


def test_doubles_answers_and_lengths_of_lists() -> None:
    held = lists(30)
    first = held[0].examples[0]
    reply = first.replies[0]
    held[0] = Dialogue(
        "1",
        examples=(
            with_list(first, reply, f"The {reply}!", "a cat", "cat .", "dog"),
            with_list(held[0].examples[1]),
        ),
    )
    held[1] = Dialogue(
        "2", examples=(with_list(held[1].examples[0], held[1].examples[0].replies[0], "x"),)
    )

    seen = found(audited(held))

    assert set(seen) == {"distractor-is-answer", "candidate-duplicates", "candidate-counts"}
    assert seen["distractor-is-answer"].count == seen["candidate-duplicates"].count == 1
    assert "1 distractors too many" in seen["candidate-duplicates"].detail
    counts = seen["candidate-counts"]
    assert (counts.count, counts.total) == (2, 59)
    assert counts.detail == "lists from 2 to 5, most often 5 candidates; 1 examples have none"


@pytest.mark.parametrize("name", ["longest", "shortest"])
def test_a_length_that_gives_the_reply_away(name: str) -> None:
    def longer(example: Example, _: int) -> Example:
        reply = (
            example.replies[0] + " and so on"
            if name == "longest"
            else "w" + str(hash(example))[-3:]
        )
        listed = [reply if text == example.replies[0] else text for text in example.candidates]
        return Example(example.partner, (reply,), tuple(listed))

    one = found(audited(changed(lists(50), longer)))["reply-length"]
    assert one.severity is Severity.ERROR
    assert f"the {name} candidate gets 100.0 % hits@1 instead of 20.0 %" in one.detail


def test_distractors_that_are_listed_again_and_again() -> None:
    def few(example: Example, number: int) -> Example:
        others = [f"same {(number + k) % 8}" for k in range(4)]
        return with_list(example, *others[: number % 5], example.replies[0], *others[number % 5 :])

    one = found(audited(changed(lists(100), few)))["reply-frequency"]
    assert one.severity is Severity.ERROR
    assert "takes the least often listed candidate gets 100.0 %" in one.detail


def test_a_reply_that_is_on_screen() -> None:
    def repeated(example: Example, number: int) -> Example:
        return Example((example.replies[0] + "!",), example.replies, example.candidates)

    assert (
        found(audited(changed(lists(30), repeated)))["reply-on-screen"].severity is Severity.ERROR
    )
    some = changed(lists(100), lambda e, n: repeated(e, n) if n % 50 == 0 else e)
    assert found(audited(some))["reply-on-screen"].severity is Severity.NOTE
    bare = [Dialogue("1", ("i ski .",), (), (Example(("hi",), ("I ski!",)),))]
    (one,) = audited(bare).findings
    assert (one.check, one.severity, one.count) == ("reply-on-screen", Severity.NOTE, 1)


def borrowing(count: int, *, turns: int = 8, size: int = 20) -> list[Dialogue]:
    """As ConvAI2 has it: replies all different, distractors drawn from other dialogues."""
    rng = random.Random(1)
    said = [[f"reply {n} {turn}" for turn in range(turns)] for n in range(count)]

    def example(number: int, turn: int) -> Example:
        others = [rng.choice(said[other]) for other in rng.sample(range(count), size)]
        listed = [t for t in others if t not in said[number]][: size - 1]
        listed.insert(rng.randrange(len(listed) + 1), said[number][turn])
        return Example((f"ask {number} {turn}",), (said[number][turn],), tuple(listed))

    return [
        Dialogue(str(n), examples=tuple(example(n, turn) for turn in range(turns)))
        for n in range(count)
    ]


def left(share: float) -> float:
    """hits@1 of a guess between the reply and 19 distractors of which each is left by chance."""
    return (1 - (1 - share) ** 20) / (20 * share)


def test_borrowed_distractors_and_what_remembering_them_earns() -> None:
    one = found(audited(borrowing(200)))["borrowed-distractors"]
    assert (one.severity, one.count, one.total) == (Severity.ERROR, 1600, 1600)
    assert "30,400 of 30,400 distractors" in one.detail
    told = re.findall(r"([0-9.]+) %", one.detail)
    gain, chance, shards = (float(figure) / 100 for figure in told)
    # at turn t of 8 an agent has seen t eighths of all distractors, or of those of its shard
    assert gain == pytest.approx(sum(left(1 - t / 8) for t in range(8)) / 8, abs=0.006)
    assert shards == pytest.approx(sum(left(1 - t / 8 / 4) for t in range(8)) / 8, abs=0.006)
    assert chance == 0.05
    assert one.examples[0].startswith("dialogue 0, reply 1, candidate 1: ")


@pytest.mark.parametrize("held", [lists(60), borrowing(60)])
def test_the_audit_agrees_with_the_worker_on_borrowed_distractors(held: list[Dialogue]) -> None:
    assert ("borrowed-distractors" in found(audited(held))) == has_borrowed_distractors(held)


def test_replies_of_the_own_dialogue_are_not_borrowed() -> None:
    def own(dialogue: Dialogue) -> Dialogue:
        replies = [e.replies[0] for e in dialogue.examples]
        return Dialogue(
            dialogue.id, examples=tuple(with_list(e, *replies) for e in dialogue.examples)
        )

    assert "borrowed-distractors" not in found(audited([own(one) for one in lists(30, turns=4)]))


def test_replies_that_return_where_distractors_do_not() -> None:
    def common(example: Example, number: int) -> Example:
        reply = f"reply {number % 5}"
        listed = [reply if text == example.replies[0] else text for text in example.candidates]
        return Example(example.partner, (reply,), tuple(listed))

    one = found(audited(changed(lists(100), common)))["returning-replies"]
    assert one.severity is not Severity.NOTE
    assert "most often shown as a reply" in one.detail


@pytest.mark.shared
def test_the_shared_test_set_is_as_its_readme_says(shared: Path) -> None:
    path = shared / "data" / "spc" / "test_self_original.txt"

    seen = found(audit([Source(path.name, lambda: load(path))]))

    assert seen["reply-place"].detail == "the reply is always last"
    assert seen["reply-place"].count == 1450
    borrowed = seen["borrowed-distractors"]
    assert borrowed.count == 1450
    assert "14,338 of 27,550 distractors" in borrowed.detail
    assert has_borrowed_distractors(load(path))


def test_every_check_is_explained_in_the_docs() -> None:
    page = (PROJECT / "docs" / "audit.md").read_text("utf-8")
    headings = [line[4:] for line in page.split("\n") if line.startswith("### ")]
    assert headings == list(CHECKS)
    for check in CHECKS.values():
        section = page.partition(f"\n### {check.id}\n")[2].partition("\n##")[0]
        assert check.title in " ".join(section.lower().split()).replace("\n", " "), check.id
        assert check.title == check.title.lower()
