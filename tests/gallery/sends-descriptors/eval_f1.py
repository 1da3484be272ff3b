"""Sends open files along with its reply; nobody takes them."""

import array
import os
import socket

from harness import eval_f1
from harness.remote.frames import Kind, pack
from harness.remote.session import current


class Agent:
    sent = False

    def respond(self, contexts):
        if self.sent:
            return ["i like turtles" for _ in contexts]
        self.sent, session = True, current()
        reply = pack(Kind.REPLY, session._sequence, {"replies": ["x" for _ in contexts]})
        files = array.array("i", [os.open("/dev/null", os.O_RDONLY) for _ in range(200)])
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)]
        session._link._socket.sendmsg([reply], rights)
        for file in files:
            os.close(file)
        following = session._link.receive()
        session._sequence = following.sequence
        return ["i like turtles" for _ in session._contexts.read(following.body["contexts"])]


if __name__ == "__main__":
    eval_f1(Agent)
