"""A Unix socket for the inside of a build sandbox to knock at, and who knocks."""

import os
import socket
import struct
from pathlib import Path

POLL_SECONDS = 0.2
"""How long one wait for a knock or a byte takes, so that a stop is seen soon."""


def open_door(path: Path, *, waiting: int) -> socket.socket:
    """Listen at `path`; anybody may connect, so ask `peer_uid` who it is."""
    door = socket.socket(socket.AF_UNIX)
    handle = os.open(path.parent, os.O_DIRECTORY | os.O_RDONLY)
    try:  # through the handle, because an address holds at most 107 bytes
        door.bind(f"/proc/self/fd/{handle}/{path.name}")
        path.chmod(0o666)
        door.listen(waiting)
    except OSError:
        door.close()
        raise
    finally:
        os.close(handle)
    door.settimeout(POLL_SECONDS)
    return door


def peer_uid(peer: socket.socket) -> int:
    """Who is at the other end, as the kernel says."""
    packed = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", packed)[1])
