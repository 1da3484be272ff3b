"""The page of the metrics cannot drift: every row of the catalogue stands in it, explained."""

import re

import pytest

from harness.metrics.catalogue import CATALOGUE, Metric
from harness.metrics.perplexity import ZERO_RULES
from harness.report import TOKENIZERS
from tests.conftest import PROJECT

PAGE = (PROJECT / "docs" / "metrics.md").read_text("utf-8")
DIRECTIONS = {True: "higher", False: "lower", None: "neither"}


@pytest.mark.parametrize("metric", CATALOGUE.values(), ids=CATALOGUE)
def test_every_metric_is_explained(metric: Metric) -> None:
    row = (
        f"| `{metric.name}` | {metric.title} | {metric.track} | {metric.unit} | "
        f"{DIRECTIONS[metric.higher_is_better]} | {'ranks' if metric.ranks else '-'} | "
        f"{metric.source} |"
    )

    assert row in PAGE
    assert re.search(rf"^### .*`{re.escape(metric.name)}`", PAGE, flags=re.MULTILINE)


def test_the_page_knows_no_other_metric() -> None:
    assert set(re.findall(r"^\| `([^`]+)` \| [^|]+ \| (?:hits|f1|ppl) \|", PAGE, flags=re.M)) == (
        CATALOGUE.keys()
    )


@pytest.mark.parametrize("name", [*ZERO_RULES, *TOKENIZERS.values()])
def test_every_rule_that_a_signature_may_name_is_explained(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_a_talk_held_alone_has_a_lineup(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"^```python\n(from harness\.data.*?)^```", PAGE, flags=re.M | re.S)

    exec(compile(block, "docs/metrics.md", "exec"), {})

    assert re.fullmatch(r"[01]\.\d+ \d+ \('.*\)\n", capsys.readouterr().out)
