"""The documentation cannot drift: every code, state, command and setting stands in it."""

import re
from collections.abc import Iterator

import click
import pytest

from baselines.commands import FOLDERS, folder
from harness.cli.main import LazyGroup, commands
from harness.cli.training import command_line
from harness.errors import VERDICTS, Verdict
from leaderboard.human.stages import CHAT_STAGES, VOID_REASONS, ChatState, VoidReason
from leaderboard.states import STAGES, State
from tests.conftest import PROJECT

DOCS = PROJECT / "docs"
ROOMS = ("harness", "baselines", "leaderboard", "worker")


@pytest.mark.parametrize("verdict", VERDICTS.values(), ids=VERDICTS.keys())
def test_every_verdict_is_explained(verdict: Verdict) -> None:
    page = (DOCS / "verdicts.md").read_text("utf-8")
    section = page.partition(f"\n### {verdict.code.replace('_', '-')}\n")[2].partition("\n##")[0]
    assert f"`{verdict.code}`: **{verdict.title}.** {verdict.hint}" in section
    assert set(re.findall(r"^\| `(\w+)` \|", section, flags=re.M)) == set(verdict.details)


@pytest.mark.parametrize("state", State)
def test_every_state_is_explained(state: State) -> None:
    page = (DOCS / "states.md").read_text("utf-8")
    assert re.search(rf"^\| `{state}` \| {re.escape(STAGES[state].sentence)}", page, flags=re.M)


@pytest.mark.parametrize("state", ChatState)
def test_every_state_of_a_conversation_is_explained(state: ChatState) -> None:
    page = (DOCS / "people.md").read_text("utf-8")
    stage = CHAT_STAGES[state]
    after = ", ".join(f"`{name}`" for name in ChatState if name in stage.next) or "final"
    limit = f"`{stage.limit}`" if stage.limit else "-"
    leased = "yes" if stage.leased else "no"
    assert f"| `{state}` | {stage.sentence} | {leased} | {limit} | {after} |" in page


@pytest.mark.parametrize("reason", VOID_REASONS.values(), ids=VOID_REASONS.keys())
def test_every_reason_of_a_void_conversation_is_explained(reason: VoidReason) -> None:
    page = (DOCS / "people.md").read_text("utf-8")
    assert f"| `{reason.code}` | {reason.blame} | {reason.meaning} |" in page


def _paths(group: LazyGroup | click.Group, prefix: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _paths(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def test_every_command_and_option_is_documented() -> None:
    page = (DOCS / "commands.md").read_text("utf-8")
    missing = []
    for path, command in _paths(LazyGroup(commands(), name="rostrum"), "rostrum"):
        section = page.partition(f"\n### {path}\n")[2].partition("\n### ")[0]
        options = [
            option
            for parameter in command.params
            if isinstance(parameter, click.Option) and not parameter.hidden
            for option in parameter.opts
            if option.startswith("--")
        ]
        missing += [path] if not section else [f"{path} {o}" for o in options if o not in section]
    assert not missing


def test_the_options_of_training_are_documented() -> None:
    """`rostrum train` hands its arguments to a baseline's train.py, so click knows none of them."""
    page = (DOCS / "commands.md").read_text("utf-8")
    section = page.partition("\n### rostrum train\n")[2].partition("\n### ")[0]
    known = re.findall(r"--[a-z]+", command_line().format_usage())
    assert len(known) > 8
    assert not [option for option in known if f"`{option}`" not in section]


@pytest.mark.parametrize("name", FOLDERS)
def test_a_baselines_own_options_stand_in_its_readme(name: str) -> None:
    readme = (folder(name) / "README.md").read_text("utf-8")
    own = re.findall(r'add_argument\(\s*"(--[a-z]+)"', (folder(name) / "train.py").read_text())
    assert not [option for option in own if option not in readme]


def test_every_setting_is_documented() -> None:
    page = (DOCS / "settings.md").read_text("utf-8")
    named = {
        match
        for room in ROOMS
        for file in (PROJECT / room).rglob("*.py")
        for match in re.findall(r"[\"'](ROSTRUM_[A-Z_]+)[\"']", file.read_text("utf-8"))
    }
    documented = set(re.findall(r"^\| `(ROSTRUM_[A-Z_]+)`", page, flags=re.M))
    assert named == documented


def test_every_module_opens_with_a_sentence_and_is_short() -> None:
    for room in ROOMS:
        for file in (PROJECT / room).rglob("*.py"):
            text = file.read_text("utf-8")
            assert text.count("\n") <= 400, f"{file} has more than 400 lines"
            assert not text or text.lstrip().startswith(('"""', "#!")), f"{file} has no docstring"
