"""`rostrum data`: what a file of dialogues holds, and a generated sample to begin with."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from harness.cli.terminal import plain
from harness.data import jsonl, load, sample
from harness.dialogue import Dialogue
from harness.text import Vocabulary, split_words


@click.group()
def data() -> None:
    """Look at dialogue files; make a sample set."""


@data.command("show")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--limit", default=1, show_default=True, help="Dialogues to print.", metavar="N")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
def show(file: Path, *, limit: int, as_json: bool) -> None:
    """Check FILE (ConvAI2's .txt or .jsonl), count what it holds, print its first dialogues."""
    dialogues = load(file)
    facts = _facts(dialogues)
    shown = dialogues[: max(limit, 0)]
    if as_json:
        documents = [json.loads(line) for line in jsonl.dumps(shown).splitlines()]
        click.echo(json.dumps({**facts, "shown": documents}, ensure_ascii=False))
        return
    for name, value in facts.items():
        click.echo(f"{name:<12}{value}")
    for dialogue in shown:
        click.echo("\n" + "\n".join(_rendered(dialogue)))


@data.command("sample")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write to.")
@click.option("--seed", default=0, show_default=True, help="Another seed, other dialogues.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
def make_sample(out: Path, *, seed: int, as_json: bool) -> None:
    """Generate persona dialogues: {train,valid,test}_self_original.txt and dictionary.tsv."""
    made = sample.make(seed)
    made.write(out)
    Vocabulary.build(made.train, made.valid).save(out / "dictionary.tsv")
    facts = {split: _facts(getattr(made, split)) for split in sample.SIZES}
    if as_json:
        click.echo(json.dumps({"directory": str(out), "seed": seed, "splits": facts}))
        return
    for split, row in facts.items():
        click.echo(f"{split:<7}{row['dialogues']} dialogues, {row['examples']} examples")
    click.echo(
        f"written to {out}; look at one with: rostrum data show {out}/test_self_original.txt"
    )


def _facts(dialogues: Sequence[Dialogue]) -> dict[str, Any]:  # Any: JSON values
    examples = [example for dialogue in dialogues for example in dialogue.examples]
    sizes = sorted({len(example.candidates) for example in examples})
    return {
        "dialogues": len(dialogues),
        "examples": len(examples),
        "words": sum(len(split_words(example.replies[0])) for example in examples),
        "candidates": sizes[0] if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}",
        "sha256": jsonl.digest(dialogues),
    }


def _rendered(dialogue: Dialogue) -> Iterator[str]:
    for sentence in dialogue.persona:
        yield f"  persona  {plain(sentence)}"
    for sentence in dialogue.partner_persona:
        yield f"  partner's persona  {plain(sentence)}"
    for example in dialogue.examples:
        for text in example.partner:
            yield f"  partner  {plain(text)}"
        yield "  self     " + plain(" | ".join(example.replies))
