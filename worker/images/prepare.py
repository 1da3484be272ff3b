"""The runtime of a sandbox, by the sandbox's name."""

import sys
from pathlib import Path

from harness.errors import UsageError
from worker.images.bubblewrap import prepare_bubblewrap
from worker.images.docker import prepare_docker
from worker.images.recipe import read_recipe
from worker.images.runtime import Runtime
from worker.images.wheelhouse import Progress


def prepare(name: str, progress: Progress) -> Runtime:
    """The runtime for `docker`, `bubblewrap` or `trusted`, made if it is missing."""
    makers = {
        "docker": prepare_docker,
        "bubblewrap": prepare_bubblewrap,
        "trusted": prepare_trusted,
    }
    if name not in makers:
        raise UsageError(f"sandbox '{name}' is unknown; known: {', '.join(makers)}")
    return makers[name](progress)


def prepare_trusted(progress: Progress) -> Runtime:
    """The interpreter that runs now: nothing is made, nothing is separated."""
    progress("the trusted runner uses this Python as it is")
    interpreter = Path(sys.executable)
    return Runtime("trusted", read_recipe().digest(base=str(interpreter)), path=interpreter)
