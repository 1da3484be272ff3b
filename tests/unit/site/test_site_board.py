"""The board's page and its JSON: equal values, ties, baselines, hostile names, headers."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import siteworld
from flask.testing import FlaskClient

from leaderboard import competition
from leaderboard.states import State
from leaderboard.web import create_app


class Page(HTMLParser):
    """What a page holds: its tags, and the text of each element with a class."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def rows_of(html: str) -> list[str]:
    """The text of each entry's group of rows, spaces collapsed."""
    bodies = re.findall(r"<tbody.*?</tbody>", html, flags=re.S)
    return [" ".join(Page(body).text.split()) for body in bodies]


def test_page_and_json_are_one_resource(reader: FlaskClient) -> None:
    page = reader.get("/").get_data(as_text=True)
    document = reader.get("/api/v1/board").get_json()
    assert '<link rel="alternate" type="application/json" href="/api/v1/board">' in page
    shown = rows_of(page)
    assert len(shown) == len(document["rows"]) == 7
    for text, row in zip(shown, document["rows"], strict=True):
        if row["entry"].isprintable():
            assert row["entry"] in text
        assert (f"{row['rank']} " in text) if row["rank"] else ("unranked" in text)
        assert ("baseline" in text) is row["baseline"]
        assert row["why"] in text
        for cell in row["tracks"].values():
            assert cell["text"] in text
            assert cell["signature"] in text
            if cell["value"] is not None:
                assert cell["interval"] in text


def test_order_ranks_ties_and_baselines(reader: FlaskClient) -> None:
    rows = reader.get("/api/v1/board").get_json()["rows"]
    assert [row["rank"] for row in rows] == [1, 2, 3, 3, 5, None, None]
    assert rows[0]["entry"] == "seq2seq with attention"
    assert [row["entry"] for row in rows if row["baseline"]] == ["constant-words", "word-frequency"]
    assert reader.get("/").get_data(as_text=True).count('<span class="tie">tied</span>') == 2


def test_scores_are_published_rounded_and_complete(reader: FlaskClient) -> None:
    rows = reader.get("/api/v1/board").get_json()["rows"]
    ppl = rows[0]["tracks"]["ppl"]
    assert ppl == {
        "value": 57.31,
        "low": 55.02,
        "high": 59.87,
        "text": "57.31",
        "interval": "55.02 to 59.87",
        "n": 1450,
        "signature": "track:ppl|rule:rostrum1|tok:official|zero:infinite|data:5f0c6a1b2d3e|"
        "vocab:93b7e1f0a2c4|seed:0|harness:0.1.0",
        "sandbox": "docker",
        "tokens": 16155,
        "vocabulary": 4487,
    }
    assert rows[1]["tracks"]["hits"]["value"] == 0.342


def test_an_infinite_score_is_null_with_a_note(reader: FlaskClient) -> None:
    row = reader.get("/api/v1/board").get_json()["rows"][4]
    assert row["tracks"]["ppl"]["value"] is None
    assert row["tracks"]["ppl"]["note"] == "infinite"
    assert "∞ infinite" in rows_of(reader.get("/").get_data(as_text=True))[4]


@pytest.mark.parametrize(
    "address", ["/", "/submissions/5", "/api/v1/board", "/api/v1/submissions/5"]
)
def test_hostile_names_are_shown_harmlessly(reader: FlaskClient, address: str) -> None:
    body = reader.get(address).get_data()
    assert b"\x1b" not in body
    assert "\u202e".encode() not in body
    assert b"<script>alert" not in body or address.startswith("/api/")
    if not address.startswith("/api/"):
        assert "⟨U+202E⟩" in body.decode()
        assert not [tag for tag, _ in Page(body.decode()).tags if tag == "b" and "alert" in tag]
        scripts = [a for tag, a in Page(body.decode()).tags if tag == "script"]
        assert all((a.get("src") or "").startswith("/static/live.js?") for a in scripts)


@pytest.mark.parametrize("address", ["/", "/help", "/submissions/3", "/submissions/8", "/nope"])
def test_no_inline_script_or_style(reader: FlaskClient, address: str) -> None:
    response = reader.get(address)
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    for tag, attributes in Page(response.get_data(as_text=True)).tags:
        assert tag != "style"
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]


def test_every_page_has_the_marks_of_an_accessible_one(reader: FlaskClient) -> None:
    for address in ("/", "/help", "/submissions/3", "/nope"):
        html = reader.get(address).get_data(as_text=True)
        assert '<html lang="en">' in html
        assert '<a class="skip" href="#main">' in html
        assert html.count("<h1>") == 1
        for tag, attributes in Page(html).tags:
            if tag == "th":
                assert attributes.get("scope") in ("col", "row")


def test_an_unchanged_board_is_not_sent_twice(reader: FlaskClient) -> None:
    for address in ("/", "/api/v1/board"):
        tag = reader.get(address).headers["ETag"]
        assert reader.get(address, headers={"If-None-Match": tag}).status_code == 304


def test_an_empty_board_says_how_to_submit(site: FlaskClient) -> None:
    html = site.get("/").get_data(as_text=True)
    assert "No entry has been scored yet" in html
    assert "DEMO" not in html


def test_a_demo_says_so_on_every_page_of_it(tmp_path: Path) -> None:
    world = siteworld.empty(tmp_path, seed=7)
    attempt = world.submit("ranker")
    client = create_app(world.db).test_client()
    for address in ("/", "/c/spc-2026/", f"/submissions/{attempt}", "/help"):
        assert "<strong>DEMO</strong>" in client.get(address).get_data(as_text=True)
    assert client.get("/api/v1/board").get_json()["demo"] is True
    world.db.close()


def test_two_competitions_each_have_a_board(
    world: siteworld.World, site: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.clock.pass_(seconds=1)
    competition.load(world.db, siteworld.TOML.format(id="other", title="The Other One"))
    assert "The Other One" in site.get("/").get_data(as_text=True)
    monkeypatch.setenv("ROSTRUM_COMPETITION", "spc-2026")
    assert "Synthetic Persona Chat" in site.get("/").get_data(as_text=True)
    assert "The Other One" in site.get("/c/other/").get_data(as_text=True)
    document = site.get("/api/v1/competitions/other/board").get_json()
    assert (document["competition"], document["rows"]) == ("other", [])


def test_no_worker_alive_is_said_once_something_waits(
    world: siteworld.World, site: FlaskClient
) -> None:
    assert site.get("/api/v1/board").get_json()["waiting"] is None
    work = world.to(world.submit("one"), State.QUEUED)
    assert site.get("/api/v1/board").get_json()["waiting"] is None
    world.clock.pass_(minutes=5)
    sentence = site.get("/api/v1/board").get_json()["waiting"]
    assert sentence.startswith("1 submission waits, the oldest since 2026-11-20 20:40 UTC")
    assert "no worker has been heard of since 2026-11-20 20:40 UTC" in sentence
    assert sentence in site.get("/").get_data(as_text=True)
    assert sentence in site.get(f"/submissions/{work.attempt_id}").get_data(as_text=True)
