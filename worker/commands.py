"""The worker room's rows of the `rostrum` command."""

from harness.cli.command import Command

COMMANDS: tuple[Command, ...] = (
    Command("beat", "Sweep stuck attempts and hint workers, for ever.", "worker.beat:beat"),
    Command("check", "Dry run of a submission, as the server would run it.", "worker.check:check"),
    Command("demo", "The whole competition in one command.", "worker.demo:demo"),
    Command(
        "doctor", "Look over this machine: may strangers' code run here?", "worker.doctor:doctor"
    ),
    Command("worker", "Fetch, run and score submissions.", "worker.serve:worker"),
)
