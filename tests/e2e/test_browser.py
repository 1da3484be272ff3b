"""A reader in a real browser: the board, a submission's timeline, a telephone's width, the dark."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import siteworld
import waitress
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from leaderboard import ledger
from leaderboard.states import State
from leaderboard.web import create_app

pytestmark = pytest.mark.browser

OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


class Served:
    """A world and the address at which a real server shows it."""

    def __init__(self, world: siteworld.World) -> None:
        self.world = world
        self._server = waitress.create_server(create_app(world.db), host="127.0.0.1", port=0)
        self.url = f"http://127.0.0.1:{self._server.effective_port}"
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._stop = threading.Event()
        self._thread.start()

    def _run(self) -> None:
        # waitress' own loop ends on KeyboardInterrupt only; this one ends when told to
        while not self._stop.is_set():
            self._server.asyncore.loop(timeout=0.1, count=1, map=self._server._map)

    def close(self) -> None:
        """Stop the loop, then the workers and the sockets."""
        self._stop.set()
        self._thread.join(10)
        self._server.task_dispatcher.shutdown()
        self._server.asyncore.close_all(self._server._map)
        self.world.db.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A competition in full swing behind a real server."""
    server = Served(siteworld.full(tmp_path_factory.mktemp("browser")))
    yield server
    server.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """Headless Chromium."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    profile: Path = tmp_path_factory.mktemp("profile")
    for option in (*OPTIONS, f"--user-data-dir={profile}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.set_page_load_timeout(30)
    yield driver
    driver.quit()


def look(browser: webdriver.Chrome, *, width: int, scheme: str = "light") -> None:
    """Set the width of the window and the preferred colours."""
    size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)


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


CONTRAST = """
const lum = c => { const [r, g, b] = c.match(/[\\d.]+/g).map(Number).map(v => {
  v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const ground = e => { for (; e; e = e.parentElement) {
  const c = getComputedStyle(e).backgroundColor;
  if (!c.endsWith(', 0)')) return c; } return 'rgb(255, 255, 255)'; };
let worst = [99, ''];
for (const e of document.body.querySelectorAll('*')) {
  if (e.closest('.skip, svg') || ![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
    continue;
  const [a, b] = [lum(getComputedStyle(e).color), lum(ground(e))].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < worst[0]) worst = [ratio, e.className + ': ' + e.textContent.slice(0, 40)];
}
return worst;
"""


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
