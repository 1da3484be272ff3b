"""The `competition.toml` of a demo."""

_TEMPLATE = """\
schema = 1

[competition]
id = "{id}"
title = "{title}"
rank = "convai2"
sandbox = ["{sandbox}"]

[[phase]]
name = "demo"
opens = 2020-01-01T00:00:00Z
closes = 2100-01-01T00:00:00Z
split = "test"

[tracks.hits]
candidates = 20

[tracks.f1]

[tracks.ppl]
zero = "infinite"

[limits]
cpus = 1.0

[preflight]
dialogues = {dialogues}
per_day = 10

[quota]
scored_per_month = 1

[human]
minimum_turns = 3
reply_seconds = 30
"""

PREFLIGHT_DIALOGUES = 5

CELLS_AT_A_TIME = 2
"""Of one core each: two agents that share two cores by two threads each take ten times as long,
because a thread that waits for its sisters spins."""


def toml(*, competition_id: str, title: str, sandbox: str) -> str:
    """A competition that is open now, scores the test split, and trusts `sandbox` alone."""
    return _TEMPLATE.format(
        id=competition_id, title=title, sandbox=sandbox, dialogues=PREFLIGHT_DIALOGUES
    )
