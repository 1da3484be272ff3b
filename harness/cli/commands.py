"""The harness's rows of the `rostrum` command."""

from harness.cli.command import Command

COMMANDS: tuple[Command, ...] = (
    Command("data", "Look at dialogue files; make a sample set.", "harness.cli.data:data"),
    Command("eval", "Score a submission folder on one track, here.", "harness.cli.eval:evaluate"),
)
