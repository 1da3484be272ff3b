"""`rostrum data split`: train, valid and test of one file, none of which knows another."""

import json
import re
from pathlib import Path

import click

from harness.cli.data_files import (
    SUFFIXES,
    bare,
    counted,
    dialogues,
    form_of,
    json_option,
    seed_option,
    skip_bad_option,
    write,
)
from harness.data.split import SPLITS, By, split


@click.command("split")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write to.")
@click.option("--valid", default=0.1, show_default=True, help="Share of dialogues to validate on.")
@click.option("--test", default=0.1, show_default=True, help="Share of dialogues to test on.")
@click.option(
    "--by",
    type=click.Choice(["persona", "dialogue"]),
    default="persona",
    show_default=True,
    help="Keep together what shares a persona sentence, or only the sides of one talk.",
)
@click.option(
    "--name",
    metavar="NAME",
    help="Write SPLIT_NAME files.  [default: FILE's name without its split]",
)
@seed_option
@skip_bad_option
@json_option
def split_file(
    file: Path,
    *,
    out: Path,
    valid: float,
    test: float,
    by: By,
    name: str | None,
    seed: int,
    skip_bad: int,
    as_json: bool,
) -> None:
    """Split FILE into train, valid and test, in its own format; it is read four times."""
    drawn = split(dialogues(file, skip_bad=skip_bad), valid=valid, test=test, seed=seed, by=by)
    form = form_of(file)
    rest = name or re.sub(r"^(train|valid|test)_", "", bare(file).stem)
    written = {}
    for part in [one for one in SPLITS if drawn.got[one]]:
        written[part] = out / f"{part}_{rest}{SUFFIXES[form]}"
        again = zip(drawn.of, dialogues(file, skip_bad=skip_bad, quiet=True), strict=True)
        write(written[part], (one for of, one in again if of == part), form=form)
    if as_json:
        document = {
            "files": {part: str(path) for part, path in written.items()},
            "dialogues": drawn.got,
            "wished": drawn.wished,
            "groups": drawn.groups,
            "largest_group": drawn.largest,
            "complaint": drawn.complaint,
        }
        click.echo(json.dumps(document, ensure_ascii=False))
        return
    for part, path in written.items():
        click.echo(f"{part:<6} {counted(drawn.got[part], 'dialogue'):<18} {path}")
    kept = "that share a persona sentence or tell one talk" if by == "persona" else "of one talk"
    click.echo(
        f"drawn from {counted(drawn.groups, 'group')} of dialogues {kept}; the largest has "
        f"{drawn.largest:,}"
    )
    if drawn.complaint:
        click.echo(f"not as wished: {drawn.complaint}", err=True)
