"""What one demo is about: its data, seed and sandbox, and the folders and names that follow.

Training depends on data, seed and recipe, so checkpoints and repositories are kept under that
key and used again. Everything else is made afresh: each (data, seed, sandbox) is a competition of
its own, and each run of it begins with an empty database, so no run meets a used-up month.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from harness.errors import UsageError

SPLITS = ("train", "valid", "test")
FILE = "{split}_self_original.txt"


@dataclass(frozen=True, slots=True)
class Entry:
    """One team of the demo.

    `package` is its folder in `baselines`. It is trained for `updates`, fewer than its recipe's:
    a demo is over before a model has learned all it can. A sanity entry learns nothing; it is
    shown on the board and not ranked.
    """

    name: str
    package: str
    updates: int | None = None

    @property
    def sanity(self) -> bool:
        """Whether it stands on the board only for what it shows of the metrics."""
        return self.updates is None


ENTRIES = (
    Entry("seq2seq", "seq2seq", updates=150),  # first, because it takes the longest
    Entry("lm", "lm", updates=20),
    Entry("ranker", "ranker", updates=150),
    Entry("kvmemnn", "kvmemnn", updates=150),
    Entry("tfidf-retrieval", "tfidf_retrieval"),
    Entry("repeat-partner", "repeat_partner"),
    Entry("random-reply", "random_reply"),
    Entry("constant-words", "constant_words"),
    Entry("word-frequency", "word_frequency"),
)

_SHARED_RECIPE = (
    "torch",
    "data",
    "metrics",
    "text.py",
    "stored.py",
    "cli/training.py",
    "dialogue.py",
)
"""Parts of the harness on which a trained entry depends, beside its own files."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One run: `root` is the demo's cache, `data_key` the hash of the three splits.

    `updates` is how long entries are trained (None: as each entry says).
    """

    root: Path
    data: Path
    data_key: str
    seed: int
    sandbox: str
    updates: int | None = None

    @property
    def competition_id(self) -> str:
        """The id that belongs to this data, seed and sandbox."""
        return f"demo-{_digest(self.data_key, str(self.seed), self.sandbox)[:12]}"

    @property
    def stage(self) -> Path:
        """The folder of this competition: database, secrets, logs; made anew by each run."""
        return self.root / "competitions" / self.competition_id

    @property
    def repos(self) -> Path:
        """The only folder below which the demo's worker clones."""
        return self.root / "repos"

    def split(self, name: str) -> Path:
        """The file of one split."""
        return self.data / FILE.format(split=name)

    def entry_key(self, entry: Entry) -> str:
        """What the trained entry depends on."""
        updates = str(self.updates_of(entry) or "")
        return _digest(self.data_key, str(self.seed), updates, recipe_key(entry.package))[:16]

    def updates_of(self, entry: Entry) -> int | None:
        """How long the entry is trained; None for one that learns nothing."""
        return None if entry.sanity else self.updates or entry.updates

    def checkpoint(self, entry: Entry) -> Path:
        """What training wrote."""
        return self.root / "checkpoints" / f"{entry.name}-{self.entry_key(entry)}"

    def folder(self, entry: Entry) -> Path:
        """The submission: the baseline's files and the checkpoint."""
        return self.root / "entries" / f"{entry.name}-{self.entry_key(entry)}"

    def repo(self, entry: Entry) -> Path:
        """The entry's private bare repository."""
        return self.repos / f"{entry.name}-{self.entry_key(entry)}.git"


def data_key(data: Path) -> str:
    """The hash of the three splits; `UsageError` names one that is missing."""
    digest = hashlib.sha256()
    for split in SPLITS:
        path = data / FILE.format(split=split)
        if not path.is_file():
            raise UsageError(
                f"{path} does not exist",
                hint="--data names a folder with {train,valid,test}_self_original.txt.",
            )
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


@cache
def recipe_key(package: str) -> str:
    """The hash of an entry's own files and of what the harness adds to its training."""
    digest = hashlib.sha256()
    own = files("baselines").joinpath(package)
    shared = (files("harness").joinpath(part) for part in _SHARED_RECIPE)
    for root in (own, *shared):
        for name, content in _contents(root, root.name):
            digest.update(hashlib.sha256(name.encode()).digest())
            digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def _contents(place: Traversable, name: str) -> list[tuple[str, bytes]]:
    """The files below `place` that are kept in the project, in order of their names."""
    if place.is_file():
        kept = name.endswith((".py", ".toml", ".txt"))
        return [(name, place.read_bytes())] if kept else []
    if not place.is_dir() or place.name in ("__pycache__", "checkpoint"):
        return []
    inside = sorted(place.iterdir(), key=lambda child: child.name)
    return [found for child in inside for found in _contents(child, f"{name}/{child.name}")]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
