"""Options: typed, plain, and strict about what they are told."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from torch_toys import Shape, ToyOptions

from harness.errors import UsageError
from harness.torch.options import TextOptions, TorchOptions, TrainingOptions
from harness.torch.ranker import RankingOptions
from harness.torch.typed import from_json, to_json


def test_options_go_to_json_and_back() -> None:
    options = ToyOptions(
        text=TextOptions(history_size=3, text_truncate=None, delimiter="|"),
        training=TrainingOptions(betas=(0.5, 0.9), learning_rate=1),
        ranking=RankingOptions(candidates="batch-all"),
        model=Shape(size=7),
        seed=9,
    )
    assert from_json(ToyOptions, to_json(options)) == options
    assert from_json(ToyOptions, {}) == ToyOptions()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"sede": 1}, r"options.sede is unknown; known: text, training, seed"),
        ({"text": {"trunc": 1}}, "options.text.trunc is unknown; known: text_truncate"),
        ({"text": 3}, "options.text is 3, not an object"),
        ([], r"options is \[\], not an object"),
        ({"seed": True}, "options.seed is true; it must be a whole number"),
        ({"seed": "1"}, 'options.seed is "1"; it must be a whole number'),
        ({"seed": 1.5}, "options.seed is 1.5; it must be a whole number"),
        ({"text": {"delimiter": None}}, "options.text.delimiter is null; it must be text"),
        (
            {"text": {"history_size": "all"}},
            'options.text.history_size is "all"; it must be a whole number or null',
        ),
        ({"text": {"person_tokens": 1}}, "is 1; it must be true or false"),
        ({"text": {"persona": "line"}}, 'is "line"; it must be one of lines, memories, none'),
        ({"training": {"betas": [0.9]}}, "it must be a list of 2"),
        ({"training": {"betas": [0.9, "x"]}}, r"training.betas\[1\] is \"x\""),
        ({"training": {"learning_rate": float("nan")}}, "learning_rate is NaN"),
        ({"training": {"learning_rate": -1}}, "learning_rate is -1.0; it must be at least 0"),
        ({"training": {"accumulate": 0}}, "training.accumulate is 0; it must be at least 1"),
        ({"text": {"text_truncate": 0}}, "text.text_truncate is 0; it must be at least 1"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"ranking": {"negatives": 0}}, "ranking.negatives is 0"),
        ({"model": {"size": "wide" * 40}}, r"wid\.\.\.; it must be a whole number"),
    ],
)
def test_what_is_wrong_is_named(value: object, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        from_json(ToyOptions, value)


@dataclass(frozen=True)
class Rich:
    """Every kind of field."""

    needed: int
    names: tuple[str, ...] = ()
    table: Mapping[str, float] = field(default_factory=dict)
    nothing: None = None


def test_lists_and_tables_are_read_inside() -> None:
    read = from_json(Rich, {"needed": 1, "names": ["a", "b"], "table": {"x": 1}, "nothing": None})
    assert read == Rich(1, ("a", "b"), {"x": 1.0})
    with pytest.raises(UsageError, match=r"options\.needed is missing"):
        from_json(Rich, {})
    with pytest.raises(UsageError, match=r"names\[1\] is 2; it must be text"):
        from_json(Rich, {"needed": 1, "names": ["a", 2]})
    with pytest.raises(UsageError, match=r"table\.x is"):
        from_json(Rich, {"needed": 1, "table": {"x": "y"}})
    with pytest.raises(UsageError, match='names is "a"; it must be a list'):
        from_json(Rich, {"needed": 1, "names": "a"})
    with pytest.raises(UsageError, match="table is 1"):
        from_json(Rich, {"needed": 1, "table": 1})
    with pytest.raises(UsageError, match="nothing is 1; it must be null"):
        from_json(Rich, {"needed": 1, "nothing": 1})


def test_options_of_another_agent_are_refused() -> None:
    from torch_toys import ToyRanker, toy_words

    with pytest.raises(TypeError, match="ToyRanker takes ToyOptions"):
        ToyRanker(toy_words(), TorchOptions())  # type: ignore[arg-type]  # that is the test
