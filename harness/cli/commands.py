"""The harness's rows of the `rostrum` command."""

from harness.cli.command import Command

COMMANDS: tuple[Command, ...] = (
    Command("chat", "Talk to the agent of a submission folder.", "harness.cli.chat:chat"),
    Command("data", "Look at dialogue files; make a sample set.", "harness.cli.data:data"),
    Command("eval", "Score a submission folder on one track, here.", "harness.cli.eval:evaluate"),
)
