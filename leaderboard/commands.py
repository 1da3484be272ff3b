"""The leaderboard room's rows of the `rostrum` command."""

from harness.cli.command import Command

COMMANDS: tuple[Command, ...] = (
    Command("admin", "Organizer's commands.", "leaderboard.admin.cli:admin"),
    Command("serve", "Serve the board and the API.", "leaderboard.web.serve:serve"),
    Command("status", "Show or follow a submission.", "leaderboard.client.status:status"),
    Command("submit", "Submit a commit of your repository.", "leaderboard.client.submit:submit"),
)
