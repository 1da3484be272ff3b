"""A submission that repeats what it hears, and `rostrum chat` with it through a pipe."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from harness.data import jsonl
from harness.dialogue import Dialogue, Example

COMMAND = [sys.executable, "-c", "from harness.cli.main import main; main()", "chat"]

PARROT = """
import os, sys, time
from harness import eval_{track}
print("loading the parrot")

class Parrot:
    def __init__(self):
        {build}
    def respond(self, contexts):
        (context,) = contexts
        said = context.turns[-1].text
        {respond}
        heard = sum(turn.speaker == "partner" for turn in context.turns)
        return [" ".join([said, str(heard), *context.persona])]

if __name__ == "__main__":
    eval_{track}(Parrot)
"""


def submission(
    tmp_path: Path, *, track: str = "f1", build: str = "pass", respond: str = "pass", name: str = ""
) -> Path:
    """A folder with one track file whose agent repeats what it hears; its own code inserted."""
    folder = tmp_path / "parrot-folder"
    folder.mkdir(exist_ok=True)
    code = PARROT.format(track=track, build=build, respond=respond)
    (folder / f"eval_{track}.py").write_text(code, encoding="utf-8")
    if name:
        (folder / "rostrum.toml").write_text(f'name = "{name}"\n', encoding="utf-8")
    return folder


def personas(tmp_path: Path, count: int) -> Path:
    talks = [
        Dialogue(str(number), (f"i am number {number} .",), (), (Example(("hi",), ("yes",)),))
        for number in range(count)
    ]
    jsonl.write(tmp_path / "talks.jsonl", talks)
    return tmp_path / "talks.jsonl"


def chat(folder: Path, said: str, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, str(folder), *options],
        input=said,
        cwd=folder.parent,
        env={key: value for key, value in os.environ.items() if key != "ROSTRUM_DATA"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def conversations(file: Path) -> list[dict[str, Any]]:
    held: list[dict[str, Any]] = json.loads(file.read_text("utf-8"))["conversations"]
    return held


def alive(folder: Path) -> list[str]:
    """Processes that work in this folder."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            ours = (place / "cwd").readlink() == folder
            status = (place / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if ours and status != "Z":
            found.append(place.name)
    return found
