"""A folder that several containers share, shown to each through a layer of its own.

Through the layer its files are others than next door's, so that a lock or a watch on one tells no
container what another one does; the pages in memory stay shared. The engine mounts the layer
as an anonymous volume and removes it with the container, so a worker needs no privilege for it.
"""

from pathlib import Path

from docker.types import DriverConfig, Mount


def own(source: Path, target: str) -> Mount:
    """A folder as it is, read-only."""
    return Mount(target=target, source=str(source), type="bind", read_only=True)


def layered(source: Path, target: str, *, empty: Path) -> Mount:
    """A folder behind a layer; `empty` is what the kernel demands as a second one below.

    A layer without a place to write is read-only by itself.
    """
    below = {"type": "overlay", "device": "overlay", "o": f"lowerdir={source}:{empty}"}
    return Mount(
        target=target,
        source=None,
        type="volume",
        no_copy=True,
        driver_config=DriverConfig("local", options=below),
    )


def writable(*, size: int, inodes: int) -> dict[str, str]:
    """All places to write, bounded in bytes and in files."""
    room = f"rw,nosuid,nodev,mode=1777,size={size},nr_inodes={inodes}"
    return dict.fromkeys(("/tmp", "/dev/shm"), room)  # noqa: S108 - the inside's own
