"""`rostrum admin round`: the monthly round over all teams."""

import click


@click.group("round")
def rounds() -> None:
    """Run the monthly round."""
