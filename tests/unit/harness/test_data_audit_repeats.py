"""What the audit finds to stand twice: in a file, in two, in the training set."""

from collections.abc import Sequence

from harness.data.audit import Audit, Finding, Severity, Source, audit
from harness.dialogue import Dialogue, Example


def talk(name: str, *texts: str, persona: tuple[str, ...] = ()) -> Dialogue:
    pairs = zip(texts[::2], texts[1::2], strict=True)
    return Dialogue(name, persona, (), tuple(Example((heard,), (said,)) for heard, said in pairs))


def audited(*files: Sequence[Dialogue], train: Sequence[Dialogue] = ()) -> Audit:
    sources = [Source(f"f{n}", lambda held=held: held) for n, held in enumerate(files)]  # type: ignore[misc]  # a default
    return audit(sources, train=Source("train", lambda: train) if train else None)


def found(result: Audit) -> dict[str, Finding]:
    return {one.check: one for one in result.findings}


ONE = talk("one", "hi you", "oh hello", "how now", "brown cow", "i see", "you do")
TWIN = talk("twin", "__SILENCE__", "hi you", "oh hello", "how now", "brown cow", "i see")
OTHER = talk("other", "what", "that", "where", "there", "who", "me", persona=("i am me .",))


def test_twins_in_a_file() -> None:
    seen = found(audited([ONE, OTHER, TWIN]))
    assert set(seen) == {"twins"}
    one = seen["twins"]
    assert (one.severity, one.count, one.total, one.unit) == (Severity.ERROR, 2, 3, "dialogues")
    assert one.examples == ('dialogue one: "hi you" (the other side is dialogue number 3)',)


def test_copies_of_a_dialogue_and_of_an_example() -> None:
    again = talk("again", "Hi, you!", "oh hello", "how now", "brown cow", "so", "long")
    copy = Dialogue("copy", ("i ski .",), (), ONE.examples)

    seen = found(audited([ONE, again, copy]))

    assert set(seen) == {"duplicate-dialogues", "duplicate-examples"}
    assert seen["duplicate-dialogues"].count == 1
    assert seen["duplicate-dialogues"].examples == (
        'dialogue copy: "hi you" (the same talk as dialogue number 1)',
    )
    assert seen["duplicate-examples"].count == 1  # equal first exchanges are no finding
    assert seen["duplicate-examples"].examples == ('dialogue again, reply 2: "brown cow"',)


def test_empty_texts_and_labels() -> None:
    blank = Dialogue(
        "b", ("", "i ski ."), (), (Example((" ",), ("",)), Example(("x",), ("y",), ("y", " ")))
    )

    seen = found(audited([blank]))

    assert seen["label-missing"].severity is Severity.ERROR
    assert seen["label-missing"].count == 1
    assert (seen["empty-text"].count, seen["empty-text"].total) == (3, 6)
    assert seen["empty-text"].examples == ('dialogue b: " " (blank text inside)',)


def test_what_a_test_set_shares_with_train() -> None:
    near = talk("near", "what", "that", "where", "there", "when", "then", persona=("i am you .",))
    same = talk("same", "who are", "you then", persona=("I AM ME",))

    seen = found(audited([OTHER, same], train=[OTHER]))
    assert set(seen) == {"train-dialogues", "train-replies", "train-personas", "train-sentences"}
    assert seen["train-dialogues"].severity is Severity.ERROR
    assert (seen["train-personas"].count, seen["train-personas"].total) == (1, 1)
    assert seen["train-personas"].examples == ('dialogue other: "what" (its persona)',)
    assert seen["train-replies"].count == 3
    assert seen["train-sentences"].examples == ()

    seen = found(audited([OTHER], train=[near]))
    assert seen["train-examples"].count == 1
    assert seen["train-examples"].examples == ('dialogue other, reply 2: "there"',)

    seen = found(audited([ONE], train=[OTHER, TWIN]))
    assert seen["train-twins"].examples == (
        'dialogue one: "hi you" (its other side is dialogue number 2 of train)',
    )
    assert not audited([ONE], train=[OTHER]).findings


def test_what_two_files_share() -> None:
    seen = found(audited([ONE, OTHER], [OTHER, TWIN], [talk("x", "a", "b")]))
    assert set(seen) == {"files-dialogues", "files-twins"}
    assert seen["files-dialogues"].severity is Severity.NOTE
    assert seen["files-twins"].severity is Severity.ERROR
    assert (seen["files-twins"].file, seen["files-twins"].detail) == ("f0", "with f1")


def test_errors_come_first_and_set_the_bar() -> None:
    blank = Dialogue("b", ("i am x .", " "), (), (Example(("hi",), ("i am x",)),))
    result = audited([blank, ONE, TWIN])
    assert [one.severity.value for one in result.findings] == ["error", "warning", "note"]
    assert result.at_least(Severity.ERROR)
    mild = audited([blank])
    assert mild.at_least(Severity.WARNING)
    assert not mild.at_least(Severity.ERROR)


def test_a_finding_as_json() -> None:
    (one,) = audited([ONE, TWIN]).findings
    document = one.as_json()
    assert document["check"] == "twins"
    assert document["share"] == 1.0
    assert document["examples"]
    assert document["do"].startswith("keep one side")


def test_a_dialogue_without_examples_is_audited() -> None:
    assert audited([Dialogue("empty"), ONE]).findings == ()
    two = audited([Dialogue("empty"), Dialogue("too")])
    assert [one.check for one in two.findings] == ["duplicate-dialogues"]
    assert Finding("twins", Severity.NOTE, "f", count=0, total=0, unit="x").share == 0
