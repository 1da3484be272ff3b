"""What an ablation found, as tables, JSON and a drawing."""

import json
from dataclasses import replace
from xml.etree.ElementTree import fromstring

import pytest
from toyset import toy

from baselines.ablation import tables
from baselines.ablation.cells import Cell, Gap, compared, ordered
from baselines.ablation.plot import plot
from harness.dialogue import Context
from harness.evaluation import evaluate
from harness.report import Report

SVG = "{http://www.w3.org/2000/svg}"


class Knows:
    """Ranks the first so many talks of the toy set right, the others wrong."""

    def __init__(self, talks: int) -> None:
        self.replies = {it.replies[0] for one in toy()[:talks] for it in one.examples}

    def score_candidates(
        self, contexts: list[Context], candidates: list[list[str]]
    ) -> list[list[float]]:
        """A reply that is known is best where the question fits."""
        right = {it.partner[-1]: it.replies[0] for one in toy() for it in one.examples}
        return [
            [float(text == right[context.turns[-1].text] and text in self.replies) for text in row]
            for context, row in zip(contexts, candidates, strict=True)
        ]


def report(talks: int, *, persona: str) -> Report:
    dialogues = [replace(one, persona=(persona,)) for one in toy()]
    return evaluate(Knows(talks), dialogues, "hits")


def cell(persona: str, talks: int, *, model: str = "ranker-bow", candidates: int = 20) -> Cell:
    return Cell(
        model=model,
        persona=persona,
        candidates=candidates,
        report=report(talks, persona=persona),
        trained=12.5,
    )


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    made = [
        cell("random", 25),
        cell("self", 40),
        cell("none", 30),
        cell("self", 35, candidates=100),
    ]
    return ordered(compared(made), models=["ranker-bow"])


FACTS = tables.Facts(
    data="toy", split="test", seed=0, threads=2, known={"self": (50, 50), "other": (20, 50)}
)
GAPS = [Gap(None, "revised", "it needs a file"), Gap("ranker-lstm", "self", "training failed")]


def test_cells_stand_by_candidates_then_condition(cells: list[Cell]) -> None:
    assert [(one.candidates, one.persona) for one in cells] == [
        (20, "none"),
        (20, "self"),
        (20, "random"),
        (100, "self"),
    ]


def test_a_gain_is_paired_with_the_same_model_without_persona(cells: list[Cell]) -> None:
    bare, own, drawn, alone = cells
    assert bare.gain is None
    assert alone.gain is None  # there is no cell without persona among 100
    assert own.gain is not None
    assert own.gain.value == pytest.approx(own.report.score.value - bare.report.score.value)
    assert 0 < own.gain.low < own.gain.value < own.gain.high
    assert drawn.gain is not None
    assert drawn.gain.value < 0
    # paired: narrower than if the two were drawn apart
    assert own.gain.high - own.gain.low < bare.report.score.high - bare.report.score.low


def test_the_page_has_a_table_for_each_length_and_says_what_is_missing(cells: list[Cell]) -> None:
    page = tables.page(cells, GAPS, FACTS)

    assert page.index("### Among 20 candidates") < page.index("### Among 100 candidates")
    (line,) = [line for line in page.splitlines() if line.startswith("| ranker-bow | none |")]
    value = 100 * cells[0].report.score.value
    assert f"| {value:.2f} (" in line
    assert "| 100 | 12.5 s |" in line
    assert "`other`: 20 of 50 training dialogues" in page
    assert "`self`" not in page
    assert "**Not there: revised.** It needs a file." in page
    assert "**Not there: ranker-lstm self.** Training failed." in page


def test_every_row_of_the_page_has_as_many_cells_as_its_head(cells: list[Cell]) -> None:
    lines = [line for line in tables.page(cells, GAPS, FACTS).splitlines() if line[:1] == "|"]
    assert len({line.count("|") for line in lines}) == 1


def test_the_document_holds_every_cell(cells: list[Cell]) -> None:
    document = json.loads(tables.document(cells, GAPS, FACTS))

    assert [(it["persona"], it["candidates"]) for it in document["cells"]] == [
        (one.persona, one.candidates) for one in cells
    ]
    first = document["cells"][1]
    assert set(first["measures"]) == {"hits@1", "hits@3", "hits@10", "mrr"}
    assert all(it["low"] <= it["value"] <= it["high"] for it in first["measures"].values())
    assert (first["n"], first["seconds"]["training"]) == (100, 12.5)
    assert first["gain"]["p"] < 0.05
    assert "cands:20" in first["signature"]
    assert document["absent"][0] == {
        "model": None,
        "persona": "revised",
        "reason": "it needs a file",
    }
    assert document["training_dialogues"]["other"] == {"with_persona": 20, "all": 50}


def test_the_drawing_has_a_whisker_for_each_cell_at_its_value(cells: list[Cell]) -> None:
    drawing = fromstring(plot(cells, title="A <title> & more"))

    assert drawing.findtext(f"{SVG}title") == "A <title> & more"
    dots = drawing.findall(f".//{SVG}circle")
    assert len(dots) == len(cells)
    spans = drawing.findall(f".//{SVG}line[@class='span']")
    for one, dot, span in zip(cells, dots, spans, strict=True):
        assert float(span.attrib["x1"]) <= float(dot.attrib["cx"]) <= float(span.attrib["x2"]), one
    in_first = [float(dot.attrib["cx"]) for dot in dots[:3]]
    values = [one.report.score.value for one in cells[:3]]
    assert sorted(in_first) == [x for _, x in sorted(zip(values, in_first, strict=True))]
    width, height = (float(drawing.attrib[side]) for side in ("width", "height"))
    for part in drawing.iter():
        for side, most in (
            ("x", width),
            ("x2", width),
            ("cx", width),
            ("y", height),
            ("y2", height),
        ):
            assert 0 <= float(part.attrib.get(side, 0)) <= most, part.attrib
