"""A reader in a real browser: the board, a submission's timeline, a telephone's width, the dark."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import siteworld
from chromium import CONTRAST, look
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from served import Server

from leaderboard import ledger
from leaderboard.states import State
from leaderboard.web import create_app

pytestmark = pytest.mark.browser


class Served(Server):
    """A world and the address at which a real server shows it."""

    def __init__(self, world: siteworld.World) -> None:
        self.world = world
        super().__init__(create_app(world.db))

    def close(self) -> None:
        """Stop the server, then close the database."""
        super().close()
        self.world.db.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A competition in full swing behind a real server."""
    server = Served(siteworld.full(tmp_path_factory.mktemp("browser")))
    yield server
    server.close()


def test_a_reader_follows_a_submission_from_the_board(
    browser: webdriver.Chrome, served: Served
) -> None:
    look(browser, width=1280)
    browser.get(served.url)
    rows = browser.find_elements(By.CSS_SELECTOR, ".board tbody")
    assert len(rows) == 7
    assert rows[0].find_element(By.CSS_SELECTOR, ".rank").text == "1"
    assert "57.31" in rows[0].text
    assert rows[5].find_element(By.CSS_SELECTOR, ".tag").text == "baseline"
    rows[0].find_element(By.TAG_NAME, "summary").click()
    assert "Rank 1 by its best place" in rows[0].text
    rows[0].find_element(By.LINK_TEXT, "seq2seq with attention").click()
    states = [e.text for e in browser.find_elements(By.CSS_SELECTOR, ".timeline tbody th")]
    assert states == [
        "Received",
        "Fetching",
        "Building",
        "Preflight",
        "Queued",
        "Running",
        "Scored",
    ]
    assert "track:ppl|rule:rostrum1" in browser.find_element(By.CSS_SELECTOR, ".scores").text
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]  # selenium's


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "path", ["/", "/submissions/3", "/submissions/5", "/submissions/9", "/help"]
)
def test_nothing_is_wider_than_a_telephone(
    browser: webdriver.Chrome, served: Served, path: str, scheme: str
) -> None:
    look(browser, width=390, scheme=scheme)
    browser.get(served.url + path)
    for closed in browser.find_elements(By.TAG_NAME, "summary"):
        closed.click()
    width = browser.execute_script("return document.documentElement.scrollWidth")
    assert width <= 390
    dark = browser.execute_script("return matchMedia('(prefers-color-scheme: dark)').matches")
    assert dark is (scheme == "dark")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/submissions/3", "/submissions/8", "/help#crashed"])
def test_every_text_has_contrast_enough(
    browser: webdriver.Chrome, served: Served, path: str, scheme: str
) -> None:
    look(browser, width=1280, scheme=scheme)
    browser.get(served.url + path)
    ratio, where = browser.execute_script(CONTRAST)
    assert ratio >= 4.5, where


def test_the_first_stop_of_the_keyboard_skips_to_the_content(
    browser: webdriver.Chrome, served: Served
) -> None:
    look(browser, width=1280)
    browser.get(served.url)
    browser.execute_cdp_cmd("Input.dispatchKeyEvent", {"type": "keyDown", "key": "Tab"})
    assert browser.switch_to.active_element.get_attribute("class") == "skip"


def test_a_page_follows_what_moves(browser: webdriver.Chrome, tmp_path: Path) -> None:
    world = siteworld.empty(tmp_path)
    work = world.to(world.submit("ranker"), State.RUNNING, tracks=("hits",))
    server = Served(world)
    try:
        look(browser, width=1280)
        browser.get(f"{server.url}/submissions/1")
        assert browser.find_element(By.ID, "state").text == "Running"
        report = siteworld.report("hits", 0.3421, 0.3172, 0.3662)
        ledger.score(world.db, work, {"hits": report})
        WebDriverWait(browser, 20, ignored_exceptions=None).until(
            lambda driver: (
                driver.execute_script("return document.querySelector('#state').innerText")
                == "Scored"
            )
        )
        assert "34.2" in browser.find_element(By.CSS_SELECTOR, ".scores").text
    finally:
        server.close()
