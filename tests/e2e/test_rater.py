"""A rater in a real browser, and a partner who answers as a worker does."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import humanworld
import pytest
from chromium import CONTRAST, look
from humanworld import HumanWorld
from rater import Partner, RaterPage
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from served import Server

from leaderboard import hints
from leaderboard.db.people import Judgement
from leaderboard.human import opening
from leaderboard.human.stages import ChatState
from leaderboard.web import create_app

pytestmark = pytest.mark.browser

SMALL = """
return [...document.querySelectorAll('a, button, summary, textarea, label:has(input)')]
  .filter(e => !e.matches('.skip') && e.checkVisibility())
  .map(e => [e.textContent.trim() || e.id, e.getBoundingClientRect()])
  .filter(([, box]) => box.height < 43.9 || box.width < 43.9)
  .map(([name, box]) => `${name}: ${box.width} x ${box.height}`);
"""
"""What a finger could miss."""

RING = """
const e = document.activeElement, ringed = e.matches('input') ? e.closest('label') : e;
return getComputedStyle(ringed).outlineStyle !== 'none';
"""


class Site:
    """A world at an address that stays the same when its server is stopped and started."""

    def __init__(self, world: HumanWorld) -> None:
        self.world = world
        self._server: Server | None = None
        self._port = 0
        self.start()

    def start(self) -> None:
        """Serve."""
        app = create_app(self.world.db, key=self.world.key)
        self._server = Server(app, port=self._port, threads=48)
        self._port = self._server.port
        self.url = self._server.url

    def stop(self) -> None:
        """Stop serving."""
        if self._server:
            self._server.close()
        self._server = None

    def link(self, place: int = 0) -> str:
        """The invitation of a rater."""
        return f"{self.url}/rate/{self.world.tokens[place]}"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """An open human evaluation behind a real server; three turns are the least."""
    monkeypatch.setattr(hints, "send", lambda *_args, **_kwargs: True)
    world = humanworld.opened(tmp_path, minimum_turns=3)
    made = Site(world)
    yield made
    made.stop()
    world.db.close()


@pytest.fixture
def partner(site: Site) -> Iterator[Partner]:
    """A partner who answers at once."""
    with Partner(site.world) as made:
        yield made


@pytest.fixture
def page(browser: webdriver.Chrome, site: Site) -> Iterator[RaterPage]:
    """A rater at their desk, in a window of the usual size."""
    look(browser, width=1280)
    browser.get_log("browser")  # type: ignore[no-untyped-call]  # selenium's
    made = RaterPage(browser)
    made.open(site.link())
    yield made
    home, *others = browser.window_handles
    for handle in others:
        browser.switch_to.window(handle)
        browser.close()
    browser.switch_to.window(home)
    browser.get("about:blank")


def test_five_turns_two_answers_and_thanks(page: RaterPage, site: Site, partner: Partner) -> None:
    assert page.heading == "Chat with somebody new"
    page.start()
    mine = site.world.conversation(1).rater_persona
    assert all(sentence in page.text for sentence in mine)
    page.say("hello, who are you?")
    assert page.turns == ["You: hello, who are you?", "Partner: this is reply 1 ."]
    assert "1 of at least 3 turns" in page.text
    assert not page.browser.find_element(By.ID, "close").is_enabled()
    for number in range(2, 6):
        page.say(f"this is message {number}")
    assert "5 turns, at most 20" in page.text
    page.finish()
    page.enjoy(4)
    assert page.heading == "Which of these two people do you think you talked to?"
    page.choose(2)
    page.shows("Your answers are stored.")
    with site.world.db.read() as session:
        judged = session.get_one(Judgement, 1)
    row = site.world.conversation(1)
    assert (judged.enjoyment, judged.choice) == (4, row.choices[1])
    assert row.state is ChatState.RATED
    page.press("To the next conversation")
    page.shows("1 of 3 conversations done")
    assert page.browser.get_log("browser") == []  # type: ignore[no-untyped-call]  # selenium's


def test_with_a_finger_on_a_telephone(page: RaterPage, partner: Partner) -> None:
    look(page.browser, width=390)

    def fits() -> None:
        width = page.browser.execute_script("return document.documentElement.scrollWidth")
        assert width <= 390
        assert page.browser.execute_script(SMALL) == []

    page.open(page.browser.current_url)
    fits()
    page.start()
    fits()
    page.say("w" * 120)
    page.say("two\u0020lines")
    page.say("three")
    fits()
    sentence = page.browser.find_element(By.CSS_SELECTOR, ".self li")
    assert sentence.is_displayed()
    page.press("In this chat you are this person")
    page.until(lambda: not sentence.is_displayed())
    page.press("Leave early")
    fits()
    page.finish()
    fits()
    page.enjoy(2)
    fits()
    page.choose(1)
    fits()


def test_with_the_keyboard_only(page: RaterPage, site: Site, partner: Partner) -> None:
    def press(*keys: str) -> None:
        ActionChains(page.browser).send_keys(*keys).perform()

    def go_to(words: str) -> None:
        for _ in range(30):
            press(Keys.TAB)
            focus = page.browser.switch_to.active_element
            name = str(focus.get_attribute("textContent")) + str(focus.get_attribute("id"))
            name += str(focus.get_attribute("value"))
            if words in name:
                assert page.browser.execute_script(RING)
                return
        pytest.fail(f"Tab does not lead to {words}")

    go_to("Start a conversation")
    press(Keys.ENTER)
    page.until(lambda: page.may_write)
    page.until(lambda: page.browser.switch_to.active_element == page.box)
    for number in range(3):
        press(f"message {number}")
        lines = ActionChains(page.browser).key_down(Keys.SHIFT).send_keys(Keys.ENTER)
        lines.key_up(Keys.SHIFT).send_keys("and more", Keys.ENTER).perform()
        page.until(lambda n=number: len(page.turns) == 2 * n + 2 and page.may_write)
        assert page.browser.switch_to.active_element == page.box
    assert "You: message 2 and more" in page.turns
    go_to("Close the conversation")
    press(Keys.SPACE)
    page.until(lambda: page.heading.startswith("How much"))
    go_to("1")
    press(Keys.SPACE, Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    go_to("Store my answer")
    press(Keys.ENTER)
    page.until(lambda: page.heading.startswith("Which"))
    go_to(site.world.conversation(1).choices[0])
    press(Keys.SPACE)
    go_to("Store my answer")
    press(Keys.ENTER)
    page.shows("Your answers are stored.")
    with site.world.db.read() as session:
        assert session.get_one(Judgement, 1).enjoyment == 3


def test_whoever_comes_when_the_partner_is_there_can_write_at_once(
    page: RaterPage, partner: Partner
) -> None:
    page.start()
    page.until(lambda: page.may_write)
    page.browser.refresh()
    page.until(lambda: page.browser.switch_to.active_element == page.box)


def test_tab_and_shift_tab_leave_the_box(page: RaterPage, partner: Partner) -> None:
    page.start()
    page.box.click()
    ActionChains(page.browser).send_keys(Keys.TAB).perform()
    assert page.browser.switch_to.active_element.get_attribute("id") == "send"
    back = ActionChains(page.browser).key_down(Keys.SHIFT).send_keys(Keys.TAB, Keys.TAB)
    back.key_up(Keys.SHIFT).perform()
    assert page.browser.switch_to.active_element.get_attribute("id") not in ("send", "text")


def test_a_reload_in_mid_chat_keeps_everything(page: RaterPage, partner: Partner) -> None:
    page.start()
    page.say("before the reload")
    page.box.send_keys("half a thou")
    page.browser.refresh()
    assert page.turns == ["You: before the reload", "Partner: this is reply 1 ."]
    assert page.box.get_attribute("value") == "half a thou"
    partner.silent = True
    page.box.send_keys("ght" + Keys.ENTER)
    page.until(lambda: len(page.turns) == 3)
    page.browser.refresh()
    page.shows("Waiting for your partner's reply.")
    partner.silent = False
    page.until(lambda: page.turns[2:] == ["You: half a thought", "Partner: this is reply 2 ."])
    page.say("and on it goes")


def test_two_tabs_are_told_apart(page: RaterPage, site: Site, partner: Partner) -> None:
    browser = page.browser
    page.start()
    page.say("from the first tab")
    page.box.send_keys("not sent yet")
    first = browser.current_window_handle
    browser.switch_to.new_window("tab")
    page.open(site.link())
    page.press("Go on with your conversation")
    page.until(lambda: page.may_write)
    assert len(page.turns) == 2
    second = browser.current_window_handle
    browser.switch_to.window(first)
    page.shows("This conversation goes on in another tab or window.")
    assert not page.box.is_displayed()
    page.press("Go on here")
    page.until(lambda: page.may_write)
    assert page.box.get_attribute("value") == "not sent yet"
    page.box.clear()
    page.say("and again from the first")
    browser.switch_to.window(second)
    page.shows("This conversation goes on in another tab or window.")


def test_the_site_is_stopped_and_started_in_mid_chat(
    page: RaterPage, site: Site, partner: Partner
) -> None:
    page.start()
    page.say("before")
    site.stop()
    page.box.send_keys("written while it was away" + Keys.ENTER)
    page.shows("The site does not answer; what you wrote is kept here.")
    assert "written while it was away" in page.text
    page.box.send_keys("typed meanwhile")
    site.start()
    page.until(lambda: len(page.turns) == 4)
    assert page.turns[2:] == ["You: written while it was away", "Partner: this is reply 2 ."]
    page.until(lambda: "does not answer" not in page.text)
    assert page.box.get_attribute("value") == "typed meanwhile"
    page.browser.refresh()
    assert page.box.get_attribute("value") == "typed meanwhile"
    page.say(", sent after")
    assert page.turns[4] == "You: typed meanwhile, sent after"


def test_a_silent_partner_ends_the_chat_calmly(
    page: RaterPage, site: Site, partner: Partner
) -> None:
    page.start()
    page.say("hello")
    partner.silent = True
    page.box.send_keys("are you still there?" + Keys.ENTER)
    page.until(lambda: len(page.turns) == 3)
    page.box.send_keys("I wanted to add")
    site.world.pass_(seconds=300)
    page.until(lambda: page.heading == "The conversation has ended")
    assert "This is not your fault, and there is nothing to rate." in page.text
    assert "are you still there?" in page.text
    assert "Written, but not sent\nI wanted to add" in page.text
    partner.silent = False
    page.press("To the next conversation")
    page.start()
    page.say("hello, somebody else")


def test_the_end_of_the_evaluation_reaches_an_open_page(
    page: RaterPage, site: Site, partner: Partner
) -> None:
    page.start()
    opening.close_evaluation(site.world.db, site.world.competition_id, reason="enough")
    page.shows("The human evaluation has been closed")


def test_what_a_partner_writes_cannot_leave_its_bubble(
    browser: webdriver.Chrome, page: RaterPage, site: Site
) -> None:
    hostile = "<img src=x onerror=alert(1)> \u05e9\u05dc\u05d5\u05dd " + "w" * 600
    with Partner(site.world, lambda _n: hostile):
        page.start()
        page.say("hello")
        look(browser, width=390)
        assert page.turns[1].startswith("Partner: <img src=x onerror=alert(1)> ")
        assert browser.find_elements(By.CSS_SELECTOR, ".turn img") == []
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 390
        page.browser.refresh()
        assert page.turns[1].startswith("Partner: <img src=x onerror=alert(1)> ")


def test_without_javascript(page: RaterPage, partner: Partner) -> None:
    page.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page.press("Start a conversation")
        page.until(lambda: page.may_write)  # the page asks for itself again
        page.box.send_keys("hello without a script")
        page.press("Send")
        page.shows("this is reply 1 .")
        page.press("Leave early")
        page.press("Yes, leave")
        page.shows("You have left this conversation.")
    finally:
        page.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_contrast_enough(page: RaterPage, partner: Partner, scheme: str) -> None:
    look(page.browser, width=1280, scheme=scheme)

    def legible() -> None:
        for closed in page.browser.find_elements(By.CSS_SELECTOR, "details:not([open]) > summary"):
            closed.click()
        ratio, where = page.browser.execute_script(CONTRAST)
        assert ratio >= 4.5, where

    steps: list[Callable[[], None]] = [
        lambda: None,
        page.start,
        lambda: page.talk(3),
        page.finish,
        lambda: page.enjoy(1),
        lambda: page.choose(1),
        lambda: page.press("To the next conversation"),
        lambda: page.open(re.sub(r"/rate/.*", "/rate/forged", page.browser.current_url)),
    ]
    for step in steps:
        step()
        legible()
