"""`rostrum data audit`: what in sets of dialogues gives answers away, as a table."""

import json
from collections.abc import Iterator
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from harness.cli.data_files import counted, dialogues, json_option, shown, skip_bad_option
from harness.cli.terminal import plain
from harness.data.audit import CHECKS, Audit, Finding, Severity, Source, audit
from harness.dialogue import Dialogue

STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}


@click.command("audit")
@click.argument(
    "files", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="FILE..."
)
@click.option(
    "--train",
    type=click.Path(path_type=Path),
    help="The training set, to look for what FILE shares with it.",
)
@click.option(
    "--examples",
    default=1,
    show_default=True,
    type=click.IntRange(min=0, max=100),
    metavar="N",
    help="Examples to show of each finding.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "never"]),
    default="error",
    show_default=True,
    help="From which severity on the exit status is 1.",
)
@skip_bad_option
@json_option
@click.pass_context
def audit_files(
    ctx: click.Context,
    files: tuple[Path, ...],
    *,
    train: Path | None,
    examples: int,
    fail_on: str,
    skip_bad: int,
    as_json: bool,
) -> None:
    """Look for leaks in each FILE, between them, and from the training set.

    An error can make a score worthless, a warning shifts it, a note is good to know.
    docs/audit.md explains every check. Exit status 1 if there is an error.
    """
    sources = [_source(file, skip_bad=skip_bad) for file in dict.fromkeys(files)]
    learnt = _source(train, skip_bad=skip_bad) if train else None
    found = audit(sources, train=learnt, examples=examples)
    failed = fail_on != "never" and found.at_least(Severity(fail_on))
    if as_json:
        click.echo(json.dumps(_document(found, failed=failed), ensure_ascii=False))
    else:
        _show(found)
    ctx.exit(1 if failed else 0)


def _source(file: Path, *, skip_bad: int) -> Source:
    """The file; what is left out is told the first time that it is read."""
    read = []

    def opened() -> Iterator[Dialogue]:
        read.append(file)
        return dialogues(file, skip_bad=skip_bad, quiet=len(read) > 1)

    return Source(str(file), opened)


def _document(found: Audit, *, failed: bool) -> dict[str, object]:
    return {
        "schema": 1,
        "files": [
            {"file": one.file, "dialogues": one.dialogues, "examples": one.examples}
            | {"lists": one.lists}
            for one in found.sizes
        ],
        "findings": [one.as_json() for one in found.findings],
        "failed": failed,
    }


def _show(found: Audit) -> None:
    for size in found.sizes:
        held = counted(size.dialogues, "dialogue"), counted(size.examples, "example")
        lists = counted(size.lists, "list") + " of candidates" if size.lists else "no candidates"
        ours = [one for one in found.findings if one.file == size.file]
        shown(
            Text(f"{plain(size.file)}: {', '.join(held)}, {lists}", style="bold"),
            _table(ours) if ours else Text("  nothing found"),
        )
    numbers = [
        counted(sum(one.severity is severity for one in found.findings), severity.value)
        for severity in Severity
    ]
    shown(Text(f"{', '.join(numbers)}; docs/audit.md explains each check"))


def _table(findings: list[Finding]) -> Table:
    table = Table.grid(padding=(0, 2, 1, 2))
    table.add_column(no_wrap=True, min_width=len(Severity.WARNING))
    table.add_column()
    for one in findings:
        table.add_row(Text(one.severity.value, style=STYLES[one.severity]), _told(one))
    return table


def _told(one: Finding) -> Text:
    """A finding as a paragraph: what and how often, the numbers, examples, what to do."""
    check = CHECKS[one.check]
    share = f"{100 * one.share:.1f} %" if one.count < one.total else "all"
    told = Text.assemble(
        (one.check, "bold"), f"  {one.count:,} of {one.total:,} {one.unit} ({share})\n"
    )
    told.append(check.title)
    if one.detail:
        told.append(f": {plain(one.detail)}")
    for example in one.examples:
        told.append(f"\ne.g. {_short(plain(example))}", style="italic")
    told.append(f"\nto do: {check.do}", style="dim")
    return told


def _short(text: str, most: int = 160) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
