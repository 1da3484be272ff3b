"""`rostrum admin workers`: who is at work, who is silent, and who takes no more."""

import click
from rich.console import Console

from leaderboard import fleet
from leaderboard.admin.output import (
    Document,
    answer,
    as_json_option,
    checked_reason,
    iso,
    reason_option,
    table,
)
from leaderboard.db.engine import open_database
from leaderboard.fleet import Member
from leaderboard.formats import duration
from leaderboard.quota import stamp
from leaderboard.states import Queue
from leaderboard.waiting import silence

name_argument = click.argument("name", metavar="NAME")


@click.group("workers")
def workers() -> None:
    """List the workers, take one out of service, put it back."""


@workers.command("list")
@as_json_option
def list_workers(as_json: bool) -> None:
    """List the workers, what each takes and holds, and what waits for them."""
    db = open_database()
    members = fleet.listing(db)
    quiet = silence(db)
    made = table(
        ("name", "state", "queues", "gpu", "holds", "lost", "seen"),
        [
            (
                member.name,
                _state(member),
                _queues(member),
                member.gpu,
                ", ".join(map(str, member.attempts)),
                member.losses or "",
                f"{duration(member.quiet)} ago",
            )
            for member in members
        ],
        empty="No worker has announced itself; start one with `rostrum worker`.",
    )

    def show(console: Console) -> None:
        console.print(made)
        for member in members:
            if member.drained_at is not None:
                console.print(_drained(member), markup=False, soft_wrap=True)
        if quiet is not None:
            console.print(quiet.sentence, markup=False, soft_wrap=True)

    answer(
        {
            "workers": [_document(member) for member in members],
            "waiting": quiet.sentence if quiet else None,
        },
        as_json=as_json,
        show=show,
    )


@workers.command("drain")
@name_argument
@reason_option
@as_json_option
def drain_worker(name: str, reason: str, as_json: bool) -> None:
    """Give worker NAME nothing new; what it holds, it finishes."""
    kept = checked_reason(reason)
    db = open_database()
    changed = fleet.drain(db, name, reason=kept)
    (member,) = [one for one in fleet.listing(db) if one.name == name]
    held = (
        f" It finishes attempt {', '.join(map(str, member.attempts))} first."
        if member.attempts
        else ""
    )
    sentence = (
        f"Worker {name} gets nothing new.{held} Put it back: `rostrum admin workers resume {name}`."
        if changed
        else _drained(member)
    )
    document = _document(member) | {"changed": changed}
    answer(document, as_json=as_json, show=lambda console: _say(console, sentence))


@workers.command("resume")
@name_argument
@as_json_option
def resume_worker(name: str, as_json: bool) -> None:
    """Let worker NAME take attempts again; its losses are forgotten."""
    db = open_database()
    changed = fleet.resume(db, name)
    (member,) = [one for one in fleet.listing(db) if one.name == name]
    sentence = (
        f"Worker {name} takes attempts again."
        if changed
        else f"Worker {name} was not drained; its losses are forgotten."
    )
    if not member.alive:
        sentence += f" It was last heard of at {stamp(member.seen_at)}."
    document = _document(member) | {"changed": changed}
    answer(document, as_json=as_json, show=lambda console: _say(console, sentence))


def _state(member: Member) -> str:
    if member.drained_at is not None:
        return "drained" if member.alive else "drained, silent"
    if not member.alive:
        return "silent"
    return "at work" if member.attempts else "idle"


def _queues(member: Member) -> str:
    """`2 preflight, 2 evaluate`: how many at a time of each, whatever they want."""
    names = dict.fromkeys(queue.partition(".")[0] for queue in member.queues)
    return ", ".join(name if name == Queue.CONVERSE else f"{member.slots} {name}" for name in names)


def _drained(member: Member) -> str:
    assert member.drained_at is not None
    return (
        f"Worker {member.name} gets nothing new since {stamp(member.drained_at)}: "
        f"{member.drain_reason}. Put it back: `rostrum admin workers resume {member.name}`."
    )


def _document(member: Member) -> Document:
    return {
        "name": member.name,
        "state": _state(member),
        "alive": member.alive,
        "queues": list(member.queues),
        "slots": member.slots,
        "gpu": member.gpu,
        "version": member.version,
        "started_at": iso(member.started_at),
        "seen_at": iso(member.seen_at),
        "losses": member.losses,
        "drained_at": iso(member.drained_at),
        "drain_reason": member.drain_reason,
        "attempts": list(member.attempts),
    }


def _say(console: Console, sentence: str) -> None:
    console.print(sentence, markup=False, soft_wrap=True)
