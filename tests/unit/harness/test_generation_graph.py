"""The beam as a picture: everything that was kept or dropped, readable, and safe to open."""

import re
from xml.etree import ElementTree

import pytest
from generation_toys import END, Table, task

from harness.torch.generation.beam import Beam, beam_search
from harness.torch.generation.options import SearchOptions

WORDS = ("__start__", "__end__", "yes", "no", '<script>"\\', "a\x00b")
SVG = "{http://www.w3.org/2000/svg}"


def beam(size: int = 3, *, words: int = 6, longest: int = 5) -> Beam:
    table = Table.random(7, words=words)
    options = SearchOptions(inference="beam", beam_size=size, max_length=longest, n_best=size)
    return beam_search(table, table.begin, task=task(1), options=options, trace=True)[0]


def test_a_trace_holds_what_was_returned_and_what_was_dropped() -> None:
    found = beam()
    assert found.trace is not None
    nodes = found.trace.nodes
    ends = {
        found.trace.tokens(number): node.log_probability
        for number, node in enumerate(nodes)
        if node.fate == "ended"
    }
    for hypothesis in found.hypotheses:
        assert ends[(*hypothesis.tokens, END)] == hypothesis.log_probability
    assert {node.fate for node in nodes} == {"kept", "dropped", "ended"}
    for node in nodes[1:]:
        assert node.parent is not None
        parent = nodes[node.parent]
        assert (parent.fate, parent.step) == ("kept", node.step - 1)
        assert node.log_probability <= parent.log_probability
    steps = {node.step for node in nodes[1:]}
    for step in steps:
        at = [node for node in nodes if node.step == step]
        assert sum(node.fate != "dropped" for node in at) <= 3
        assert [node.rank for node in at] == list(range(len(at)))


def test_a_trace_changes_nothing_that_is_found() -> None:
    table = Table.random(7, words=6)
    options = SearchOptions(inference="beam", beam_size=3, max_length=5, n_best=3)
    (plain,) = beam_search(table, table.begin, task=task(1), options=options)
    assert plain.hypotheses == beam().hypotheses
    with pytest.raises(ValueError, match="trace=True"):
        plain.graph(WORDS)


def test_the_svg_is_one_document_with_a_box_for_each_hypothesis() -> None:
    found = beam()
    assert found.trace is not None
    graph = found.graph(WORDS)
    root = ElementTree.fromstring(graph.svg)
    boxes = root.findall(f"{SVG}g")
    assert len(boxes) == len(found.trace.nodes)
    assert len(root.findall(f"{SVG}path")) == len(found.trace.nodes) - 1
    texts = [text for text in root.itertext() if text.strip()]
    assert '<script>"\\' in texts
    assert "<script" not in graph.svg
    assert "\x00" not in graph.svg
    assert any(f"→ {found.hypotheses[0].score:.2f}" in text for text in texts)
    assert "http" not in graph.svg.replace("http://www.w3.org/2000/svg", "")


def test_no_two_boxes_of_the_svg_overlap_or_leave_it() -> None:
    root = ElementTree.fromstring(beam(size=5).graph(WORDS).svg)
    wide, high = float(root.get("width", 0)), float(root.get("height", 0))
    corners = []
    for rect in root.iterfind(f"{SVG}g/{SVG}rect"):
        x, y = float(rect.get("x", 0)), float(rect.get("y", 0))
        w, h = float(rect.get("width", 0)), float(rect.get("height", 0))
        assert x >= 0
        assert y >= 0
        assert x + w <= wide
        assert y + h <= high
        assert all(abs(x - a) >= w or abs(y - b) >= h for a, b in corners)
        corners.append((x, y))


def test_the_best_way_is_marked_from_the_start_to_its_end() -> None:
    found = beam()
    graph = found.graph(WORDS)
    length = len(found.hypotheses[0].tokens) + 1
    root = ElementTree.fromstring(graph.svg)
    assert sum(path.get("class") == "best" for path in root.iterfind(f"{SVG}path")) == length
    assert len(re.findall(r"-> n\d+ \[penwidth=3\]", graph.dot)) == length


def test_the_dot_is_quoted() -> None:
    found = beam()
    assert found.trace is not None
    dot = found.graph(WORDS).dot
    assert dot.startswith("digraph beam {")
    assert dot.rstrip().endswith("}")
    assert '<script>\\"\\\\' in dot
    assert "\x00" not in dot
    assert len(re.findall(r"^  n\d+ \[label=", dot, re.M)) == len(found.trace.nodes)
    for line in dot.splitlines():
        assert len(re.findall(r'(?<!\\)"', line.replace("\\\\", ""))) % 2 == 0


def test_words_that_are_not_known_are_drawn_by_their_number() -> None:
    assert "#3" in beam().graph(WORDS[:3]).dot
