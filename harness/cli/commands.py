"""The harness's rows of the `rostrum` command."""

from harness.cli.command import Command

COMMANDS: tuple[Command, ...] = (
    Command("chat", "Talk to the agent of a submission folder.", "harness.cli.chat:chat"),
    Command(
        "compare",
        "Whether runs over one set differ by more than chance.",
        "harness.cli.compare:compare",
    ),
    Command("data", "Read, make and check dialogue files.", "harness.cli.data:data"),
    Command("eval", "Score a submission folder on one track, here.", "harness.cli.eval:evaluate"),
    Command(
        "report",
        "Show a report: score, measures, turns, hardest examples.",
        "harness.cli.report:report",
    ),
)
