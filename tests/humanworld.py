"""A locked competition whose human evaluation is open, with finalists, raters, and a partner."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import siteworld
from siteworld import Clock, World

from harness.dialogue import Dialogue, Example
from leaderboard import competition, conversations, datasets
from leaderboard.conversations import Chat
from leaderboard.db.engine import Database, open_database
from leaderboard.db.people import Conversation
from leaderboard.human import claims, invitations, opening, talk
from leaderboard.human.invitations import RaterView
from leaderboard.human.stages import ChatState
from leaderboard.human.talk import TalkView
from leaderboard.lock import lock

KEY = b"a key of the tests, 32 bytes long"

TAB = "7ab0" * 4
OTHER_TAB = "07be" * 4

PROTOCOL = """
schema = 1
minimum_turns = {minimum_turns}
ratings = {ratings}
share = {share}
"""

ANIMALS = ("cat", "dog", "owl", "bee", "fox", "hen", "elk", "ant", "yak", "emu", "pig", "cow")
PERSONAS = tuple(
    (f"i live with a {animal} .", f"my {animal} likes to sing .", f"{animal}s make me happy .")
    for animal in ANIMALS
)
"""Twelve people, each with an animal of their own; no sentence stands twice."""


@dataclass
class HumanWorld:
    """An open human evaluation. `tokens[i]` is what the link of `raters[i]` ends with.

    `chats` are the conversations that the partner of the tests holds, as a worker would.
    """

    world: World
    competition_id: str
    raters: list[RaterView]
    tokens: list[str]
    key: bytes
    chats: dict[int, Chat] = field(default_factory=dict)

    @property
    def db(self) -> Database:
        """The database of the site and the workers."""
        return self.world.db

    @property
    def clock(self) -> Clock:
        """The database's clock."""
        return self.world.clock

    def pass_(self, **span: float) -> datetime:
        """Let time pass, as `timedelta` takes it; the moment that it is then."""
        self.clock.pass_(**span)
        return self.clock.moment

    def conversation(self, conversation_id: int) -> Conversation:
        """The row, read afresh."""
        with self.db.read() as session:
            return session.get_one(Conversation, conversation_id)

    def claim(self, place: int = 0, *, tab: str = TAB) -> int:
        """A conversation of the rater at this place in `raters`."""
        return claims.claim(self.db, self.raters[place].id, tab=tab)

    def view(self, conversation_id: int, *, tab: str | None = TAB) -> TalkView:
        """What the conversation's own rater sees."""
        return talk.view(self.db, self.rater_of(conversation_id), conversation_id, tab=tab)

    def say(self, conversation_id: int, text: str, *, tab: str = TAB) -> TalkView:
        """The rater writes one turn."""
        return talk.say(
            self.db,
            self.rater_of(conversation_id),
            conversation_id,
            tab=tab,
            client_id=talk.new_tab(),
            text=text,
        )

    def rater_of(self, conversation_id: int) -> int:
        """Whose conversation it is."""
        return self.conversation(conversation_id).rater_id

    def talked(self, conversation_id: int, *, turns: int, tab: str = TAB) -> TalkView:
        """Lead a claimed conversation through this many answered turns."""
        partner(self, conversation_id, None)
        for number in range(turns):
            self.say(conversation_id, f"what do you think of number {number} ?", tab=tab)
            self.pass_(seconds=2)
            partner(self, conversation_id, f"number {number} is my favourite .")
            self.pass_(seconds=5)
        return self.view(conversation_id, tab=tab)

    def closed(self, conversation_id: int, *, tab: str = TAB) -> TalkView:
        """Lead a claimed conversation to its two questions."""
        least = self.view(conversation_id).protocol.minimum_turns
        self.talked(conversation_id, turns=least, tab=tab)
        return talk.close(self.db, self.rater_of(conversation_id), conversation_id, tab=tab)

    def rated(self, conversation_id: int, *, enjoyment: int = 3, right: bool = True) -> TalkView:
        """Lead a claimed conversation to its end, with both answers."""
        self.closed(conversation_id)
        rater_id = self.rater_of(conversation_id)
        shown = talk.judge_enjoyment(self.db, rater_id, conversation_id, value=enjoyment)
        partners = tuple(self.conversation(conversation_id).partner_persona)
        choice = next(c.id for c in shown.choices if (c.persona == partners) is right)
        return talk.judge_persona(self.db, rater_id, conversation_id, choice=choice)


def partner(
    world: HumanWorld, conversation_id: int, text: str | None, *, worker: str = "w1"
) -> Chat:
    """Do a worker's part: lease and open what waits, then answer with `text` if a reply is due."""
    db = world.db
    if world.conversation(conversation_id).state is ChatState.WAITING:
        leased = conversations.lease(db, conversation_id, worker=worker)
        assert leased is not None, f"conversation {conversation_id} cannot be leased"
        world.chats[conversation_id] = leased
        conversations.opened(db, leased)
    chat = world.chats[conversation_id]
    conversations.beat(db, {chat.id: chat.fence})
    for question in conversations.look(db, {chat.id: chat.fence}).questions:
        if text is not None:
            conversations.answer(db, chat, number=question.number, text=text)
    return chat


def _of_file(file: Path, clock: Clock) -> Database:
    return open_database(f"sqlite:///{file}", clock=clock)


DATABASE: Callable[[Path, Clock], Database] = _of_file
"""The database of a world, from the SQLite file that holds it; tests on PostgreSQL change it."""


def opened(
    folder: Path,
    *,
    finalists: int = 3,
    raters: int = 2,
    ratings: int = 10,
    share: int = 10,
    minimum_turns: int = 2,
    people: Sequence[Dialogue] = (),
) -> HumanWorld:
    """A competition that is locked and open to raters, made through the house's own functions.

    The personas are `PERSONAS`, or those of `people`. It is made once and copied for every caller.
    """
    template, made = _template(finalists, raters, ratings, share, minimum_turns, tuple(people))
    copy = Path(shutil.copy(Path(template.name, "rostrum.db"), folder / "rostrum.db"))
    clock = Clock(made.clock.moment)
    world = replace(
        made.world,
        db=DATABASE(copy, clock),
        clock=clock,
        tokens=dict(made.world.tokens),
        ids=dict(made.world.ids),
        submissions=dict(made.world.submissions),
    )
    return replace(made, world=world, raters=list(made.raters), tokens=list(made.tokens), chats={})


@cache
def _template(
    finalists: int,
    raters: int,
    ratings: int,
    share: int,
    minimum_turns: int,
    people: tuple[Dialogue, ...],
) -> tuple[TemporaryDirectory[str], HumanWorld]:
    folder = TemporaryDirectory(prefix="rostrum-humanworld-")
    try:
        return folder, _made(
            Path(folder.name), finalists, raters, ratings, share, minimum_turns, people
        )
    except BaseException:
        folder.cleanup()
        raise


def _made(
    folder: Path,
    finalists: int,
    raters: int,
    ratings: int,
    share: int,
    minimum_turns: int,
    people: tuple[Dialogue, ...],
) -> HumanWorld:
    world = siteworld.empty(folder)
    rules = f"\n[human]\nper_track = {finalists}\nat_most = {finalists}\n"
    title = "Synthetic Persona Chat, November"
    competition.load(world.db, siteworld.TOML.format(id=world.competition_id, title=title) + rules)
    datasets.store(world.db, world.competition_id, "personas", people or somebody())
    for place in range(finalists):
        value = 0.5 - place / 100
        world.scored(f"finalist-{place + 1}", {"f1": (value, value - 0.01, value + 0.01)})
    lock(
        world.db,
        world.competition_id,
        reason="the season is over",
        protocol_text=PROTOCOL.format(minimum_turns=minimum_turns, ratings=ratings, share=share),
        early=True,
    )
    opening.open_evaluation(world.db, world.competition_id)
    invited = invitations.invite(
        world.db,
        world.competition_id,
        names=[f"rater-{number + 1}" for number in range(raters)],
        share=share,
        days=30,
        key=KEY,
    )
    world.db.close()
    return HumanWorld(
        world=world,
        competition_id=world.competition_id,
        raters=[one.rater for one in invited],
        tokens=[one.token for one in invited],
        key=KEY,
    )


def somebody() -> list[Dialogue]:
    """A data set whose personas are `PERSONAS`."""
    return [
        Dialogue(
            id=str(number),
            persona=persona,
            examples=(Example(partner=("hello !",), replies=(f"hi , i am number {number} .",)),),
        )
        for number, persona in enumerate(PERSONAS, start=1)
    ]
