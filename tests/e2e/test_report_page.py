"""The page of a report in a browser: it fits, it can be read, it asks the net for nothing."""

import pytest
from chromium import CONTRAST, look
from reportworld import HOSTILE, Says, dialogues, saved
from selenium import webdriver
from selenium.webdriver.common.by import By

from harness.rendering.contrast import many, two
from harness.rendering.contrast_page import page as contrast_page
from harness.rendering.page import page
from harness.rendering.sheet import sheet
from harness.report import Report

pytestmark = pytest.mark.browser

OVERFLOW = "return document.documentElement.scrollWidth - window.innerWidth"
SMALLEST = """
return Math.min(...[...document.querySelectorAll('body *')]
  .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
  .map(e => parseFloat(getComputedStyle(e).fontSize)))
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Pages of small runs: each track's, a hostile one, two and three runs compared."""
    folder = tmp_path_factory.mktemp("pages")
    texts: dict[str, str] = {}
    for track in ("hits", "f1", "ppl"):
        path = saved(folder / f"{track}.json", track, over=dialogues(30))  # type: ignore[arg-type]  # a track
        texts[track] = page(sheet(Report.load(path), path, name=track, keep=5))
    long = HOSTILE + "unbroken" * 60
    path = saved(folder / "x.json", "f1", agent=Says(long), over=dialogues(9, said=long))
    texts["hostile"] = page(sheet(Report.load(path), path, name=long, keep=5))
    runs = [
        Report.load(saved(folder / f"{place}.json", "f1", agent=Says(said), over=dialogues(30)))
        for place, said in enumerate(("i like cats a lot", "do you have a dog ?", "zebra"))
    ]
    texts["two"] = contrast_page(two(("one", long), runs[:2], metric=None))
    texts["many"] = contrast_page(many(("one", "two", long), runs, metric=None))
    addresses = {}
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, "utf-8")
        addresses[name] = (folder / f"{name}.html").as_uri()
    return addresses


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", ["hits", "f1", "ppl", "hostile", "two", "many"])
def test_a_page_fits_and_can_be_read(
    browser: webdriver.Chrome, pages: dict[str, str], name: str, width: int, scheme: str
) -> None:
    look(browser, width=width, scheme=scheme)
    browser.get(pages[name])
    for closed in browser.find_elements(By.TAG_NAME, "summary"):
        closed.click()

    assert browser.execute_script(OVERFLOW) <= 0
    assert browser.execute_script(SMALLEST) >= 11
    ratio, where = browser.execute_script(CONTRAST)
    assert ratio >= 4.5, where
    assert browser.get_log("browser") == []
    asked = "return performance.getEntriesByType('resource').map(entry => entry.name)"
    assert browser.execute_script(asked) == []


def test_what_matters_is_seen(browser: webdriver.Chrome, pages: dict[str, str]) -> None:
    look(browser, width=390)
    browser.get(pages["hits"])
    text = browser.find_element(By.TAG_NAME, "main").text

    for part in ("hits@1", "95 % interval", "75 examples in 30 dialogues", "Turn by turn"):
        assert part in text
    for drawing in browser.find_elements(By.CSS_SELECTOR, "svg.plot"):
        assert drawing.size["width"] > 300
        assert drawing.size["height"] > 200
        assert drawing.find_elements(By.CSS_SELECTOR, "title")


def test_hostile_texts_stay_texts(browser: webdriver.Chrome, pages: dict[str, str]) -> None:
    browser.get(pages["hostile"])

    assert browser.find_elements(By.TAG_NAME, "script") == []
    assert "<script>alert(1)</script>" in browser.find_element(By.TAG_NAME, "main").text
