"""The table's rows are baselines that there are, trained with options that they have."""

import json
import re
from collections.abc import Iterator

import pytest
from toyset import agent_type, module_of

from baselines.commands import FOLDERS, folder
from baselines.table.results import DISTINCT
from baselines.table.rows import ROWS, SECONDS, Bar, Row, chosen
from harness.agent import TRACKS
from harness.cli.training import command_line
from harness.metrics.catalogue import CATALOGUE
from harness.submission import entered
from harness.torch.typed import to_json
from tests.conftest import PROJECT

BY_NAME = {row.name: row for row in ROWS}


def test_every_baseline_stands_in_the_table() -> None:
    assert {row.baseline for row in ROWS} == set(FOLDERS)
    assert len(BY_NAME) == len(ROWS)


@pytest.mark.parametrize("row", [row for row in ROWS if row.options], ids=lambda row: row.name)
def test_the_options_of_a_row_are_the_baselines(row: Row) -> None:
    parser = command_line()
    module_of(row.baseline, "train").add(parser)
    parser.parse_args(["--data", "data", *row.options])


@pytest.mark.parametrize("row", ROWS, ids=BY_NAME)
def test_a_row_measures_what_it_is_held_to(row: Row) -> None:
    tracks = row.tracks or entered(folder(row.baseline))
    assert set(tracks) <= set(entered(folder(row.baseline)))
    for name in [bar.measure for bar in row.bars] + [one.measure for one in row.published]:
        assert (
            name == SECONDS
            or (name == DISTINCT and "f1" in tracks)
            or (CATALOGUE[name].track in tracks)
        )
    for bar in row.bars:
        assert (bar.at_least is None) != (bar.at_most is None)
    for needed in [row.like, *(bar.below for bar in row.bars)]:
        assert needed is None or BY_NAME[needed].like is None


def test_the_bars_of_the_page_are_those_of_the_rows() -> None:
    """docs/baselines.md names every row; a bar that is lowered in silence would fail here."""
    page = (PROJECT / "docs" / "baselines.md").read_text("utf-8")
    assert [name for name in BY_NAME if f"`{name}`" not in page] == []
    for row in ROWS:
        for bar in row.bars:
            assert any(said(bar) in line for line in lines(page, row)), (row.name, said(bar))


def lines(page: str, row: Row) -> Iterator[str]:
    return (line for line in page.splitlines() if line.startswith(f"| `{row.name}` |"))


def said(bar: Bar) -> str:
    """A bar as the page writes it."""
    if bar.measure == SECONDS:
        return f"{bar.at_most:g} s"
    name = "different replies" if bar.measure == DISTINCT else bar.measure
    if bar.below:
        return f"{name} below `{bar.below}` by {bar.at_least:g}"
    return f"{name} ≥ {bar.at_least:g}" if bar.at_least is not None else f"{name} ≤ {bar.at_most:g}"


def test_the_published_figures_of_the_page_are_those_of_the_rows() -> None:
    page = (PROJECT / "docs" / "baselines.md").read_text("utf-8")
    for one in (one for row in ROWS for one in row.published):
        shown = f"{one.value:.1f}" if one.measure == "ppl" else f"{100 * one.value:.4g}"
        assert f"| {shown} |" in page, one


@pytest.mark.parametrize("name", FOLDERS)
def test_the_page_says_which_tracks_a_baseline_enters(name: str) -> None:
    page = (PROJECT / "docs" / "baselines.md").read_text("utf-8")
    (line,) = [line for line in page.splitlines() if re.match(rf"\| `{name}` \| [A-Z]", line)]
    marks = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[-4:-1]]
    assert marks == ["x" if track in entered(folder(name)) else "" for track in TRACKS]


def test_a_row_brings_along_what_it_is_held_against_and_shares() -> None:
    assert [row.name for row in chosen(("seq2seq-by-mean", "ranker-bow-without-persona"))] == [
        "ranker-bow",
        "ranker-bow-without-persona",
        "seq2seq",
        "seq2seq-by-mean",
    ]
    assert chosen(()) == tuple(row for row in ROWS if not row.on_request)
    assert [row.name for row in chosen(("lm-historical",))] == ["lm-historical"]
    assert [row.name for row in chosen(("lm-lstm",))] == ["lm-lstm"]


@pytest.mark.parametrize("name", sorted({row.baseline for row in ROWS if row.changes}))
def test_the_changes_of_a_row_are_options_of_the_agent(name: str) -> None:
    values = json.loads(json.dumps(to_json(agent_type(name).options_type())))
    for row in (one for one in ROWS if one.baseline == name):
        for option in row.changes:
            *groups, last = option.split(".")
            found = values
            for group in groups:
                found = found[group]
            assert last in found
