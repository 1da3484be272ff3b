"""A rater without JavaScript: forms are filled in and posted, redirects followed."""

import html
import re
from dataclasses import dataclass

from flask.testing import FlaskClient
from humanworld import HumanWorld, partner
from werkzeug.test import TestResponse

JSON = {"Accept": "application/json"}


@dataclass
class Person:
    """One rater of a world at a client of its site; `place` is theirs in the world's lists."""

    client: FlaskClient
    world: HumanWorld
    place: int = 0
    url: str = ""

    @property
    def link(self) -> str:
        """The invitation's address."""
        return f"/rate/{self.world.tokens[self.place]}"

    @property
    def id(self) -> int:
        """The conversation that the person is in."""
        return int(re.findall(r"/chats/(\d+)", self.url)[0])

    @property
    def tab(self) -> str:
        """The tab that the person is in."""
        return re.findall(r"tab=([0-9a-f]+)", self.url)[0]

    def desk(self) -> TestResponse:
        """Open the invitation."""
        return self.client.get(self.link)

    def start(self) -> TestResponse:
        """Press the desk's button and see the conversation; a refusal is returned as it is."""
        answer = self.client.post(f"{self.link}/start")
        return self._follow(answer)

    def look(self) -> TestResponse:
        """Load the conversation's page."""
        return self.client.get(self.url)

    def post(self, step: str, *, tab: str | None = None, **fields: str) -> TestResponse:
        """Post a form of the conversation as a page does, and do not follow."""
        data = {"tab": self.tab if tab is None else tab, **fields}
        return self.client.post(f"{self.link}/chats/{self.id}/{step}", data=data)

    def say(self, text: str) -> TestResponse:
        """Fill in the page's form, post it, and see what follows."""
        return self._follow(self.post("turns", client_id=hidden(self.look()), text=text))

    def press(self, step: str, **fields: str) -> TestResponse:
        """Post a form and see what follows."""
        return self._follow(self.post(step, **fields))

    def talk(self, turns: int) -> None:
        """Some turns, each with its reply."""
        partner(self.world, self.id, None)
        for number in range(turns):
            assert self.say(f"message {number}").status_code == 200
            partner(self.world, self.id, f"reply {number} .")

    def _follow(self, answer: TestResponse) -> TestResponse:
        if answer.status_code != 303:
            return answer
        self.url = answer.headers["Location"].partition("#")[0]
        return self.look()


def hidden(page: TestResponse) -> str:
    """The message's number that the page's form holds."""
    return re.findall(r'name="client_id" value="([0-9a-f]+)"', page.text)[0]


def words(page: TestResponse) -> str:
    """The page's text without its tags, in one line."""
    body = page.text.partition("<main")[2]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())
