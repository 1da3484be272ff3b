"""The human evaluation as JSONL, for whoever analyses or archives it: one record a line.

Every record has a `type`. What is missing is null, never 0. Times are ISO 8601 in UTC. Raters are
pseudonyms (`r1`, `r2`, in the order of invitation); no record holds a name or a link.

`protocol` (the first line)
    `schema`, `competition`, `title`, `locked_at`, `opened_at`, `closed_at`, `exported_at`,
    `harness` (version), `sha256` and `text`: the frozen protocol as canonical JSON, whose UTF-8
    bytes have that sha256.
`finalist` (then one for each, by place)
    `place`, `team`, `entry`, `submission`, `commit`, `track` (whose file chats), `image`,
    `environment`, `sandbox`, `passed_over`, `withheld` (reasons, or null).
`conversation` (one for each that was begun, by id)
    `id`, `finalist` (its place), `rater`, `rater_revoked`, `state`, `void_code`, `void_detail`,
    `void_blame` (model, platform, rater, organizer), `created_at`, `opened_at`, `ended_at`,
    `rater_persona`, `partner_persona`, `distractor`, `partner_first` (whether the partner's persona
    was the first of the two that were shown), `turns`: `number`, `speaker`, `text`, `at`,
    `reply_seconds` (of a partner's turn, since the one before).
`judgement` (after its conversation, if that reached the questions)
    `conversation`, `finalist`, `rater`, `enjoyment` (1 worst to 4 best), `enjoyment_at`, `choice`
    (1 or 2, the place on the page), `detected` (whether it was the partner's), `detected_at`,
    `valid` (whether it counts in the results).
"""

import json
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

import harness
from harness.errors import UsageError
from leaderboard import locks
from leaderboard.db.engine import Database, now
from leaderboard.db.models import Competition
from leaderboard.db.people import ChatTurn, Conversation, Judgement, Rater
from leaderboard.formats import iso
from leaderboard.human.results import is_valid
from leaderboard.human.stages import VOID_REASONS, ChatState, Speaker
from leaderboard.locks import FinalistLine, Locked

SCHEMA = 1
PAGE = 100
"""Conversations held in memory at a time."""

Record = dict[str, Any]  # Any: a JSON object

_ASKED = (ChatState.RATING, ChatState.RATED)


@dataclass(frozen=True, slots=True)
class _People:
    """What the records say of raters and finalists, by their row's id."""

    locked: Locked
    pseudonyms: Mapping[int, str]
    revoked: frozenset[int]
    finalists: Mapping[int, FinalistLine]


def records(db: Database, competition_id: str) -> Iterator[Record]:
    """The records of a competition, as of one moment; `UsageError` (`not_locked`)."""
    with db.read() as session:
        found = locks.of_session(session, competition_id)
        if found is None:
            raise locks.not_locked(competition_id)
        people = _people(session, found)
        yield _protocol(session, found)
        yield from (_finalist(line) for line in found.finalists)
        for page in _pages(session, competition_id):
            ids = [row.id for row in page]
            turns = _turns(session, ids)
            judged = select(Judgement).where(Judgement.conversation_id.in_(ids))
            judgements = {row.conversation_id: row for row in session.scalars(judged)}
            for row in page:
                yield _conversation(row, people, turns.get(row.id, []))
                judgement = judgements.get(row.id)
                if judgement is not None or row.state in _ASKED:
                    yield _judgement(row, people, judgement)
            session.expunge_all()


def write(db: Database, competition_id: str, target: Path) -> int:
    """Write the records to a file, whole or not at all; how many they were.

    The file is its owner's alone: it holds what raters wrote. Lines are ASCII, so nothing in them
    can split a line or move a terminal.
    """
    try:
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise _cannot_write(target, error) from error
    try:
        with os.fdopen(descriptor, "w", encoding="ascii", newline="\n") as file:
            written = dump(db, competition_id, file)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except OSError as error:
        raise _cannot_write(target, error) from error
    finally:
        Path(name).unlink(missing_ok=True)
    return written


def dump(db: Database, competition_id: str, file: IO[str]) -> int:
    """Write the records to an open file, one line each; how many they were."""
    written = 0
    for record in records(db, competition_id):
        file.write(json.dumps(record, allow_nan=False) + "\n")
        written += 1
    return written


def _people(session: Session, found: Locked) -> _People:
    raters = session.execute(
        select(Rater.id, Rater.revoked_at)
        .where(Rater.competition_id == found.competition_id)
        .order_by(Rater.id)
    ).all()
    return _People(
        locked=found,
        pseudonyms={row.id: f"r{number}" for number, row in enumerate(raters, start=1)},
        revoked=frozenset(row.id for row in raters if row.revoked_at is not None),
        finalists={line.id: line for line in found.finalists},
    )


def _pages(session: Session, competition_id: str) -> Iterator[Sequence[Conversation]]:
    last = 0
    while True:
        page = session.scalars(
            select(Conversation)
            .where(Conversation.competition_id == competition_id, Conversation.id > last)
            .order_by(Conversation.id)
            .limit(PAGE)
        ).all()
        if not page:
            return
        last = page[-1].id
        yield page


def _turns(session: Session, ids: Sequence[int]) -> dict[int, list[Record]]:
    """The turns of some conversations, by the conversation's id."""
    found: defaultdict[int, list[Record]] = defaultdict(list)
    before: dict[int, datetime] = {}
    rows = session.scalars(
        select(ChatTurn)
        .where(ChatTurn.conversation_id.in_(ids))
        .order_by(ChatTurn.conversation_id, ChatTurn.number)
    )
    for row in rows:
        asked = before.get(row.conversation_id)
        answers = row.speaker is Speaker.PARTNER and asked is not None
        found[row.conversation_id].append(
            {
                "number": row.number,
                "speaker": row.speaker.value,
                "text": row.text,
                "at": iso(row.at),
                "reply_seconds": (
                    round((row.at - asked).total_seconds(), 3) if answers and asked else None
                ),
            }
        )
        before[row.conversation_id] = row.at
    return found


def _protocol(session: Session, found: Locked) -> Record:
    return {
        "type": "protocol",
        "schema": SCHEMA,
        "competition": found.competition_id,
        "title": session.get_one(Competition, found.competition_id).title,
        "locked_at": iso(found.at),
        "opened_at": _time(found.opened_at),
        "closed_at": _time(found.closed_at),
        "exported_at": iso(now(session)),
        "harness": harness.__version__,
        "sha256": found.protocol_sha256,
        "text": found.protocol.dumps(),
    }


def _finalist(line: FinalistLine) -> Record:
    return {
        "type": "finalist",
        "place": line.place,
        "team": line.team,
        "entry": line.entry,
        "submission": line.submission_id,
        "commit": line.commit,
        "track": line.track,
        "image": line.image,
        "environment": line.environment,
        "sandbox": line.sandbox,
        "passed_over": line.passed_over,
        "withheld": line.withheld,
    }


def _conversation(row: Conversation, people: _People, turns: list[Record]) -> Record:
    reason = VOID_REASONS.get(row.void_code or "")
    return {
        "type": "conversation",
        "id": row.id,
        "finalist": people.finalists[row.finalist_id].place,
        "rater": people.pseudonyms[row.rater_id],
        "rater_revoked": row.rater_id in people.revoked,
        "state": row.state.value,
        "void_code": row.void_code,
        "void_detail": row.void_detail,
        "void_blame": reason.blame.value if reason else None,
        "created_at": iso(row.created_at),
        "opened_at": _time(row.opened_at),
        "ended_at": _time(row.ended_at),
        "rater_persona": row.rater_persona,
        "partner_persona": row.partner_persona,
        "distractor": row.distractor,
        "partner_first": row.partner_first,
        "turns": turns,
    }


def _judgement(row: Conversation, people: _People, found: Judgement | None) -> Record:
    enjoyment = found.enjoyment if found else None
    choice = found.choice if found else None
    finalist = people.finalists[row.finalist_id]
    return {
        "type": "judgement",
        "conversation": row.id,
        "finalist": finalist.place,
        "rater": people.pseudonyms[row.rater_id],
        "enjoyment": enjoyment,
        "enjoyment_at": _time(found.enjoyment_at if found else None),
        "choice": row.choices.index(choice) + 1 if choice in row.choices else None,
        "detected": found.detected if found else None,
        "detected_at": _time(found.detected_at if found else None),
        "valid": is_valid(
            row.state,
            enjoyment,
            revoked=row.rater_id in people.revoked,
            withheld=finalist.withheld is not None,
            protocol=people.locked.protocol,
        ),
    }


def _time(moment: datetime | None) -> str | None:
    return iso(moment) if moment is not None else None


def _cannot_write(target: Path, error: OSError) -> UsageError:
    return UsageError(f"{target} cannot be written: {error.strerror}", code="no_file")
