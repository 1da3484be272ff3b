"""`rostrum admin human`: opening and closing the human evaluation, its invitations, its export."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import click
from rich.console import Console

from harness.errors import UsageError
from leaderboard import settings
from leaderboard.admin.figures import results_document, show_results
from leaderboard.admin.output import (
    Document,
    answer,
    as_json_option,
    checked_reason,
    competition_option,
    iso,
    opened,
    safe,
)
from leaderboard.db.engine import Database
from leaderboard.human import export, invitations, opening
from leaderboard.human.invitations import RaterLine, RaterView
from leaderboard.human.results import results
from leaderboard.locks import not_locked
from leaderboard.quota import stamp

SITE = "http://127.0.0.1:8000"
DAYS = 14.0
_NUMBERED = re.compile(r"rater-([1-9][0-9]{0,8})")

kept_reason = click.option("--reason", required=True, metavar="TEXT", help="Why; kept.")
site_option = click.option(
    "--site",
    default=SITE,
    show_default=True,
    metavar="URL",
    help="Where raters reach the site; the links begin with it.",
)


@click.group("human")
def human() -> None:
    """Run the human evaluation."""


@human.command("open")
@click.option(
    "--raters", type=click.IntRange(1), metavar="N", help="Invite N more: rater-1, rater-2, ..."
)
@click.option("--name", "names", multiple=True, help="Invite this person; may be repeated.")
@click.option("--share", type=int, metavar="N", help="Conversations of each; else the protocol's.")
@click.option("--days", type=float, default=DAYS, show_default=True, help="Days the links last.")
@site_option
@competition_option
@as_json_option
def open_human(
    raters: int | None,
    *,
    names: tuple[str, ...],
    share: int | None,
    days: float,
    site: str,
    competition_id: str | None,
    as_json: bool,
) -> None:
    """Open the human evaluation and print a link for each new rater; again adds raters."""
    address = _address(site)
    key = settings.secret_key()
    db, chosen = opened(competition_id)
    found = opening.open_evaluation(db, chosen)
    wanted = [*names, *_numbered(db, chosen, raters or 0)]
    made = invitations.invite(db, chosen, names=wanted, share=share, days=days, key=key)
    links = [(one.rater, f"{address}/rate/{one.token}") for one in made]
    assert found.opened_at is not None
    since = stamp(found.opened_at)

    def show(console: Console) -> None:
        console.print("The human evaluation of", safe(chosen), f"is open since {since}.")
        for rater, link in links:
            _show_link(console, rater, link, said=f"until {stamp(rater.expires_at)}")
        if not links:
            console.print("Invite people: `rostrum admin human open --raters N`", markup=False)

    document = {
        "competition": chosen,
        "opened_at": iso(found.opened_at),
        "invitations": [_rater_document(rater) | {"link": link} for rater, link in links],
    }
    answer(document, as_json=as_json, show=show)


@human.command("links")
@site_option
@competition_option
@as_json_option
def show_links(site: str, competition_id: str | None, as_json: bool) -> None:
    """Print every rater's link again, and how far they are."""
    address = _address(site)
    key = settings.secret_key()
    db, chosen = opened(competition_id)
    lines = invitations.listing(db, chosen)
    links = [(line, f"{address}/rate/{_token(line.view, key=key)}") for line in lines]

    def show(console: Console) -> None:
        for line, link in links:
            revoked = line.view.revoked_at is not None
            _show_link(console, line.view, None if revoked else link, said=_progress(line))
        if not links:
            console.print("Nobody is invited: `rostrum admin human open --raters N`", markup=False)

    document = {
        "competition": chosen,
        "raters": [
            _rater_document(line.view)
            | {"rated": line.rated, "under_way": line.under_way, "link": link}
            for line, link in links
        ],
    }
    answer(document, as_json=as_json, show=show)


@human.command("revoke")
@click.argument("name")
@kept_reason
@competition_option
@as_json_option
def revoke(name: str, reason: str, competition_id: str | None, as_json: bool) -> None:
    """Withdraw the invitation of NAME; a conversation under way ends."""
    kept = checked_reason(reason)
    db, chosen = opened(competition_id)
    rater = invitations.revoke(db, chosen, name, reason=kept)
    assert rater.revoked_at is not None
    when = stamp(rater.revoked_at)

    def show(console: Console) -> None:
        said = f"is revoked since {when}. Reason:"
        console.print("The invitation of", safe(rater.name), said, safe(rater.revoke_reason))

    answer({"rater": _rater_document(rater)}, as_json=as_json, show=show)


@human.command("status")
@competition_option
@as_json_option
def status(competition_id: str | None, as_json: bool) -> None:
    """Show the figures so far, with their intervals; not for raters' eyes."""
    db, chosen = opened(competition_id)
    found = results(db, chosen)
    if found is None:
        raise not_locked(chosen)
    answer(
        results_document(found), as_json=as_json, show=lambda console: show_results(console, found)
    )


@human.command("export")
@click.argument("file", default="-", type=click.Path(path_type=Path, allow_dash=True))
@competition_option
@as_json_option
def export_records(file: Path, competition_id: str | None, as_json: bool) -> None:
    """Write protocol, finalists, conversations and judgements as JSONL to FILE, or print them.

    Raters are pseudonyms: no line holds a name.
    """
    db, chosen = opened(competition_id)
    if str(file) == "-":
        if as_json:
            raise UsageError("--json tells of a written FILE; printed records are JSON already")
        export.dump(db, chosen, sys.stdout)
        return
    written = export.write(db, chosen, file)

    def show(console: Console) -> None:
        console.print(f"Wrote {written} records to", safe(file), soft_wrap=True)

    document = {"competition": chosen, "file": str(file), "records": written}
    answer(document, as_json=as_json, show=show)


@human.command("close")
@kept_reason
@competition_option
@as_json_option
def close(reason: str, competition_id: str | None, as_json: bool) -> None:
    """Close the human evaluation for good; conversations under way end, results are final."""
    kept = checked_reason(reason)
    db, chosen = opened(competition_id)
    found = opening.close_evaluation(db, chosen, reason=kept)
    assert found.closed_at is not None
    when = stamp(found.closed_at)

    def show(console: Console) -> None:
        said = f"is closed since {when} and cannot be opened again. Reason:"
        console.print(
            "The human evaluation of", safe(chosen), said, safe(found.close_reason), soft_wrap=True
        )

    document = {
        "competition": chosen,
        "closed_at": iso(found.closed_at),
        "reason": found.close_reason,
    }
    answer(document, as_json=as_json, show=show)


def _numbered(db: Database, competition_id: str, count: int) -> Sequence[str]:
    """The next `count` names of the form rater-7."""
    if not count:
        return ()
    names = [line.view.name for line in invitations.listing(db, competition_id)]
    used = [int(found.group(1)) for name in names if (found := _NUMBERED.fullmatch(name))]
    first = max(used, default=0) + 1
    return [f"rater-{number}" for number in range(first, first + count)]


def _address(site: str) -> str:
    """The site's address without a slash at its end; `UsageError` if it cannot begin a link."""
    parts = urlsplit(site)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise UsageError(
            f"--site is {site!r}; give an address such as https://rostrum.example",
            code="bad_site",
        )
    return site.rstrip("/")


def _token(rater: RaterView, *, key: bytes) -> str:
    return invitations.token(
        rater.id, competition_id=rater.competition_id, expires_at=rater.expires_at, key=key
    )


def _progress(line: RaterLine) -> str:
    said = f"{line.rated} of {line.view.share} rated"
    if line.under_way:
        said += f", {line.under_way} under way"
    if line.view.revoked_at is not None:
        return f"{said}, revoked at {stamp(line.view.revoked_at)}: {line.view.revoke_reason}"
    return f"{said}, until {stamp(line.view.expires_at)}"


def _show_link(console: Console, rater: RaterView, link: str | None, *, said: str) -> None:
    console.print(safe(rater.name), "·", safe(said), soft_wrap=True)
    if link is not None:
        console.print(f"  {link}", markup=False, soft_wrap=True)


def _rater_document(rater: RaterView) -> Document:
    return {
        "name": rater.name,
        "share": rater.share,
        "expires_at": iso(rater.expires_at),
        "revoked_at": iso(rater.revoked_at),
        "revoke_reason": rater.revoke_reason,
    }
