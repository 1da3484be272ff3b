"""A beam as a picture: DOT text for Graphviz, and an SVG that needs nothing.

A column is a step, the best hypothesis at its top; a line leads from each hypothesis to what
continued it. Dropped ones are those that just missed the beam.
"""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from harness.torch.generation.options import Hypothesis

Fate = Literal["kept", "dropped", "ended"]

WIDTH, HEIGHT, MARGIN = 132, 44, 24  # a cell of the picture, in pixels
BOX_WIDTH, BOX_HEIGHT = 104, 32
LONGEST = 14  # characters of a word that are shown


@dataclass(frozen=True)
class Node:
    """A hypothesis at one step: its last token, its ln p so far, what it continues."""

    parent: int | None
    token: int
    log_probability: float
    step: int
    rank: int
    fate: Fate


@dataclass
class Trace:
    """The hypotheses of one context, as a search meets them; node 0 is the start."""

    nodes: list[Node] = field(default_factory=lambda: [Node(None, -1, 0.0, 0, 0, "kept")])
    live: list[int] = field(default_factory=lambda: [0])

    def add(
        self,
        parents: Sequence[int],
        tokens: Sequence[int],
        *,
        totals: Sequence[float],
        size: int,
        end: int,
    ) -> None:
        """A step: continuations by falling ln p, of which the first `size` stay.

        `parents` are places among the live hypotheses before the step.
        """
        before, self.live = self.live, []
        step = self.nodes[before[0]].step + 1
        for rank, (place, token, total) in enumerate(zip(parents, tokens, totals, strict=True)):
            if total == -math.inf:
                break
            fate: Fate = "dropped" if rank >= size else "ended" if token == end else "kept"
            if fate == "kept":
                self.live.append(len(self.nodes))
            self.nodes.append(Node(before[place], token, total, step, rank, fate))

    def path(self, node: int) -> list[int]:
        """The nodes from the start to this one."""
        found, at = [], self.nodes[node]
        while at.parent is not None:
            found.append(node)
            node = at.parent
            at = self.nodes[node]
        return [0, *reversed(found)]

    def tokens(self, node: int) -> tuple[int, ...]:
        """What was said on the way to this node, itself included."""
        return tuple(self.nodes[at].token for at in self.path(node)[1:])


@dataclass(frozen=True)
class Graph:
    """The same picture twice: for Graphviz, and for a browser."""

    dot: str
    svg: str


def draw(trace: Trace, hypotheses: Sequence[Hypothesis], words: Sequence[str]) -> Graph:
    """The picture of a trace; the way to the best of `hypotheses` is marked."""
    scores = {one.tokens: one.score for one in hypotheses}
    ends = {
        number: scores[said]
        for number, node in enumerate(trace.nodes)
        if node.fate == "ended" and (said := trace.tokens(number)[:-1]) in scores
    }
    best = max(ends, key=lambda number: ends[number], default=0)
    picture = _Picture(trace, words, ends, frozenset(trace.path(best)))
    return Graph(dot=picture.dot(), svg=picture.svg())


_COLOURS: dict[Fate, str] = {"kept": "#1f5fa8", "dropped": "#6b6b6b", "ended": "#1d7a3e"}
_STYLE = """
text { font: 12px system-ui, sans-serif; text-anchor: middle; fill: #1a1a1a }
.small { font-size: 10px; fill: #444 }
.left { text-anchor: start }
rect { fill: #fff; stroke-width: 1 }
.kept rect { stroke: #1f5fa8 }
.dropped rect { stroke: #6b6b6b; stroke-dasharray: 3 2; fill: #f4f4f4 }
.ended rect { stroke: #1d7a3e; fill: #eaf6ee }
.best rect { stroke-width: 3 }
path { fill: none; stroke: #b8b8b8 }
path.best { stroke: #1d7a3e; stroke-width: 2.5 }
"""


@dataclass(frozen=True)
class _Picture:
    trace: Trace
    words: Sequence[str]
    ends: dict[int, float]  # scores of the hypotheses that were returned, by node
    best: frozenset[int]

    def dot(self) -> str:
        """The graph in Graphviz's language."""
        lines = ["digraph beam {", "  rankdir=LR;", '  node [shape=box, fontname="sans-serif"];']
        for number, node in enumerate(self.trace.nodes):
            label = "\\n".join(map(_quoted, self._label(number)))
            dashed = ", style=dashed" if node.fate == "dropped" else ""
            pen = ", penwidth=3" if number in self.best else ""
            lines.append(
                f'  n{number} [label="{label}", color="{_COLOURS[node.fate]}"{dashed}{pen}];'
            )
        for number, node in enumerate(self.trace.nodes):
            if node.parent is not None:
                pen = " [penwidth=3]" if number in self.best else ""
                lines.append(f"  n{node.parent} -> n{number}{pen};")
        return "\n".join([*lines, "}", ""])

    def svg(self) -> str:
        """The graph as one SVG document: no script, no font, nothing from elsewhere."""
        nodes = self.trace.nodes
        wide = 2 * MARGIN + WIDTH * (1 + max(node.step for node in nodes))
        high = 2 * MARGIN + HEIGHT * (1 + max(node.rank for node in nodes)) + 20
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" '
            f'viewBox="0 0 {wide} {high}" role="img" aria-labelledby="beam-title">',
            f'<title id="beam-title">{_escaped(self._title())}</title>',
            f"<style>{_STYLE}</style>",
            f'<rect width="{wide}" height="{high}" stroke="none"/>',
            *(self._line(number) for number in range(1, len(nodes))),
            *(self._box(number) for number in range(len(nodes))),
            f'<text class="small left" x="{MARGIN}" y="{high - 12}">Boxes: last word, ln p so far; '
            "dashed: dropped; green: ended; thick: the best.</text>",
            "</svg>",
        ]
        return "\n".join(parts) + "\n"

    def _title(self) -> str:
        kept = [self.trace.nodes[number] for number in sorted(self.best)][1:]
        said = " ".join(self._word(node.token) for node in kept)
        return f"A beam of {len(self.trace.nodes) - 1} hypotheses; the best: {said}"

    def _line(self, number: int) -> str:
        node = self.trace.nodes[number]
        assert node.parent is not None
        x1, y1 = _centre(self.trace.nodes[node.parent])
        x2, y2 = _centre(node)
        x1, x2 = x1 + BOX_WIDTH // 2, x2 - BOX_WIDTH // 2
        bend = (x1 + x2) // 2
        mark = ' class="best"' if number in self.best else ""
        return f'<path{mark} d="M{x1} {y1}C{bend} {y1} {bend} {y2} {x2} {y2}"/>'

    def _box(self, number: int) -> str:
        node = self.trace.nodes[number]
        x, y = _centre(node)
        word, score = self._label(number)
        full = self._word(node.token)
        mark = f"{node.fate} best" if number in self.best else node.fate
        return (
            f'<g class="{mark}"><title>{_escaped(full)}: {node.fate}, {_escaped(score)}</title>'
            f'<rect x="{x - BOX_WIDTH // 2}" y="{y - BOX_HEIGHT // 2}" width="{BOX_WIDTH}" '
            f'height="{BOX_HEIGHT}" rx="4"/>'
            f'<text x="{x}" y="{y - 2}">{_escaped(word)}</text>'
            f'<text class="small" x="{x}" y="{y + 11}">{_escaped(score)}</text></g>'
        )

    def _label(self, number: int) -> tuple[str, str]:
        """The word and the number below it: ln p, and the score of what was returned."""
        node = self.trace.nodes[number]
        word = self._word(node.token)
        short = word if len(word) <= LONGEST else word[: LONGEST - 1] + "…"
        score = f" → {_shown(self.ends[number])}" if number in self.ends else ""
        return short, f"{_shown(node.log_probability)}{score}"

    def _word(self, token: int) -> str:
        if token < 0:
            return "start"
        return self.words[token] if token < len(self.words) else f"#{token}"


def _shown(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}"  # the sum turns -0.0 into 0.0


def _centre(node: Node) -> tuple[int, int]:
    return (
        MARGIN + node.step * WIDTH + BOX_WIDTH // 2,
        MARGIN + node.rank * HEIGHT + BOX_HEIGHT // 2,
    )


def _escaped(text: str) -> str:
    """Text that XML may hold: control characters, which it may not, become a box."""
    return html.escape("".join(c if c.isprintable() else "\N{WHITE SQUARE}" for c in text))


def _quoted(text: str) -> str:
    """Text inside DOT's double quotes."""
    plain = "".join(c if c.isprintable() else "\N{WHITE SQUARE}" for c in text)
    return plain.replace("\\", "\\\\").replace('"', '\\"')
