"""Shorthands of the conversations' tests: a word, a refusal, many asks at the same moment."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from humanworld import TAB, HumanWorld

from harness.errors import UsageError
from leaderboard.db.people import Judgement
from leaderboard.human import talk
from leaderboard.human.talk import TalkView


def judgement(world: HumanWorld, conversation_id: int) -> Judgement | None:
    with world.db.read() as session:
        return session.get(Judgement, conversation_id)


def refused(ask: Callable[[], object]) -> UsageError:
    with pytest.raises(UsageError) as caught:
        ask()
    assert caught.value.message.endswith("."), "a sentence"
    assert caught.value.hint
    return caught.value


def say(world: HumanWorld, conversation_id: int, text: str, **change: str) -> TalkView:
    asked = {"tab": TAB, "client_id": talk.new_tab(), "text": text} | change
    return talk.say(world.db, world.rater_of(conversation_id), conversation_id, **asked)


def at_once(*asks: Callable[[], object]) -> Counter[str]:
    """Ask all at the same moment; how often each outcome came."""
    gate = Barrier(len(asks))

    def ask(one: Callable[[], object]) -> str:
        gate.wait()
        try:
            one()
        except UsageError as error:
            return error.code
        return "done"

    with ThreadPoolExecutor(len(asks)) as pool:
        return Counter(pool.map(ask, asks))
