"""`rostrum admin lock`: the end of the automatic part of a competition."""

from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from leaderboard import lock as locking
from leaderboard.admin.files import read_text
from leaderboard.admin.output import (
    Document,
    answer,
    as_json_option,
    checked_reason,
    competition_option,
    iso,
    opened,
    safe,
    table,
)
from leaderboard.locks import FinalistLine, Locked
from leaderboard.quota import stamp

MAX_PROTOCOL_BYTES = 256 << 10


@click.command("lock")
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept with the lock.")
@click.option(
    "--protocol",
    "protocol_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Wording and rules of the human evaluation; what FILE leaves out is as packaged.",
)
@click.option("--early", is_flag=True, help="Lock before the phases are over.")
@competition_option
@as_json_option
def lock(
    reason: str,
    *,
    protocol_file: Path | None,
    early: bool,
    competition_id: str | None,
    as_json: bool,
) -> None:
    """Lock the competition for good: scores are final, finalists chosen, seals opened."""
    kept = checked_reason(reason)
    text = (
        read_text(protocol_file, limit=MAX_PROTOCOL_BYTES, bad="bad_protocol")
        if protocol_file is not None
        else None
    )
    db, chosen = opened(competition_id)
    made = locking.lock(db, chosen, reason=kept, protocol_text=text, early=early)
    answer(
        {"new": made.new} | locked_document(made.locked),
        as_json=as_json,
        show=lambda console: _show(console, made.locked, new=made.new),
    )


def locked_document(locked: Locked) -> Document:
    """Everything that a lock fixed."""
    return {
        "competition": locked.competition_id,
        "locked_at": iso(locked.at),
        "reason": locked.reason,
        "protocol": {"sha256": locked.protocol_sha256, **asdict(locked.protocol)},
        "seals": [asdict(seal) for seal in locked.seals],
        "finalists": [_finalist_document(line) for line in locked.finalists],
        "opened_at": iso(locked.opened_at),
        "closed_at": iso(locked.closed_at),
        "close_reason": locked.close_reason,
    }


def _finalist_document(line: FinalistLine) -> Document:
    return {
        "place": line.place,
        "team": line.team,
        "entry": line.entry,
        "submission": line.submission_id,
        "attempt": line.attempt_id,
        "commit": line.commit,
        "track": line.track,
        "image": line.image,
        "environment": line.environment,
        "sandbox": line.sandbox,
        "passed_over": line.passed_over,
        "withheld": line.withheld,
    }


def _show(console: Console, locked: Locked, *, new: bool) -> None:
    when = stamp(locked.at)
    said = f"Locked at {when}." if new else f"It was locked at {when} already; nothing has changed."
    console.print(safe(locked.competition_id), "·", said, "Reason:", safe(locked.reason))
    console.print()
    console.print(
        table(
            ("place", "entry", "team", "track", "chats"),
            [
                (line.place, line.entry, line.team, line.track, _chats(line))
                for line in locked.finalists
            ],
            empty="",
        )
    )
    console.print()
    console.print(f"Protocol  {locked.protocol_sha256}", soft_wrap=True)
    for seal in locked.seals:
        console.print(f"Hidden {seal.role} set, sha256(nonce || sha256) is its name:")
        for what in ("name", "nonce", "sha256"):
            console.print(f"  {what:<7} {getattr(seal, what)}", soft_wrap=True)
    if locked.opened_at is None:
        console.print("\nNext: `rostrum admin human open --raters N`", markup=False)


def _chats(line: FinalistLine) -> str:
    if line.withheld is not None:
        return f"no, withheld: {line.withheld}"
    return "yes" if line.passed_over is None else f"no, {line.passed_over}"
