"""Which dialogues of a hidden set may meet in one container, so that none gives another away.

Two leaks make a set unsafe as a whole. *Twins*: both sides of one talk, so that the context of one
shows the replies of the other. *Borrowed distractors*: candidates that are other dialogues'
replies, so that an agent which remembers the replies it has been shown as history can rule them
out (15.9 % instead of 5 % hits@1 with 200 talks together, chance with at most 50). A clean set is
one shard.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from harness.agent import Track
from harness.data.twins import sides, twins
from harness.dialogue import Dialogue
from harness.text import normalise

SHARD_DIALOGUES = 50
"""The most dialogues together where distractors are borrowed (hits)."""


def plan(dialogues: Sequence[Dialogue], track: Track) -> list[list[Dialogue]]:
    """The shards in which a hidden set is asked, every dialogue in exactly one, order kept.

    Twins are in different shards on every track; on hits a set with borrowed distractors has at
    most `SHARD_DIALOGUES` dialogues a shard, of nearly equal sizes.
    """
    most = len(dialogues)
    if track == "hits" and has_borrowed_distractors(dialogues):
        most = SHARD_DIALOGUES
    apart = twins([sides(one) for one in dialogues])
    shards: list[list[int]] = [[] for _ in range(-(-len(dialogues) // max(1, most)))]
    even = -(-len(dialogues) // max(1, len(shards)))
    for place in range(len(dialogues)):
        free = (shard for shard in shards if len(shard) < even and apart[place].isdisjoint(shard))
        shard = next(free, None)
        if shard is None:
            shard = []
            shards.append(shard)
        shard.append(place)
    return [[dialogues[place] for place in shard] for shard in shards if shard]


def has_borrowed_distractors(dialogues: Iterable[Dialogue]) -> bool:
    """Whether any distractor is, after normalisation, the reply of another dialogue."""
    owners: dict[str, set[str]] = defaultdict(set)
    dialogues = list(dialogues)
    for dialogue in dialogues:
        for example in dialogue.examples:
            owners[normalise(example.replies[0])].add(dialogue.id)
    return any(
        owners.get(normalise(text), set()) - {dialogue.id}
        for dialogue in dialogues
        for example in dialogue.examples
        for text in example.candidates
        if text != example.replies[0]
    )
