"""Shorthands for a competition after its lock: finalists, raters, conversations at every stage."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from house import House
from humanworld import somebody

from harness.dialogue import Dialogue, Example
from leaderboard import datasets, lock
from leaderboard.db.engine import now
from leaderboard.db.models import Attempt
from leaderboard.db.people import ChatTurn, Conversation, Judgement
from leaderboard.human import invitations, opening
from leaderboard.human.invitations import Invited
from leaderboard.human.stages import ChatState, Speaker
from leaderboard.locks import FinalistLine, Locked, locked

KEY = b"k" * 32
AFTER = datetime(2030, 1, 1, tzinfo=UTC)
"""The instant at which the phase of the house's competition closes."""


@dataclass
class Finals:
    """A house whose competition was locked."""

    house: House
    raters: dict[str, int] = field(default_factory=dict)

    @property
    def locked(self) -> Locked:
        found = locked(self.house.db, "spc")
        assert found is not None
        return found

    def finalist(self, entry_team: str) -> FinalistLine:
        return next(line for line in self.locked.finalists if line.team == entry_team)

    def open(self) -> Locked:
        return opening.open_evaluation(self.house.db, "spc")

    def invite(self, *names: str, days: float = 14, share: int | None = None) -> list[Invited]:
        made = invitations.invite(
            self.house.db, "spc", names=names, share=share, days=days, key=KEY
        )
        self.raters |= {one.rater.name: one.rater.id for one in made}
        return made

    def chat(self, rater: str, team: str, state: ChatState, **judged: Any) -> int:
        """A conversation in `state`, its turns four and four unless it is void; its id.

        `judged` may hold `enjoyment`, `detected`, `void_code`, `void_detail`.
        """
        void_code, void_detail = judged.pop("void_code", None), judged.pop("void_detail", None)
        with self.house.db.write() as session:
            at = now(session)
            row = Conversation(
                competition_id="spc",
                finalist_id=self.finalist(team).id,
                rater_id=self.raters[rater],
                created_at=at,
                state=state,
                state_since=at,
                active_at=at,
                opened_at=None if state is ChatState.WAITING else at,
                ended_at=at if state in (ChatState.RATED, ChatState.VOID) else None,
                void_code=void_code,
                void_detail=void_detail,
                rater_persona=["i like tea ."],
                partner_persona=["i keep owls ."],
                distractor=["i row ."],
                partner_first=False,
                choices=["aa", "bb"],
            )
            session.add(row)
            session.flush()
            if state in (ChatState.RATING, ChatState.RATED):
                session.add_all(
                    ChatTurn(
                        conversation_id=row.id,
                        number=number,
                        speaker=Speaker.PARTNER if number % 2 else Speaker.RATER,
                        text=f"line {number} …\u2028\x1b[2J",
                        at=at + timedelta(seconds=1.25 * number),
                        client_id=None if number % 2 else f"c{number}",
                    )
                    for number in range(8)
                )
            if judged:
                detected = judged.get("detected")
                session.add(
                    Judgement(
                        conversation_id=row.id,
                        enjoyment=judged.get("enjoyment"),
                        enjoyment_at=at if judged.get("enjoyment") else None,
                        choice=None if detected is None else row.choices[int(detected)],
                        detected=detected,
                        detected_at=None if detected is None else at,
                    )
                )
            return row.id


def scores(house: House) -> None:
    """Four teams and a baseline on the board, made on a hidden set; `mute` cannot chat."""
    hidden = Dialogue(
        id="h",
        persona=("i hide .",),
        examples=(Example(("hello",), ("hi",), ("bye", "hi")),),
    )
    datasets.store(house.db, "spc", "test", [hidden], hidden=True)
    datasets.store(house.db, "spc", "valid", [hidden])
    datasets.store(house.db, "spc", "personas", somebody())
    house.score("ranker", hits=0.5, f1=0.20)
    house.score("seq2seq", f1=0.15, ppl=40.0)
    mute = house.score("mute", ppl=30.0)
    house.score("last", hits=0.1)
    house.score("constant-words", baseline=True, f1=0.99)
    with house.db.write() as session:
        session.get_one(Attempt, mute).can_chat = False


def finals(house: House, *, protocol: str | None = None) -> Finals:
    """The house at the end of its phase, locked and open: ranker, mute, seq2seq, last."""
    scores(house)
    house.clock.now = AFTER
    lock.lock(house.db, "spc", reason="the phase is over", protocol_text=protocol)
    made = Finals(house)
    made.open()
    return made
