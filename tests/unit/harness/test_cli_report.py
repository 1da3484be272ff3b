"""`rostrum report`: through a pipe, in a terminal, as JSON, as a page."""

import json
import os
import pty
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from reportworld import HOSTILE, Says, dialogues, saved
from rich.console import Console

from harness.cli.report import report
from harness.errors import UsageError
from harness.rendering.sheet import sheet
from harness.rendering.terminal import show
from harness.report import Report


def ran(*arguments: object) -> Result:
    result = CliRunner().invoke(report, [str(it) for it in arguments], catch_exceptions=True)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def hostile(path: Path) -> Path:
    """A run whose every foreign text means harm."""
    return saved(
        path,
        "f1",
        agent=Says(HOSTILE),
        over=dialogues(said=HOSTILE),
        change=lambda made: replace(
            made,
            signature=f"track:f1|{HOSTILE}",
            agent={HOSTILE[:20]: HOSTILE},
            measures=(*made.measures, replace(made.measures[0], name=HOSTILE, unit=HOSTILE)),
        ),
    )


@pytest.mark.parametrize(
    ("track", "parts"),
    [
        ("hits", ["hits@1 ", "hits@3 ", "MRR ", "reply ranked", "answered"]),
        ("f1", ["F1 ", "precision ", "BLEU ", "distinct-1 ", "  answered    i like cats"]),
        ("ppl", ["perplexity ", "nats a word", "surprising    cats", "outside       5"]),
    ],
)
def test_a_pipe_gets_plain_lines(tmp_path: Path, track: str, parts: list[str]) -> None:
    out = ran(saved(tmp_path / "run.json", track), "--examples", 2).output  # type: ignore[arg-type]  # a track

    for part in (
        *parts,
        "report        run",
        "n             15 examples in 6 dialogues",
        "turn 1 ",
    ):
        assert part in out
    assert out.count("hard ") == 2
    assert f"signature     track:{track}|" in out
    assert "\x1b" not in out


def test_a_hidden_sets_report_says_what_is_missing(tmp_path: Path) -> None:
    path = saved(tmp_path / "run.json", "f1", records=False)

    assert "records       This report has no per-example records" in ran(path).output
    assert json.loads(ran(path, "--json").output)["findings"] is None
    ran(path, "--html", tmp_path / "run.html")
    assert "no per-example records" in (tmp_path / "run.html").read_text("utf-8")


def test_json_holds_what_is_shown(tmp_path: Path) -> None:
    document = json.loads(ran(saved(tmp_path / "run.json", "ppl"), "--json").output)

    assert document["name"] == "run"
    assert "totals" not in document["report"]
    assert [turn["turn"] for turn in document["findings"]["turns"]] == [1, 2, 3]
    assert document["findings"]["hardest"][0]["reply"] >= 1
    assert document["signature"]["track"] == "ppl"


def test_an_infinite_score_is_shown_everywhere(tmp_path: Path) -> None:
    path = saved(tmp_path / "run.json", "ppl", agent=Says(zero=True), over=dialogues(12))

    assert "perplexity    infinite (95 % interval" in ran(path).output
    assert json.loads(ran(path, "--json").output)["report"]["score"]["value"] is None
    ran(path, "--html", tmp_path / "run.html")
    page = (tmp_path / "run.html").read_text("utf-8")
    assert "infinite loss" in page
    assert "of infinite score cannot be drawn" in page
    assert "nan" not in page.lower().replace("nanum", "")


def terminal(*arguments: object, columns: int) -> str:
    """What the command prints to a real terminal so many columns wide."""
    main, side = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm-256color"}
    call = "from harness.cli.report import report; report()"
    with subprocess.Popen(
        [sys.executable, "-c", call, *map(str, arguments)],
        stdout=side,
        stderr=side,
        stdin=side,
        env=environment,
    ) as process:
        os.close(side)
        read = b""
        while True:
            try:
                block = os.read(main, 65536)
            except OSError:  # the other end is closed
                break
            if not block:
                break
            read += block
        assert process.wait(30) == 0, read
    os.close(main)
    return read.decode("utf-8")


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("track", ["hits", "f1", "ppl"])
def test_tables_fit_a_terminal(tmp_path: Path, track: str, columns: int) -> None:
    path = saved(tmp_path / "run.json", track, over=dialogues(40))  # type: ignore[arg-type]  # a track
    console = Console(width=columns, force_terminal=True)
    with console.capture() as capture:
        show(sheet(Report.load(path), path, name="run", keep=3), console)
    seen = re.sub(r"\x1b\[[0-9;]*m", "", capture.get())

    assert all(len(line.rstrip()) <= columns for line in seen.splitlines())
    assert "●" in seen
    for heading in ("Turn by turn", "Hardest examples", "Signature"):
        assert heading in seen
    assert ("Most surprising words" in seen) == (track == "ppl")
    assert "…" not in seen


def test_a_hidden_sets_report_is_shown_in_a_terminal(tmp_path: Path) -> None:
    path = saved(tmp_path / "run.json", "f1", records=False)

    assert "no per-example records" in terminal(path, columns=100)


def test_no_text_steers_a_terminal(tmp_path: Path) -> None:
    path = hostile(tmp_path / "run.json")
    seen = re.sub(r"\x1b\[[0-9;]*m", "", terminal(path, columns=100))

    assert "\x1b" not in seen
    assert "\x07" not in seen
    assert "\u202e" not in seen
    assert "\\u{1b}" in seen
    assert "\x1b" not in ran(path).output


class Reader(HTMLParser):
    """Takes a page apart: its tags, attributes and texts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)


def parsed(path: Path) -> Reader:
    reader = Reader()
    reader.feed(path.read_text("utf-8"))
    assert reader.open == []
    return reader


@pytest.mark.parametrize("track", ["hits", "f1", "ppl", "hostile"])
def test_a_page_stands_alone_and_holds_no_foreign_markup(tmp_path: Path, track: str) -> None:
    file, page = tmp_path / "run.json", tmp_path / "run.html"
    path = hostile(file) if track == "hostile" else saved(file, track)  # type: ignore[arg-type]  # a track

    assert ran(path, "--html", page).output == f"wrote {page}\n"

    reader, text = parsed(page), page.read_text("utf-8")
    assert not {"script", "link", "img", "iframe", "object", "base", "form", "a"} & {*reader.tags}
    names = {name for name, _ in reader.attributes}
    assert not {"src", "href", "srcset", "action", "style"} & names
    assert not any(name.startswith("on") for name in names)
    assert not re.search(r"url\(|@import|https?:|//\w", text)
    assert not set("\x1b\x07\u202e\u202c") & set(text)


def test_a_page_can_be_read_without_seeing_it(tmp_path: Path) -> None:
    page = tmp_path / "run.html"
    ran(saved(tmp_path / "run.json", "ppl"), "--html", page)
    reader = parsed(page)

    drawings = [value for name, value in reader.attributes if (name, value) == ("role", "img")]
    assert len(drawings) <= reader.tags.count("title") - 1
    assert reader.tags.count("h1") == 1
    assert reader.tags.count("table") == reader.tags.count("caption") > 0
    heads = [value for name, value in reader.attributes if name == "scope"]
    assert len(heads) == reader.tags.count("th")
    assert ("lang", "en") in reader.attributes


def test_hostile_texts_are_on_the_page_as_texts(tmp_path: Path) -> None:
    page = tmp_path / "run.html"
    ran(hostile(tmp_path / "run.json"), "--html", page)

    assert any("<script>alert(1)</script> & \\u{202e}gnirts" in it for it in parsed(page).texts)


def test_examples_are_as_many_as_asked(tmp_path: Path) -> None:
    path, page = saved(tmp_path / "run.json", "f1"), tmp_path / "run.html"

    assert "hard " not in ran(path, "--examples", 0).output
    assert ran(path).output.count("hard ") == 5
    ran(path, "--html", page, "--examples", 0)
    assert "Hardest" not in page.read_text("utf-8")
    assert ran(path, "--examples", -1).exit_code == 2


def test_a_run_can_be_given_a_name(tmp_path: Path) -> None:
    assert "report        ours" in ran(saved(tmp_path / "r.json", "f1"), "--name", "ours").output


def test_a_damaged_report_is_one_sentence(tmp_path: Path) -> None:
    path = saved(tmp_path / "report.json", "f1")
    document = json.loads(path.read_text("utf-8"))
    document["measures"][1]["low"] = "much"
    path.write_text(json.dumps(document))

    with pytest.raises(UsageError, match=r'^report.json: measures\[1\]\.low is not a number: "mu'):
        ran(path)
    with pytest.raises(UsageError, match="cannot read"):
        ran(tmp_path / "none.json")


def test_a_page_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write"):
        ran(saved(tmp_path / "r.json", "f1"), "--html", tmp_path / "no" / "x.html")


def test_a_report_of_schema_1_without_totals_is_shown(tmp_path: Path) -> None:
    path = saved(tmp_path / "run.json", "f1", records=False)
    document = Report.load(path).to_json()
    old = {**document, "schema": 1, "totals": [], "seconds": 0.0}
    del old["measures"], old["sidecar"]
    path.write_text(json.dumps(old))

    assert "n             15 examples\n" in ran(path).output
    assert ran(path, "--html", tmp_path / "run.html").exit_code == 0
    assert "Dialogue by dialogue" not in (tmp_path / "run.html").read_text("utf-8")
