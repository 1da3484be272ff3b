"""The container engine: whether it answers, which versions it is made of, what it enforces."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import OperatorError
from worker.doctor.finding import Finding, fail, ok, warn
from worker.doctor.machine import version_of
from worker.doctor.versions import judged
from worker.engine import engine

_ENFORCED = (
    ("MemoryLimit", "memory"),
    ("SwapLimit", "memory and swap together"),
    ("PidsLimit", "the number of processes"),
    ("CpuCfsQuota", "processor time"),
)
"""What the engine says of itself, and the limit that it then cannot keep."""

_TOOLKIT = (("nvidia-container-cli", "--version"), ("nvidia-ctk", "--version"))


def look(*, below: str | None, gpu: bool) -> Iterator[Finding]:
    """The engine that DOCKER_HOST names; `below` is the runtime that cells are to run by."""
    try:
        with engine() as client:
            version: Mapping[str, Any] = client.version()  # Any: the engine's own JSON
            info: Mapping[str, Any] = client.info()
    except OperatorError as error:
        yield fail(
            "engine",
            error.message,
            "Start it (`systemctl start docker`), or name it by DOCKER_HOST; this user must be "
            "allowed to use it.",
        )
        return
    yield ok("engine", f"Docker {version.get('Version')}, {info.get('OperatingSystem')}")
    yield from versions(version, gpu=gpu)
    yield from walls(info, below=below)


def versions(version: Mapping[str, Any], *, gpu: bool) -> Iterator[Finding]:
    """The parts of the engine against their floors; Any: the engine's own JSON."""
    parts = {str(part.get("Name")): part for part in version.get("Components") or ()}
    for name in ("runc", "containerd"):
        if part := parts.get(name):
            yield judged(name, _said(part))
    yield judged("BuildKit", str(version.get("Version")), todo="Install engine 25.0.2 or newer")
    toolkit = next((said for one in _TOOLKIT if (said := version_of(*one))), None)
    if toolkit is not None:
        yield judged("NVIDIA toolkit", toolkit)
    elif gpu:
        yield fail(
            "NVIDIA toolkit",
            "not installed: containers cannot be shown a device",
            "Install nvidia-container-toolkit 1.17.8 or newer, then restart the engine.",
        )


def walls(info: Mapping[str, Any], *, below: str | None) -> Iterator[Finding]:
    """What the engine can enforce here; Any: the engine's own JSON."""
    lacking = [text for key, text in _ENFORCED if info.get(key) is False]
    if lacking:
        yield fail(
            "limits",
            f"the engine cannot limit {', '.join(lacking)}",
            "Turn the kernel's control groups on (boot with cgroup_enable=memory swapaccount=1).",
        )
    else:
        yield ok("limits", "memory, swap, processes and processor time can be limited")
    if any("seccomp" in str(option) for option in info.get("SecurityOptions") or ()):
        yield ok("system calls", "the engine filters them (seccomp)")
    else:
        yield fail("system calls", "the engine has no seccomp", "Install an engine with seccomp.")
    known = sorted(info.get("Runtimes") or {})
    if below and below not in known:
        yield fail(
            "runtime below",
            f"ROSTRUM_DOCKER_RUNTIME is {below}; the engine knows {', '.join(known)}",
            f"Install {below} and name it in the engine's daemon.json.",
        )
    elif below:
        yield ok("runtime below", below)
    if not Path("/var/run/docker.sock").exists() and "desktop" in str(info.get("Name")).lower():
        yield warn(
            "sockets",
            "the engine runs in a virtual machine, where sockets of this one do not reach",
            "Run the worker inside Linux, on the engine's own machine.",
        )


def _said(part: Mapping[str, Any]) -> str:
    """A part's version with its build, which tells a distribution's own; Any: as above."""
    build = str((part.get("Details") or {}).get("GitCommit") or "")
    version = str(part.get("Version") or "")
    return build if build.startswith(version) and "." in build else version


def root() -> Path | None:
    """Where the engine keeps images and containers, if that is on this machine."""
    try:
        with engine() as client:
            place = Path(str(client.info().get("DockerRootDir") or ""))
    except OperatorError:
        return None
    return place if place.is_dir() else None
