"""The baselines' rows of the `rostrum` command."""

from harness.cli.command import Command

COMMANDS: tuple[Command, ...] = ()
