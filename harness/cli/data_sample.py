"""`rostrum data sample`: a generated set to begin with."""

import json
from pathlib import Path

import click

from harness.cli.data_files import counted, json_option
from harness.data import sample
from harness.data.stats import stats
from harness.text import Vocabulary


@click.command("sample")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write to.")
@click.option("--seed", default=0, show_default=True, help="Another seed, other dialogues.")
@json_option
def make_sample(out: Path, *, seed: int, as_json: bool) -> None:
    """Generate persona dialogues: {train,valid,test}_self_original.txt and dictionary.tsv."""
    made = sample.make(seed)
    made.write(out)
    Vocabulary.build(made.train, made.valid).save(out / "dictionary.tsv")
    facts = {split: stats(getattr(made, split)) for split in sample.SIZES}
    if as_json:
        splits = {split: row.as_json() for split, row in facts.items()}
        click.echo(json.dumps({"directory": str(out), "seed": seed, "splits": splits}))
        return
    for split, row in facts.items():
        sizes = counted(row.dialogues, "dialogue"), counted(row.examples, "example")
        click.echo(f"{split:<7}{', '.join(sizes)}")
    click.echo(
        f"written to {out}; look at one with: rostrum data show {out}/test_self_original.txt"
    )
