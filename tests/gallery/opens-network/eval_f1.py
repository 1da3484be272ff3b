"""Asks for every kind of socket, for names, and for the metadata address."""

import contextlib
import socket

from harness import eval_f1

FAMILIES = {
    "AF_INET": 2, "AF_AX25": 3, "AF_INET6": 10, "AF_NETLINK": 16, "AF_PACKET": 17, "AF_ALG": 38,
    "AF_BLUETOOTH": 31, "AF_VSOCK": 40, "AF_XDP": 44, "AF_TIPC": 30, "AF_RDS": 21, "AF_CAN": 29,
}  # fmt: skip
KINDS = (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET)


def opened():
    for name, family in FAMILIES.items():
        for kind in KINDS:
            with contextlib.suppress(OSError):
                socket.socket(family, kind)
                yield name
        with contextlib.suppress(OSError):
            socket.socketpair(family)
            yield f"a pair of {name}"
    for address in (("169.254.169.254", 80), ("1.1.1.1", 53), ("127.0.0.1", 22)):
        with contextlib.suppress(OSError):
            socket.create_connection(address, timeout=1)
            yield str(address)
    with contextlib.suppress(OSError):
        yield str(socket.getaddrinfo("example.org", 443))


class Agent:
    def respond(self, contexts):
        if found := list(opened()):
            raise RuntimeError(f"opened: {found}")
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
