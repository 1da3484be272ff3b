"""A rater at a browser, and a partner that answers as a worker would."""

import threading
from collections.abc import Callable
from typing import TypeVar

from humanworld import HumanWorld
from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    NoSuchElementException,
    StaleElementReferenceException,
    WebDriverException,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from leaderboard import conversations
from leaderboard.conversations import Chat, Lost

T = TypeVar("T")

PATIENCE = 20
"""Seconds that a page is given to show what is waited for."""


class Partner:
    """Leases what waits and answers what is asked, in a thread of its own; `silent` falls silent.

    The n-th reply is `reply(n)`.
    """

    def __init__(
        self, world: HumanWorld, reply: Callable[[int], str] = "this is reply {} .".format
    ) -> None:
        self.silent = False
        self.calls = True
        self._db = world.db
        self._reply = reply
        self._chats: dict[int, Chat] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> "Partner":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _work(self) -> None:
        while not self._stop.wait(0.03):
            held = {chat.id: chat.fence for chat in self._chats.values()}
            found = conversations.look(self._db, held)
            conversations.beat(self._db, held)
            for number in found.ended:
                self._chats.pop(number, None)
            for number in found.waiting if self.calls else ():
                self._open(number)
            for question in found.questions if not self.silent else ():
                self._answer(question.conversation_id, question.number)

    def _open(self, number: int) -> None:
        chat = conversations.lease(self._db, number, worker="browser-partner")
        if chat is not None:
            conversations.opened(self._db, chat)
            self._chats[number] = chat

    def _answer(self, conversation_id: int, number: int) -> None:
        try:
            conversations.answer(
                self._db,
                self._chats[conversation_id],
                number=number,
                text=self._reply((number + 1) // 2),
            )
        except Lost:
            self._chats.pop(conversation_id, None)


class RaterPage:
    """What a rater does and sees, by the words on the page."""

    def __init__(self, browser: webdriver.Chrome) -> None:
        self.browser = browser

    def open(self, link: str) -> None:
        """Open the invitation."""
        self.browser.get(link)

    def press(self, words: str) -> None:
        """Press the button, the link or the summary with these words, once it is in reach."""
        self._press(lambda: self.named(words))

    def _press(self, found: Callable[[], WebElement]) -> None:
        def pressed() -> bool:
            try:
                found().click()
            except (ElementClickInterceptedException, StaleElementReferenceException):
                return False  # the page has just changed under the finger
            return True

        self.until(pressed)

    def named(self, words: str) -> WebElement:
        """The button, the link or the summary with these words, as soon as it is there."""
        kinds = "self::button or self::a or self::summary"
        path = f"//*[{kinds}][contains(normalize-space(.), '{words}')]"
        return self.until(lambda: self.browser.find_element(By.XPATH, path))

    def start(self) -> None:
        """From the desk into the conversation, until it is the rater's turn."""
        button = "main.desk form[action$='/start'] button"
        self._press(lambda: self.browser.find_element(By.CSS_SELECTOR, button))
        self.until(lambda: self.may_write)

    def say(self, text: str, *, key: str = Keys.ENTER) -> None:
        """Write a message and wait for its reply."""
        count = len(self.turns)
        self.until(lambda: self.may_write)
        self.box.send_keys(text + key)
        self.until(lambda: len(self.turns) == count + 2 and self.box.get_attribute("value") == "")

    def talk(self, turns: int) -> None:
        """Some turns, whatever is said."""
        for number in range(turns):
            self.say(f"this is message {number + 1}")

    def finish(self) -> None:
        """Close the conversation; the first question follows."""
        self.until(lambda: self.browser.find_element(By.ID, "close").is_enabled())
        self.press("Close the conversation")
        self.until(lambda: self.heading.startswith("How much"))

    def enjoy(self, value: int) -> None:
        """Answer the first question."""
        self._choose(f"input[name=value][value='{value}']")

    def choose(self, place: int) -> None:
        """Answer the second question with the person at this place."""
        self._choose(f".pair label:nth-of-type({place}) input")

    def _choose(self, selector: str) -> None:
        self._press(lambda: self.browser.find_element(By.CSS_SELECTOR, selector))
        before = self.browser.find_element(By.TAG_NAME, "main")
        self.press("Store my answer")
        self.until(lambda: _gone(before))

    @property
    def box(self) -> WebElement:
        """Where the rater writes."""
        return self.browser.find_element(By.ID, "text")

    @property
    def may_write(self) -> bool:
        """Whether a message can be sent now."""
        return self.browser.find_element(By.ID, "send").is_enabled()

    @property
    def turns(self) -> list[str]:
        """What was said, each turn as shown: `You: …`."""
        return [
            str(item.get_attribute("textContent"))
            for item in self.browser.find_elements(By.CSS_SELECTOR, ".log .turn")
        ]

    @property
    def heading(self) -> str:
        """The page's heading."""
        return str(self.browser.find_element(By.TAG_NAME, "h1").get_attribute("textContent"))

    @property
    def text(self) -> str:
        """All that the page shows."""
        return self.browser.find_element(By.TAG_NAME, "body").text

    def shows(self, words: str) -> None:
        """Wait until the page shows these words."""
        self.until(lambda: words in self.text)

    def until(self, seen: Callable[[], T]) -> T:
        """Wait for what `seen` looks for; the page may be changing meanwhile."""
        missing = (NoSuchElementException, StaleElementReferenceException)
        wait = WebDriverWait(self.browser, PATIENCE, 0.05, ignored_exceptions=missing)
        return wait.until(lambda _: _unless_stale(seen))


def _gone(element: WebElement) -> bool:
    try:
        _unless_stale(element.is_enabled)
    except StaleElementReferenceException:
        return True
    return False


def _unless_stale(seen: Callable[[], T]) -> T:
    """What is seen; the driver has two ways of saying that the page has changed meanwhile."""
    try:
        return seen()
    except WebDriverException as error:
        if "does not belong to the document" in str(error.msg):
            raise StaleElementReferenceException(error.msg) from error
        raise
