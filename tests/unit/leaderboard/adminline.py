"""`rostrum admin` as a test types it, in this process."""

import json
from typing import Any

from click.testing import CliRunner, Result

from harness.errors import RostrumError
from leaderboard.admin.cli import admin


def invoke(*arguments: str, typed: str | None = None) -> Result:
    """What the command did, whatever it was; `typed` is its standard input."""
    return CliRunner().invoke(admin, list(arguments), input=typed)


def run(*arguments: str, exit_code: int = 0, typed: str | None = None) -> str:
    """The output of a command that ends with this code, without an error."""
    result = invoke(*arguments, typed=typed)
    if isinstance(result.exception, Exception):
        raise result.exception
    assert result.exit_code == exit_code
    return result.output


def run_json(*arguments: str, exit_code: int = 0, typed: str | None = None) -> dict[str, Any]:
    """The document that the command prints with `--json`."""
    printed = run(*arguments, "--json", exit_code=exit_code, typed=typed)
    document: dict[str, Any] = json.loads(printed)
    return document


def refusal(*arguments: str, typed: str | None = None) -> RostrumError:
    """The error of a command that must be refused."""
    error = invoke(*arguments, typed=typed).exception
    assert isinstance(error, RostrumError), error
    return error
