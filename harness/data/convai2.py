"""ConvAI2's files: which there are, what they are called, and reading one by its parts.

A split, whose persona is shown (`self`: that of the side to predict, as in the competition;
`none`; `other`: the partner's; `both`), its wording (`original`, or `revised`: rephrased so that
words do not overlap), with 20 candidates or without. Without a persona there is no wording to
revise, so `none` is `original`.
"""

from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from harness.data import cache, fbdialog
from harness.dialogue import Dialogue
from harness.errors import UsageError

SPLITS = ("train", "valid", "test")
PERSONAS = ("self", "none", "other", "both")
REVISIONS = ("original", "revised")


class Variant(NamedTuple):
    """One file of ConvAI2 by its parts."""

    split: str
    persona: str
    revision: str
    candidates: bool

    @property
    def name(self) -> str:
        """What it is called, such as `valid_self_original_no_cands`."""
        ending = "" if self.candidates else "_no_cands"
        return f"{self.split}_{self.persona}_{self.revision}{ending}"

    @property
    def file_name(self) -> str:
        """Its file, such as `valid_self_original.txt`."""
        return f"{self.name}.txt"


VARIANTS = MappingProxyType(
    {
        variant.name: variant
        for variant in map(Variant._make, product(SPLITS, PERSONAS, REVISIONS, (True, False)))
        if (variant.persona, variant.revision) != ("none", "revised")
    }
)
"""Every variant by its name; the archive of 2018 has no `test`, which stayed hidden."""


def variant(
    *, split: str, persona: str = "self", revision: str = "original", candidates: bool = True
) -> Variant:
    """The variant of these parts; a `UsageError` names the known ones."""
    for what, given, known in (
        ("split", split, SPLITS),
        ("persona", persona, PERSONAS),
        ("revision", revision, REVISIONS),
    ):
        if given not in known:
            raise UsageError(f"{what} {given!r} is unknown; known: {', '.join(known)}")
    chosen = Variant(split, persona, revision, candidates)
    if chosen.name not in VARIANTS:
        raise UsageError("persona 'none' has no revision 'revised'; known: original")
    return chosen


def file_name(
    *, split: str, persona: str = "self", revision: str = "original", candidates: bool = True
) -> str:
    """The name of the file of these parts, such as `valid_self_original.txt`."""
    return variant(split=split, persona=persona, revision=revision, candidates=candidates).file_name


def load(
    *,
    split: str,
    persona: str = "self",
    revision: str = "original",
    candidates: bool = True,
    directory: Path | str | None = None,
) -> list[Dialogue]:
    """The dialogues of one variant, from `directory` or else from what was fetched.

    `UsageError`: parts that do not exist, a set that was not fetched, a bad file.
    """
    chosen = variant(split=split, persona=persona, revision=revision, candidates=candidates)
    folder = Path(directory) if directory is not None else cache.fetched("convai2")
    return fbdialog.read(cache.member(folder, chosen.file_name))
