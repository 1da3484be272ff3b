"""The data of an ablation as files: what each condition is learned from and scored on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from baselines.ablation.conditions import Absent, Shown, Split, shown
from baselines.ablation.lists import listed
from harness.data import fbdialog, jsonl, load
from harness.data.convai2 import file_name
from harness.dialogue import Dialogue
from harness.errors import UsageError

_TRAIN = file_name(split="train")
_FURTHER = (
    ("train", file_name(split="train", candidates=False)),
    ("valid", file_name(split="valid")),
    ("valid", file_name(split="valid", candidates=False)),
)
"""What a training may read beside the training file, where the folder has it."""

Dialogues = tuple[Dialogue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A folder of data as it is: `files` a training may read, by name and split; the test set with
    lists of each length."""

    folder: Path
    split: str
    seed: int
    files: Mapping[str, tuple[str, Dialogues]]
    tests: Mapping[int, Dialogues]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """One condition's folder of data and test files by the length of their lists.

    `known` of the `dialogues` of the training file have such a persona.
    """

    folder: Path
    tests: Mapping[int, Path]
    known: int
    dialogues: int


def read(folder: Path, *, split: str, counts: Sequence[int], seed: int) -> Source:
    """The data of a folder; `UsageError` where the training or the test file is absent or bad."""
    test = folder / file_name(split=split)
    for needed in (folder / _TRAIN, test):
        if not needed.is_file():
            raise UsageError(f"{needed} does not exist; --data names a folder that holds it")
    present = [("train", _TRAIN), *(one for one in _FURTHER if (folder / one[1]).is_file())]
    return Source(
        folder=folder,
        split=split,
        seed=seed,
        files={name: (part, tuple(load(folder / name))) for part, name in present},
        tests=listed(load(test), counts=counts, seed=seed),
    )


def prepare(condition: str, source: Source, *, to: Path) -> Prepared | Absent:
    """Write a condition's files into the folder `to`; nothing is written where one is absent."""
    learned = {name: _shown(condition, source, *part) for name, part in source.files.items()}
    scored = {
        count: _shown(condition, source, source.split, dialogues)
        for count, dialogues in source.tests.items()
    }
    for made in (*learned.values(), *scored.values()):
        if isinstance(made, Absent):
            return made
    to.mkdir(parents=True, exist_ok=True)
    files = {name: made for name, made in learned.items() if isinstance(made, Shown)}
    for name, made in files.items():
        fbdialog.write(to / name, made.dialogues)
    tests = {count: to / f"{source.split}_{count}.jsonl" for count in scored}
    for count, made in scored.items():
        assert isinstance(made, Shown)
        jsonl.write(tests[count], made.dialogues)
    train = files[_TRAIN]
    return Prepared(folder=to, tests=tests, known=train.known, dialogues=len(train.dialogues))


def _shown(condition: str, source: Source, part: str, dialogues: Dialogues) -> Shown | Absent:
    return shown(condition, Split(part, dialogues, source.folder, source.seed))
