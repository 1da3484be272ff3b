"""The worker room's rows of the `rostrum` command."""

from harness.cli.command import Command

COMMANDS: tuple[Command, ...] = (
    Command("beat", "Sweep stuck attempts and hint workers, for ever.", "worker.beat:beat"),
    Command("demo", "The whole competition in one command.", "worker.demo:demo"),
    Command("worker", "Fetch, run and score submissions.", "worker.serve:worker"),
)
