"""The baselines' rows of the `rostrum` command."""

from harness.cli.command import Command

COMMANDS: tuple[Command, ...] = (
    Command("train", "Train a baseline and write its checkpoint.", "baselines.commands:train"),
    Command("new", "Start a submission folder from a baseline.", "baselines.commands:new"),
    Command("baselines", "Train and score all of them.", "baselines.table.command:baselines"),
    Command(
        "ablate",
        "What a persona is worth: models by personas by candidates.",
        "baselines.ablation.command:ablate",
    ),
)
