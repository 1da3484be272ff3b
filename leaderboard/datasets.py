"""Data sets as rows of the database, by role: a worker needs the database and nothing else.

A hidden set is named outside by a salted hash, so that nobody can confirm a guess of it.
"""

import hashlib
import secrets
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session, defer

from harness.data import jsonl
from harness.dialogue import Dialogue
from harness.errors import UsageError
from harness.text import Vocabulary
from leaderboard import competition as competitions
from leaderboard.db.engine import Database, now
from leaderboard.db.models import Attempt, DataSet, Role, Team, Visibility
from leaderboard.locks import expect_unlocked
from leaderboard.states import State

PUBLIC_ROLES = (Role.TRAIN, Role.VALID, Role.PERSONAS)
"""Roles whose text reaches participants: preflights log on it, chats show it."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What is known of a stored data set without reading it; `name` is safe to publish."""

    competition_id: str
    role: str
    visibility: str
    name: str
    dialogues: int
    examples: int
    entries: int | None


def store(
    db: Database,
    competition_id: str,
    role: str,
    dialogues: Sequence[Dialogue],
    *,
    hidden: bool = False,
) -> Stored:
    """Store dialogues under a role; the same ones again change nothing.

    Another train or valid set removes the dictionary that was made of the former ones.

    `UsageError`: an unknown role, a hidden set in a public role, a set without the candidates
    that the hits track ranks, another set where scores already stand on the stored one, or any
    change of a locked competition.
    """
    place = role_named(role)
    if place is Role.DICTIONARY:
        raise UsageError(
            "a dictionary is made from train and valid: `rostrum admin data dictionary`"
        )
    if hidden and place in PUBLIC_ROLES:
        raise UsageError(
            f"a data set of the role {role} is public and cannot be hidden",
            code="not_hidden",
            hint="Only the test set is hidden.",
        )
    if place is Role.TEST:
        _expect_candidates(competitions.get(db, competition_id), dialogues)
    return _put(
        db,
        competition_id,
        place,
        content=jsonl.dumps(dialogues),
        hidden=hidden,
        dialogues=len(dialogues),
        examples=sum(len(dialogue.examples) for dialogue in dialogues),
    )


def make_dictionary(db: Database, competition_id: str) -> Stored:
    """Make and store the official dictionary from the competition's train and valid sets."""
    words = Vocabulary.build(
        dialogues(db, competition_id, Role.TRAIN.value),
        dialogues(db, competition_id, Role.VALID.value),
    )
    return _put(
        db,
        competition_id,
        Role.DICTIONARY,
        content=words.to_tsv().encode("utf-8"),
        entries=len(words),
    )


def dialogues(db: Database, competition_id: str, role: str) -> list[Dialogue]:
    """The dialogues of a role, as they were imported; personas come from valid by default."""
    content = _content(db, competition_id, role_named(role))
    return jsonl.parse(content.splitlines(keepends=True), name=f"{competition_id}/{role}")


def vocabulary(db: Database, competition_id: str) -> Vocabulary:
    """The official dictionary of a competition."""
    content = _content(db, competition_id, Role.DICTIONARY)
    return Vocabulary.from_tsv(content.decode("utf-8"), name=f"{competition_id}/dictionary")


def hidden_name(db: Database, competition_id: str, role: str) -> str:
    """The name by which a set is known outside, 64 hex digits.

    Hidden: sha256 over its nonce and the sha256 of its canonical bytes. Public: that sha256.
    """
    with db.read() as session:
        row = _find(session, competition_id, role_named(role))
    return _name(row)


def is_hidden(db: Database, competition_id: str, role: str) -> bool:
    """Whether the set must not leave the evaluator."""
    with db.read() as session:
        return _find(session, competition_id, role_named(role)).visibility is Visibility.HIDDEN


def listing(db: Database, competition_id: str) -> list[Stored]:
    """The data sets of a competition, without their content."""
    with db.read() as session:
        rows = session.scalars(
            select(DataSet)
            .options(defer(DataSet.content))
            .where(DataSet.competition_id == competition_id)
            .order_by(DataSet.role)
        )
        return [_stored(row) for row in rows]


def role_named(role: str) -> Role:
    """The role of this name; `UsageError` lists the known ones."""
    try:
        return Role(role)
    except ValueError:
        names = ", ".join(known.value for known in Role)
        raise UsageError(f"role {role!r} is unknown; known: {names}", code="bad_role") from None


def _put(
    db: Database,
    competition_id: str,
    role: Role,
    *,
    content: bytes,
    hidden: bool = False,
    dialogues: int = 0,
    examples: int = 0,
    entries: int | None = None,
) -> Stored:
    digest = hashlib.sha256(content).hexdigest()
    visibility = Visibility.HIDDEN if hidden else Visibility.PUBLIC
    competitions.get(db, competition_id)
    packed = zlib.compress(content)
    with db.write() as session:
        row = session.scalar(_select(competition_id, role))
        if row is None:
            row = DataSet(competition_id=competition_id, role=role, nonce=secrets.token_hex(32))
        elif (row.sha256, row.visibility) == (digest, visibility):
            return _stored(row)
        elif role is not Role.PERSONAS and _has_scores(session, competition_id):
            raise UsageError(
                f"competition {competition_id} has scores made with its {role.value} set; "
                "another one would make them incomparable",
                code="data_in_use",
                hint="Load a competition of another id for the new data.",
            )
        expect_unlocked(session, competition_id)
        if role in (Role.TRAIN, Role.VALID):  # a dictionary of the former ones would be wrong
            session.execute(
                delete(DataSet).where(
                    DataSet.competition_id == competition_id, DataSet.role == Role.DICTIONARY
                )
            )
        row.visibility = visibility
        row.dialogues = dialogues
        row.examples = examples
        row.entries = entries
        row.sha256 = digest
        row.content = packed
        row.created_at = now(session)
        session.add(row)
        session.flush()
        return _stored(row)


def _has_scores(session: Session, competition_id: str) -> bool:
    return bool(
        session.scalar(
            select(func.count())
            .select_from(Attempt)
            .join(Team, Team.id == Attempt.team_id)
            .where(
                Team.competition_id == competition_id,
                Attempt.state.in_([State.RUNNING, State.SCORED]),
            )
        )
    )


def _expect_candidates(competition: competitions.Competition, found: Sequence[Dialogue]) -> None:
    if "hits" not in competition.tracks:
        return
    for dialogue in found:
        for number, example in enumerate(dialogue.examples, start=1):
            if len(example.candidates) != competition.candidates:
                raise UsageError(
                    f"dialogue {dialogue.id}, example {number} has {len(example.candidates)} "
                    f"candidates; track hits of {competition.id} needs {competition.candidates}",
                    code="bad_data",
                )


def _content(db: Database, competition_id: str, role: Role) -> bytes:
    with db.read() as session:
        row = session.scalar(_select(competition_id, role))
        if row is None and role is Role.PERSONAS:
            row = session.scalar(_select(competition_id, Role.VALID))
    if row is None:
        raise _missing(competition_id, role)
    content = zlib.decompress(row.content)
    if hashlib.sha256(content).hexdigest() != row.sha256:
        raise UsageError(
            f"the {role.value} set of competition {competition_id} is damaged in the database",
            code="data_damaged",
            hint="Import it again.",
        )
    return content


def _find(session: Session, competition_id: str, role: Role) -> DataSet:
    row = session.scalar(_select(competition_id, role).options(defer(DataSet.content)))
    if row is None:
        raise _missing(competition_id, role)
    return row


def _select(competition_id: str, role: Role) -> Select[DataSet]:
    return select(DataSet).where(DataSet.competition_id == competition_id, DataSet.role == role)


def _missing(competition_id: str, role: Role) -> UsageError:
    command = (
        f"rostrum admin data dictionary --competition {competition_id}"
        if role is Role.DICTIONARY
        else f"rostrum admin data import FILE --role {role.value} --competition {competition_id}"
    )
    return UsageError(
        f"competition {competition_id} has no {role.value} set",
        code="data_missing",
        hint=f"Import one with `{command}`.",
    )


def _name(row: DataSet) -> str:
    if row.visibility is Visibility.PUBLIC:
        return row.sha256
    return hashlib.sha256(bytes.fromhex(row.nonce) + bytes.fromhex(row.sha256)).hexdigest()


def _stored(row: DataSet) -> Stored:
    return Stored(
        competition_id=row.competition_id,
        role=row.role.value,
        visibility=row.visibility.value,
        name=_name(row),
        dialogues=row.dialogues,
        examples=row.examples,
        entries=row.entries,
    )
