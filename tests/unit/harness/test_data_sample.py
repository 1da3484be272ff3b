"""The generated sample: well formed, reproducible, and worth learning from."""

import math
from collections import Counter
from pathlib import Path

import pytest

from harness.data import load, sample
from harness.data.sample import SIZES, Sample
from harness.dialogue import Dialogue, Example
from harness.text import normalise, split_words


@pytest.fixture(scope="module")
def made() -> Sample:
    return sample.make(0)


def splits(made: Sample) -> dict[str, tuple[Dialogue, ...]]:
    return {"train": made.train, "valid": made.valid, "test": made.test}


def test_a_seed_makes_one_sample_and_another_seed_another(made: Sample) -> None:
    assert sample.make(0) == made
    assert sample.make(1) != made


def test_the_splits_have_their_sizes_and_share_no_persona(made: Sample) -> None:
    personas = {
        name: {frozenset(dialogue.persona) for dialogue in dialogues}
        for name, dialogues in splits(made).items()
    }

    assert {name: len(dialogues) for name, dialogues in splits(made).items()} == SIZES
    assert personas["train"].isdisjoint(personas["valid"] | personas["test"])
    assert personas["valid"].isdisjoint(personas["test"])


def test_each_reply_stands_last_among_twenty_different_candidates(made: Sample) -> None:
    for dialogues in splits(made).values():
        for example in (example for dialogue in dialogues for example in dialogue.examples):
            assert example.candidates[-1] == example.replies[0]
            assert len({normalise(candidate) for candidate in example.candidates}) == 20


def test_distractors_are_replies_of_other_dialogues_of_the_split(made: Sample) -> None:
    for dialogues in splits(made).values():
        sources: dict[str, set[str]] = {}
        for dialogue in dialogues:
            for example in dialogue.examples:
                sources.setdefault(example.replies[0], set()).add(dialogue.id)
        for dialogue in dialogues:
            for example in dialogue.examples:
                assert all(sources[text] - {dialogue.id} for text in example.candidates[:-1])


def test_no_placeholder_is_left_and_nobody_trades_a_thing_for_itself(made: Sample) -> None:
    texts = {
        text
        for dialogue in made.train
        for example in dialogue.examples
        for text in (*dialogue.persona, *example.partner, *example.replies)
    }

    assert not [text for text in texts if "{" in text or "}" in text or "  " in text]
    assert all(text == text.strip().lower() for text in texts - {"__SILENCE__"})
    assert len(texts) > 3000


def test_the_files_give_the_sample_back(made: Sample, tmp_path: Path) -> None:
    made.write(tmp_path / "new" / "folder")

    for name, dialogues in splits(made).items():
        path = tmp_path / "new" / "folder" / f"{name}_self_original.txt"
        assert load(path) == list(dialogues)


def test_the_last_words_and_the_persona_both_tell_of_the_reply(made: Sample) -> None:
    """Plain word overlap finds more by each: what a model may learn is there."""
    weights = _rarity(made.train)
    examples = [(dialogue, example) for dialogue in made.test for example in dialogue.examples]

    def hits(*, persona: bool, last: bool) -> float:
        found = 0
        for dialogue, example in examples:
            seen = (dialogue.persona if persona else ()) + (example.partner if last else ())
            found += _nearest(seen, example, weights=weights) == example.replies[0]
        return found / len(examples)

    neither, persona, last, both = (
        hits(persona=p, last=t) for t in (False, True) for p in (False, True)
    )

    assert neither < 0.1
    assert min(persona, last) > 0.15
    assert max(persona, last) + 0.1 < both < 0.9


def _rarity(dialogues: tuple[Dialogue, ...]) -> dict[str, float]:
    counts = Counter(
        word
        for dialogue in dialogues
        for example in dialogue.examples
        for word in set(split_words(example.replies[0]))
    )
    return {word: 1 / math.sqrt(count) for word, count in counts.items()}


def _nearest(seen: tuple[str, ...], example: Example, *, weights: dict[str, float]) -> str:
    words = {word for text in seen for word in split_words(text)}

    def overlap(candidate: str) -> float:
        own = set(split_words(candidate))
        return sum(weights.get(w, 1.0) for w in own & words) / math.sqrt(len(own))

    return max(sorted(example.candidates), key=overlap)
