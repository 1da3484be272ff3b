"""docs/chaos.md names every invariant and every fault, with the same words as the code."""

from pathlib import Path

from chaos.faults import FAULTS

from leaderboard.invariants import INVARIANTS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "chaos.md"


def rows() -> dict[str, str]:
    """The first two columns of the page's tables."""
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {name.strip("`"): text for name, text in cells}


def test_every_invariant_and_every_fault_is_on_the_page() -> None:
    told = rows()
    assert {one.name for one in INVARIANTS} | {"gone"} | {one.name for one in FAULTS} == set(told)
    for fault in FAULTS:
        assert told[fault.name] == fault.what
    for invariant in INVARIANTS:
        plain = told[invariant.name].replace("[table of states](states.md)", "table of states")
        assert plain == invariant.promise
