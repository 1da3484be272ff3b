"""Calls the kernel as a 32-bit program would: the process is killed."""

import ctypes
import mmap
import os
import platform

from harness import eval_f1

CODE = bytes.fromhex("b827000000cd80c3")  # mov eax, 39 (mkdir); int 0x80; ret


def call():
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(CODE)
    ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()


class Agent:
    def respond(self, contexts):
        if platform.machine() == "x86_64":
            child = os.fork()
            if child == 0:
                call()
                os._exit(0)
            if not os.WIFSIGNALED(os.waitpid(child, 0)[1]):
                raise RuntimeError("a 32-bit call came back")
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
