"""A row of the command table: what `rostrum --help` shows, and where the command lives."""

from typing import NamedTuple


class Command(NamedTuple):
    """One command: its name, its one-line help, and `module:attribute` of its click command.

    Rooms list their rows under the entry-point group `rostrum.commands`; the module of a row is
    imported only when the command is run.
    """

    name: str
    help: str
    target: str
