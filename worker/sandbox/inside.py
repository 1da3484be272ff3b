"""What every cell sees, whichever sandbox starts it: the same paths, command and environment.

Equal surroundings are why a score does not depend on the sandbox: the number of threads and the
hash seed are fixed, and nothing of the worker's environment is handed on.
"""

from collections.abc import Mapping

from worker.sandbox import Limits

CODE = "/code"
SOCKETS = "/run/rostrum"
ENVIRONMENT = "/opt/env"
RUNTIME = "/opt/rostrum"
PYTHON = f"{RUNTIME}/bin/python"
UID = 65534
"""Who the inside is, as it sees itself."""

NOFILE = 1024
"""Open files at most."""

_MIB = 1 << 20


def command(track_file: str, *, python: str = PYTHON, code: str = CODE) -> list[str]:
    """Our command over their file; `-P` keeps their folder off the path until LOAD."""
    return [python, "-P", "-m", "harness.remote.serve", f"{code}/{track_file}"]


def environment(limits: Limits, *, gpu: str | None = None) -> dict[str, str]:
    """All variables of the inside: fixed, but for the number of threads and the accelerator.

    Whatever its number outside, the one device that a cell sees is the first one inside.
    """
    threads = str(max(1, int(limits.cpus)))
    device = {} if gpu is None else {"CUDA_VISIBLE_DEVICES": "0"}
    return device | {
        "PATH": f"{RUNTIME}/bin:/usr/local/bin:/usr/bin:/bin",
        "HOME": "/tmp",  # noqa: S108 - the inside's own
        "TMPDIR": "/tmp",  # noqa: S108 - the inside's own
        "USER": "nobody",
        "LOGNAME": "nobody",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": threads,
        "OMP_WAIT_POLICY": "PASSIVE",  # spinning starves whoever shares the cores
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        # Large tensors from memory that is kept: mapping each anew costs a quarter of the time.
        "MALLOC_MMAP_THRESHOLD_": str(32 * _MIB),
        "MALLOC_TRIM_THRESHOLD_": str(128 * _MIB),
        "ROSTRUM_SOCKET": f"{SOCKETS}/agent.sock",
        "ROSTRUM_ENVIRONMENT": ENVIRONMENT,
    }


def labels(name: str, *, fence: int, deadline: float, given: Mapping[str, str]) -> dict[str, str]:
    """The labels of a cell; `deadline` is seconds since 1970, after which anyone may remove it."""
    named = {f"rostrum.{key}": value for key, value in given.items()}
    return named | {
        "rostrum.cell": name,
        "rostrum.fence": str(fence),
        "rostrum.deadline": f"{deadline:.0f}",
    }
