"""`rostrum data`: the commands about dialogue files, each loaded when it is run."""

from harness.cli.command import Command
from harness.cli.main import LazyGroup

IMPORTS: tuple[Command, ...] = (
    Command("spc", "Synthetic-Persona-Chat's CSV file.", "harness.cli.data_import:import_spc"),
    Command(
        "fbdialog",
        "ConvAI2's file format to JSONL, and back.",
        "harness.cli.data_import:import_fbdialog",
    ),
    Command(
        "convai-logs",
        "The volunteers' talks of ConvAI2, with their ratings.",
        "harness.cli.data_import:import_convai_logs",
    ),
)

COMMANDS: tuple[Command, ...] = (
    Command("audit", "Look for what gives answers away.", "harness.cli.data_audit:audit_files"),
    Command(
        "candidates",
        "Give a set lists of candidates, drawn from a pool.",
        "harness.cli.data_candidates:candidates",
    ),
    Command("fetch", "Download a published data set.", "harness.cli.data_fetch:fetch"),
    Command("import", "Read other file formats.", "harness.cli.data:imports"),
    Command(
        "personas",
        "How well a persona can be told from what was said.",
        "harness.cli.data_personas:personas",
    ),
    Command("sample", "Generate a small set to begin with.", "harness.cli.data_sample:make_sample"),
    Command("show", "Read a dialogue of a file.", "harness.cli.data_show:show"),
    Command(
        "split", "Make train, valid and test of one file.", "harness.cli.data_split:split_file"
    ),
    Command("stats", "Count what files hold.", "harness.cli.data_stats:show_stats"),
)

imports = LazyGroup(IMPORTS, name="import", help="Read other file formats.")

data = LazyGroup(COMMANDS, name="data", help="Look at dialogue files, make them, check them.")
