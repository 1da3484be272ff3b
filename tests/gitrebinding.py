"""A name that leads to a public address first and to this machine then, fetched from.

Run by the gallery in network and mount namespaces of its own, where the public address is one of
loopback's: `unshare --net --mount python tests/gitrebinding.py FOLDER`. Prints what became of it.
"""

import fcntl
import json
import socket
import struct
import subprocess
import sys
from pathlib import Path

from githostile import NameServer, Trap

from harness.errors import RostrumError
from worker.fetch import Access, Bounds, fetch

PUBLIC = "93.184.216.34"
_SIOCSIFFLAGS, _SIOCSIFADDR = 0x8914, 0x8916
_UP = 0x1


def main() -> None:
    """Fetch once; on one line the verdict, how often the name was asked for, who came to us."""
    folder = Path(sys.argv[1])
    _network()
    told = folder / "resolv.conf"
    told.write_text("nameserver 127.0.0.1\n", "ascii")
    subprocess.run(["mount", "--bind", str(told), "/etc/resolv.conf"], check=True, timeout=10)
    with NameServer("127.0.0.1", [PUBLIC, "127.0.0.1"]) as names, Trap() as trap:
        url = f"https://moves.example:{trap.port}/team.git"
        try:
            fetch(url, "main", store=folder / "store", bounds=Bounds(seconds=20), access=Access())
            code, detail = "fetched", None
        except RostrumError as refused:
            code, detail = refused.code, refused.detail
    print(json.dumps([code, detail, len(names.asked), trap.visits]))


def _network() -> None:
    """Loopback up, with a public address besides its own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        up = struct.pack("16sh14x", b"lo", _UP)
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, up)
        address = struct.pack("<H2x4s8x", socket.AF_INET, socket.inet_aton(PUBLIC))
        fcntl.ioctl(any_socket, _SIOCSIFADDR, struct.pack("16s16s", b"lo:1", address))


if __name__ == "__main__":
    main()
