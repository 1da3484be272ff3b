"""Raters in a browser, and real baselines in their containers: talked to, rated, exported.

Everything is real: training, the repository, the scored run, the lock, the site, the worker, the
container that answers. Only the training is too short for the answers to make sense.
"""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from chromium import look
from rater import RaterPage
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from stage import Stage

from harness.data import sample
from leaderboard.states import State

pytestmark = [pytest.mark.browser, pytest.mark.docker, pytest.mark.timeout(600)]

BASELINES = ("ranker", "seq2seq")
RATERS = 4
PROTOCOL = """\
schema = 1
minimum_turns = 3
ratings = 10
"""


@dataclass
class Evaluation:
    """An installation whose human evaluation is open; `links` of raters, each used once."""

    stage: Stage
    links: list[str]
    images: dict[str, str]

    def link(self) -> str:
        """The invitation of somebody who has not come yet."""
        return self.links.pop(0)

    def exported(self, kind: str) -> list[dict[str, Any]]:
        """The records of one type in the organizer's export."""
        lines = self.stage.rostrum("admin", "human", "export", "-").splitlines()
        return [record for record in map(json.loads, lines) if record["type"] == kind]

    def containers(self) -> list[str]:
        """The names of the containers of this installation's chats."""
        pattern = f"name=rostrum-chat-.*-{self.stage.house}"
        return _docker("ps", "--all", "--format", "{{.Names}}", "--filter", pattern).split()

    def gone(self) -> None:
        """Wait until no container of a chat is left."""
        deadline = time.monotonic() + 20
        while left := self.containers():
            assert time.monotonic() < deadline, left
            time.sleep(0.1)


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evaluation]:
    """Two trained baselines, scored in containers, locked, and open for raters."""
    base = tmp_path_factory.mktemp("people") / "stage"
    stage = Stage.build(base, "docker")
    try:
        _widen(stage)
        attempts = {name: stage.submit(_trained(stage, name)) for name in BASELINES}
        site = stage.start("serve", "--port", "0")
        stage.start("beat")
        stage.start("worker", "--spares", "0")  # so that a chat's container has its name
        for name, attempt in attempts.items():
            ended = stage.wait(attempt, State.SCORED, State.FAILED, seconds=240)
            assert ended is State.SCORED, (name, stage.shown(attempt), stage.logs())
        rules = base / "protocol.toml"
        rules.write_text(PROTOCOL, "utf-8")
        stage.rostrum("admin", "lock", "--early", "--reason", "t", "--protocol", str(rules))
        opened = stage.rostrum_json(
            "admin", "human", "open", "--raters", str(RATERS), "--site", _address(stage)
        )
        assert site.poll() is None
        images = {name: _image(stage, attempt) for name, attempt in attempts.items()}
        yield Evaluation(stage, [rater["link"] for rater in opened["invitations"]], images)
    finally:
        stage.close()


def test_five_turns_with_a_baseline_in_its_container(
    browser: webdriver.Chrome, evaluation: Evaluation
) -> None:
    look(browser, width=1280)
    page = RaterPage(browser)
    page.open(evaluation.link())
    page.start()
    (container,) = evaluation.containers()
    inside = json.loads(_docker("inspect", container))[0]
    assert inside["Image"] in evaluation.images.values()
    assert inside["HostConfig"]["NetworkMode"] == "none"
    page.talk(5)
    assert len(page.turns) == 10
    page.finish()
    evaluation.gone()
    page.enjoy(3)
    page.choose(1)
    page.shows("Thank you")

    (talk,) = evaluation.exported("conversation")
    texts = [turn["text"] for turn in talk["turns"]]
    assert texts[::2] == [f"this is message {number}" for number in range(1, 6)]
    assert all(texts[1::2])
    assert [turn["speaker"] for turn in talk["turns"]] == ["rater", "partner"] * 5
    assert talk["state"] == "rated"
    (finalist,) = [f for f in evaluation.exported("finalist") if f["place"] == talk["finalist"]]
    assert finalist["image"] == inside["Image"]
    (judgement,) = evaluation.exported("judgement")
    assert judgement["enjoyment"] == 3
    assert judgement["choice"] == 1
    assert judgement["detected"] is talk["partner_first"]
    assert judgement["valid"] is True


def test_the_same_on_a_telephone(browser: webdriver.Chrome, evaluation: Evaluation) -> None:
    look(browser, width=390)
    page = RaterPage(browser)
    fits = _fits(browser)
    page.open(evaluation.link())
    fits()
    page.start()
    fits()
    for number in range(5):
        page.say(f"a message from a telephone, number {number}")
        fits()
    page.finish()
    fits()
    page.enjoy(1)
    fits()
    page.choose(2)
    page.shows("Thank you")
    fits()
    judgement = evaluation.exported("judgement")[-1]
    assert (judgement["enjoyment"], judgement["choice"]) == (1, 2)


def test_with_the_keyboard_alone(browser: webdriver.Chrome, evaluation: Evaluation) -> None:
    look(browser, width=1280)
    page = RaterPage(browser)
    page.open(evaluation.link())
    _press(page, lambda e: e.tag_name == "button" and "onversation" in e.text, Keys.ENTER)
    page.until(lambda: page.may_write)
    for number in range(3):
        count = len(page.turns)
        page.until(lambda: page.may_write)
        _focus(page, lambda e: e.get_attribute("id") == "text").send_keys(
            f"typed {number}" + Keys.ENTER
        )
        page.until(lambda wanted=count + 2: len(page.turns) == wanted)
    _press(page, lambda e: e.get_attribute("id") == "close", Keys.ENTER)
    page.until(lambda: page.heading.startswith("How much"))
    _radio(page, steps=3)
    page.until(lambda: browser.find_elements(By.CSS_SELECTOR, ".pair"))
    _radio(page, steps=1)
    page.shows("Thank you")
    judgement = evaluation.exported("judgement")[-1]
    assert (judgement["enjoyment"], judgement["choice"]) == (4, 2)


def test_a_container_killed_in_mid_chat(browser: webdriver.Chrome, evaluation: Evaluation) -> None:
    look(browser, width=1280)
    page = RaterPage(browser)
    before = len(evaluation.exported("judgement"))
    page.open(evaluation.link())
    page.start()
    page.say("hello there")
    page.box.send_keys("half a thought")
    (container,) = evaluation.containers()
    _docker("kill", container)
    page.shows("The connection to your partner was lost. This is not your fault")
    assert "hello there" in page.text
    assert "half a thought" in page.text or "half a thought" in _values(browser)
    assert "Traceback" not in page.text
    evaluation.gone()
    talk = evaluation.exported("conversation")[-1]
    assert (talk["state"], talk["void_code"]) == ("void", "platform_error")
    assert talk["turns"][0]["text"] == "hello there"
    assert len(evaluation.exported("judgement")) == before
    page.open(browser.current_url.partition("/chats/")[0])
    page.start()
    page.talk(3)
    page.finish()
    page.enjoy(2)
    page.choose(1)
    page.shows("Thank you")
    assert len(evaluation.exported("judgement")) == before + 1


def _widen(stage: Stage) -> None:
    """Limits in which a baseline with torch loads on a busy machine."""
    toml = stage.base / "competition.toml"
    text = toml.read_text("utf-8")
    for name, value in (("load", "120.0"), ("batch", "60.0"), ("repo_bytes", "100000000")):
        text, count = re.subn(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.M)
        assert count == 1
    toml.write_text(text, "utf-8")
    stage.rostrum("admin", "competition", "load", str(toml))


def _trained(stage: Stage, name: str) -> int:
    """A team with a baseline that has learnt a little, made by the participant's commands."""
    data, made = stage.base / "training", sample.make(7)
    if not data.is_dir():
        parts = {split: getattr(made, split)[:40] for split in ("train", "valid", "test")}
        sample.Sample(**parts).write(data)
    checkpoint, folder = stage.base / f"{name}-checkpoint", stage.base / name
    stage.rostrum("train", name, "--data", str(data), "--out", str(checkpoint), "--updates", "20")
    stage.rostrum("new", str(folder), "--like", name, "--checkpoint", str(checkpoint))
    return stage.team_from(name, folder)


def _address(stage: Stage) -> str:
    """Where the site says that it serves."""
    deadline = time.monotonic() + 30
    while not (found := re.search(r" at (http://\S+?)/?\n", stage.logs())):
        assert time.monotonic() < deadline, stage.logs()
        time.sleep(0.1)
    return found[1]


def _image(stage: Stage, attempt: int) -> str:
    from sqlalchemy import text

    with stage.db.read() as session:
        chosen = text("SELECT image FROM attempts WHERE id = :id")
        return str(session.scalar(chosen, {"id": attempt}))


def _fits(browser: webdriver.Chrome) -> Callable[[], None]:
    def check() -> None:
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 390

    return check


def _focus(page: RaterPage, wanted: Callable[[WebElement], bool]) -> WebElement:
    """Walk with the tabulator until the wanted element has the focus."""
    for _ in range(60):
        active = page.browser.switch_to.active_element
        if wanted(active):
            return active
        active.send_keys(Keys.TAB)
    raise AssertionError("the keyboard does not reach it")


def _press(page: RaterPage, wanted: Callable[[WebElement], bool], key: str) -> None:
    page.until(lambda: _focus(page, lambda e: wanted(e) and e.is_enabled())).send_keys(key)


def _radio(page: RaterPage, *, steps: int) -> None:
    """Choose in the group of radio buttons by arrows, and send."""
    before = page.text
    _focus(page, lambda e: e.get_attribute("type") == "radio").send_keys(Keys.SPACE)
    for _ in range(steps):
        page.browser.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    _press(page, lambda e: e.tag_name == "button" and "Store" in e.text, Keys.ENTER)
    page.until(lambda: page.text != before)


def _values(browser: webdriver.Chrome) -> str:
    """What stands in the fields of the page."""
    script = "return [...document.querySelectorAll('textarea')].map(e => e.value).join(' ')"
    return str(browser.execute_script(script))


def _docker(*arguments: str) -> str:
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout
