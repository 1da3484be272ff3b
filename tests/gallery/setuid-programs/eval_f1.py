"""Runs every program that could make it root."""

import contextlib
import os
import stat
import subprocess

from harness import eval_f1


def rooted():
    for folder in ("/usr/bin", "/usr/sbin", "/usr/lib/openssh", "/usr/libexec"):
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            path = f"{folder}/{name}"
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                if os.stat(path).st_mode & (stat.S_ISUID | stat.S_ISGID):
                    yield from ids(path)


def ids(path):
    watched = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=-3, stderr=-3)
    with contextlib.suppress(OSError):
        with open(f"/proc/{watched.pid}/status") as file:
            lines = [line.split() for line in file if line[:4] in ("Uid:", "Gid:")]
        if any("0" in line[1:] for line in lines):
            yield path
    watched.kill()
    watched.wait()


class Agent:
    def respond(self, contexts):
        if found := list(rooted()):
            raise RuntimeError(f"became root by {found}")
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
