"""What the tests of cells share: a look at the engine, and a submission loaded in this process."""

import importlib.util
import subprocess
from pathlib import Path
from typing import Any


def containers_of(label: str) -> list[str]:
    """The names of all containers, running or not, that carry `label` (`key=value`)."""
    told = subprocess.run(
        ["docker", "ps", "--all", "--filter", f"label={label}", "--format", "{{.Names}}"],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    return told.stdout.split()


def load_agent(folder: Path) -> Any:
    """The `Agent` of `folder`/agent.py, built here and now."""
    spec = importlib.util.spec_from_file_location(f"agent_of_{folder.name}", folder / "agent.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Agent()
