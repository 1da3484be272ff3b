"""`compose.yaml` cannot drift from the commands and settings, nor start on a default secret."""

import re
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from harness.cli.main import LazyGroup, commands
from tests.conftest import PROJECT

TEXT = (PROJECT / "compose.yaml").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
OURS = {name: one for name, one in COMPOSE["services"].items() if one["image"] == "rostrum"}


@pytest.mark.parametrize("name", OURS)
def test_every_process_is_a_command_that_there_is(name: str) -> None:
    command = OURS[name]["command"]
    shown = CliRunner().invoke(LazyGroup(commands(), name="rostrum"), [*command, "--help"])
    assert shown.exit_code == 0, shown.output
    for option in (part for part in command if part.startswith("--")):
        assert option in shown.output


@pytest.mark.parametrize("name", OURS)
def test_every_variable_of_a_process_is_a_setting(name: str) -> None:
    settings = (PROJECT / "docs" / "settings.md").read_text("utf-8")
    for variable in OURS[name]["environment"]:
        assert f"| `{variable}` |" in settings


def test_a_missing_secret_stops_the_start_by_name() -> None:
    """Every secret comes from `.env`, with `:?`; the three that the comment makes are all."""
    named = re.findall(r"\$\{(\w+)(:\?)?", TEXT.partition("name: rostrum")[2])
    assert {name for name, _ in named} == {
        f"ROSTRUM_{part}_PASSWORD" for part in ("DATABASE", "WORKER", "BROKER")
    }
    assert all(demanded for _, demanded in named)
    for part in ("DATABASE", "WORKER", "BROKER"):
        assert part in TEXT.partition("name: rostrum")[0]


def test_a_worker_has_a_role_of_its_own_and_not_the_sites_key() -> None:
    worker = COMPOSE["services"]["worker"]
    assert "//rostrum_worker:" in worker["environment"]["ROSTRUM_DATABASE_URL"]
    assert not any(volume.startswith("home:") for volume in worker["volumes"])
    assert COMPOSE["services"]["init"]["command"][-1] == "rostrum_worker"
    made = (PROJECT / "deploy" / "worker-role.sh").read_text("utf-8")
    assert "CREATE ROLE rostrum_worker LOGIN" in made


def test_what_listens_is_not_open_to_the_world() -> None:
    ports = [port for one in COMPOSE["services"].values() for port in one.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
