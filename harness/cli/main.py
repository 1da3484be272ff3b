"""The `rostrum` command: a group whose commands are rows of other rooms, loaded when run."""

import sys
from importlib import import_module
from importlib.metadata import entry_points

import click

from harness import __version__
from harness.cli.command import Command
from harness.errors import RostrumError

GROUP = "rostrum.commands"


class LazyGroup(click.Group):
    """A click group that imports a command's module only when that command is asked for."""

    def __init__(self, rows: tuple[Command, ...], **attributes: object) -> None:
        super().__init__(**attributes)  # type: ignore[arg-type]  # click types each one apart
        self.rows = {row.name: row for row in rows}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self.rows)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        row = self.rows.get(cmd_name)
        if row is None:
            return None
        module, _, attribute = row.target.partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{row.target} is not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if not self.rows:
            return
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.rows[name].help) for name in self.list_commands(ctx)])


def commands() -> tuple[Command, ...]:
    """The rows of every installed room."""
    return tuple(row for point in entry_points(group=GROUP) for row in point.load())


def main() -> None:
    """Run the command; an error of ours becomes one sentence and its exit code."""
    group = LazyGroup(
        commands(),
        name="rostrum",
        help="Rostrum: a dialogue competition in a box.",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    click.version_option(__version__, prog_name="rostrum")(group)
    try:
        group()
    except RostrumError as error:
        click.echo(
            f"rostrum: {error.message}" + (f"\n{error.hint}" if error.hint else ""), err=True
        )
        sys.exit(error.exit_code)
