"""The page's generator runs as it stands, and its tables hold every option of generation."""

import json
import re
from dataclasses import fields

import pytest

from harness.dialogue import Context, Dialogue, Example
from harness.evaluation import evaluate
from harness.text import Vocabulary
from harness.torch.generation.options import SearchOptions
from harness.torch.generator import BACKGROUND, GeneratorOptions, ScoringOptions
from harness.torch.typed import to_json
from harness.torch.vectors import learn_words
from tests.conftest import PROJECT

PAGE = (PROJECT / "docs" / "torch.md").read_text("utf-8")


def test_the_generator_of_the_page_enters_all_three_tracks() -> None:
    found = re.search(r"```python\n# generator\.py\n(.*?)```", PAGE, flags=re.S)
    assert found
    names: dict[str, object] = {}
    exec(compile(found[1], "generator.py", "exec"), names)
    talk = Dialogue("1", examples=(Example(("tea ?",), ("a cup",), candidates=("no", "a cup")),))
    options = GeneratorOptions(kept_states=8)
    agent = names["MyGenerator"](learn_words([talk]), options)  # type: ignore[operator]  # a class
    for _ in range(60):
        agent.train_step(
            agent.batchify([agent.vectorize(talk.context(0, context_id="1"), labels=("a cup",))])
        )

    assert agent.respond([Context("2", turns=talk.turns_before(0))]) == ["a cup"]
    assert evaluate(agent, [talk], "hits").score.value == 1
    assert evaluate(agent, [talk], "ppl", vocabulary=Vocabulary.build([talk])).score.value < 2


@pytest.mark.parametrize("options", [SearchOptions, ScoringOptions])
def test_every_option_stands_in_a_table_with_its_default(options: type) -> None:
    plain = to_json(options())
    for part in fields(options):
        assert f"| `{part.name}` | `{json.dumps(plain[part.name])}` |" in PAGE
    assert f"`{BACKGROUND}`" in PAGE
    assert "`kept_states` (512)" in PAGE
