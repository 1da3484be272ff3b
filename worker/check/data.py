"""The public dialogues that a check asks: a file, the fetched set, or a made sample."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cli.public_data import data_file, dialogues_of, find_dictionary
from harness.data import sample
from harness.dialogue import Dialogue
from harness.errors import UsageError
from harness.text import Vocabulary


@dataclass(frozen=True, slots=True)
class PublicData:
    """Dialogues to ask, the official dictionary where ppl is entered, and what they are called.

    `examples` counts those of the whole set, of which `dialogues` are the first.
    """

    dialogues: Sequence[Dialogue]
    vocabulary: Vocabulary
    source: str
    examples: int


def find(
    data: str | None, *, dictionary: Path | None, dialogues: int, needs_words: bool
) -> PublicData:
    """The first `dialogues` of what `data` names, of ROSTRUM_DATA, of ./data, or of a sample."""
    try:
        file = data_file(data, split="valid")
    except UsageError:
        if data is not None or dictionary is not None:
            raise
        return _sample(dialogues)
    whole = list(dialogues_of(file, limit=None, skip_bad=0))
    if not whole:
        raise UsageError(f"{file} holds no dialogue")
    words = find_dictionary(dictionary, beside=file) if needs_words else Vocabulary.build((), ())
    return PublicData(whole[:dialogues], words, str(file), _examples(whole))


def _sample(dialogues: int) -> PublicData:
    made = sample.make()
    words = Vocabulary.build(made.train, made.valid)
    source = "a made sample (--data names a file of the competition)"
    return PublicData(made.valid[:dialogues], words, source, _examples(made.valid))


def _examples(dialogues: Sequence[Dialogue]) -> int:
    return sum(len(dialogue.examples) for dialogue in dialogues)
