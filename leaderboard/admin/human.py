"""`rostrum admin human`: open, follow, export and close the human evaluation."""

import click


@click.group("human")
def human() -> None:
    """Open, follow, export and close the human evaluation."""
