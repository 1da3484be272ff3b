"""`rostrum admin lock`: the end of the automatic part of a competition."""

import click


@click.command("lock")
def lock() -> None:
    """Lock the competition."""
