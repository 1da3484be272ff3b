"""Which replies of a training set may be said in another talk: those without a blank to fill.

Sets that a language model wrote hold replies as it gave them: "hi , [user 2's name] !".
"""

import re
from collections.abc import Iterable

from harness.dialogue import Dialogue
from harness.text import normalise

BLANK = re.compile(
    r"""[\[\]{}>]|<(?!3)       # [name], {city}, <link>
    | \b(?:user|person)\s*\#?\d   # user 1, user2_location
    | \busername\b
    | \w_\w                   # your_name
    | \(\s*(?:your|my|his|her|their|user)?\s*(?:\w+\s)?(?:name|link|city|place)\s*\)  # ( name )
    """,
    re.IGNORECASE | re.VERBOSE,
)

MOST = 20_000
"""Replies that are kept to answer from."""


def sayable(dialogues: Iterable[Dialogue]) -> list[str]:
    """The replies of a set to answer from, equal ones once, at most `MOST`."""
    replies = (example.replies[0] for talk in dialogues for example in talk.examples)
    distinct = {normalise(reply): reply for reply in replies if may_be_said(reply)}
    return list(distinct.values())[:MOST]


def may_be_said(reply: str) -> bool:
    """Whether a reply has words and none of them stands for a name that was never filled in."""
    return bool(normalise(reply)) and BLANK.search(reply) is None
