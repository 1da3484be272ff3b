"""The code of docs/evaluation.md runs, in its order, and its options are the command's."""

import re

import click

from harness.cli import scoring
from tests.conftest import PROJECT

PAGE = (PROJECT / "docs" / "evaluation.md").read_text("utf-8")


def test_the_examples_run() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.M | re.S)
    assert len(blocks) == 2
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "docs/evaluation.md", "exec"), names)


def test_every_option_by_hand_is_named() -> None:
    for option in scoring.options(click.Command("x")).params:
        assert any(f"`{name}" in PAGE for name in (*option.opts, *option.secondary_opts)), option
