"""What stands twice in the audited files, or in a file and the training set; and what is blank."""

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations

from harness.data.audit.finding import Finding, Place, Severity
from harness.data.audit.gather import Gathered
from harness.data.twins import twins

MOST_PLACES = 100
"""Places that a finding can have."""

ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE


def by_repeats(one: Gathered, *, places: int) -> list[Finding]:
    """What a file repeats or lacks."""
    dialogues = range(one.dialogues)
    pairs = twins(one.sides())
    seen: dict[int, int] = {}
    first = [seen.setdefault(talk, place) for place, talk in enumerate(one.content)]
    said: set[int] = set()
    again = []
    for at in range(one.examples):
        if one.turn[at] and first[one.owner[at]] == one.owner[at] and one.example[at] in said:
            again.append(at)
        said.add(one.example[at])
    blank = [Place(one.file, place, turn, remark="blank text inside") for place, turn in one.blank]
    found = [
        _of_dialogues(
            one,
            "twins",
            ERROR,
            [place for place in dialogues if pairs[place]],
            remark=lambda place: f"the other side is dialogue number {min(pairs[place]) + 1}",
            detail="the context of one dialogue shows the replies of another",
        ),
        _of_dialogues(
            one,
            "duplicate-dialogues",
            ERROR,
            [place for place in dialogues if first[place] != place],
            remark=lambda place: f"the same talk as dialogue number {first[place] + 1}",
        ),
        _of_examples(one, "duplicate-examples", WARNING, again),
        _of_examples(one, "label-missing", ERROR, _flagged(one.no_label)),
        Finding(
            "empty-text",
            WARNING,
            one.file,
            count=one.blanks,
            total=one.texts,
            unit="texts",
            places=tuple(blank),
        ),
        *_on_screen_without_lists(one),
    ]
    return _kept(found, places=places)


def by_train(one: Gathered, train: Gathered, *, places: int) -> list[Finding]:
    """What a file shares with the training set."""
    talks, examples, replies = set(train.content), set(train.example), set(train.reply)
    personas, sentences = set(train.persona) - {0}, set(train.sentence)
    meeting = _twins_between(one, train)
    dialogues = range(one.dialogues)
    own = sorted({p for p in one.persona if p})
    met = [persona for persona in own if persona in personas]
    words = set(one.sentence)
    found = [
        _of_dialogues(
            one, "train-dialogues", ERROR, [n for n in dialogues if one.content[n] in talks]
        ),
        _of_dialogues(
            one,
            "train-twins",
            ERROR,
            [place for place in dialogues if meeting[place]],
            remark=lambda place: f"its other side is dialogue number {meeting[place]} of train",
        ),
        _of_examples(
            one,
            "train-examples",
            WARNING,
            [
                at
                for at in range(one.examples)
                if one.turn[at]
                and one.example[at] in examples
                and one.content[one.owner[at]] not in talks
            ],
        ),
        _of_examples(
            one,
            "train-replies",
            NOTE,
            [at for at in range(one.examples) if one.reply[at] in replies],
        ),
        Finding(
            "train-personas",
            WARNING,
            one.file,
            count=len(met),
            total=len(own),
            unit="personas",
            places=_personas(one, set(met)),
        ),
        Finding(
            "train-sentences",
            NOTE,
            one.file,
            count=len(words & sentences),
            total=len(words),
            unit="sentences",
        ),
    ]
    return _kept(found, places=places)


def by_files(files: Sequence[Gathered], *, places: int) -> list[Finding]:
    """What two of the audited files share."""
    found = []
    for one, other in combinations(files, 2):
        talks = set(other.content)
        pairs = _twins_between(one, other)
        rows = (
            ("files-dialogues", NOTE, [n for n, talk in enumerate(one.content) if talk in talks]),
            ("files-twins", ERROR, [n for n, twin in enumerate(pairs) if twin]),
        )
        found += [
            _of_dialogues(one, check, severity, which, detail=f"with {other.file}")
            for check, severity, which in rows
        ]
    return _kept(found, places=places)


def _twins_between(one: Gathered, other: Gathered) -> list[int]:
    """For each dialogue of `one` the number (from 1) of its first twin in `other`, or 0."""
    found = twins([*one.sides(), *other.sides()])
    start = one.dialogues
    return [
        min((twin - start + 1 for twin in found[place] if twin >= start), default=0)
        for place in range(start)
    ]


def _on_screen_without_lists(one: Gathered) -> Iterable[Finding]:
    """Where there are lists, `harness.data.audit.rules` finds the same with its gain."""
    if not one.candidate:
        yield _of_examples(one, "reply-on-screen", NOTE, _flagged(one.on_screen))


def _flagged(flags: bytearray) -> list[int]:
    return [at for at, flag in enumerate(flags) if flag]


def _personas(one: Gathered, met: set[int]) -> tuple[Place, ...]:
    places = [n for n, persona in enumerate(one.persona) if persona in met]
    return tuple(Place(one.file, n, remark="its persona") for n in places[:MOST_PLACES])


def _of_dialogues(
    one: Gathered,
    check: str,
    severity: Severity,
    which: Sequence[int],
    *,
    detail: str = "",
    remark: Callable[[int], str] = lambda _: "",
) -> Finding:
    return Finding(
        check,
        severity,
        one.file,
        count=len(which),
        total=one.dialogues,
        unit="dialogues",
        detail=detail,
        places=tuple(Place(one.file, place, remark=remark(place)) for place in which[:MOST_PLACES]),
    )


def _of_examples(one: Gathered, check: str, severity: Severity, which: Sequence[int]) -> Finding:
    return Finding(
        check,
        severity,
        one.file,
        count=len(which),
        total=one.examples,
        unit="examples",
        places=tuple(Place(one.file, one.owner[at], one.turn[at]) for at in which[:MOST_PLACES]),
    )


def _kept(found: Iterable[Finding], *, places: int) -> list[Finding]:
    """What was found at all, with so many places each."""
    return [
        Finding(
            one.check,
            one.severity,
            one.file,
            count=one.count,
            total=one.total,
            unit=one.unit,
            detail=one.detail,
            places=one.places[:places],
        )
        for one in found
        if one.count
    ]
