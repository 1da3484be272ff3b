"""`rostrum chat`: a person at a terminal talks to the agent of any submission folder."""

from contextlib import ExitStack
from pathlib import Path

import click

from harness.cli import talk
from harness.cli.child import started
from harness.cli.public_data import persona_file
from harness.cli.terminal import screen
from harness.submission import entry_name


@click.command("chat")
@click.argument("directory", type=click.Path(path_type=Path))
@talk.options
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="How long a reply may take.",
)
def chat(
    directory: Path,
    *,
    persona: tuple[str, ...],
    data: Path | None,
    seed: int,
    out: Path | None,
    seconds: float,
) -> None:
    """Talk to the agent of the submission in DIRECTORY; an empty line ends, /help lists commands.

    Its code runs in a process of its own, without a sandbox, with your rights. Through a pipe, each
    line is a message and each reply one line of output.
    """
    talk.expect_folder(out)
    personas = talk.Personas(persona, persona_file(data), seed=seed)
    entry = entry_name(directory, default=directory.absolute().name)
    on = screen(entry)
    try:
        with ExitStack() as stack:
            with on.waiting("is loading"):
                agent = stack.enter_context(started(directory, entry, reply_seconds=seconds))
            talk.hold(agent, entry, personas=personas, on=on, out=out)
    except KeyboardInterrupt:
        click.echo(err=True)
        raise click.exceptions.Exit(130) from None
