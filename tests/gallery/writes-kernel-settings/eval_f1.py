"""Opens every file of /proc and /sys that it could write."""

import contextlib
import os
import stat

from harness import eval_f1

OWN = ("/proc/self", "/proc/thread-self", "/proc/pressure")
"""Of its own processes, and a watch on the machine's load, which a container may set."""


def writable():
    for root in ("/proc", "/sys"):
        for folder, folders, names in os.walk(root):
            folders[:] = [one for one in folders if not one.isdigit()]
            if folder.startswith(OWN):
                continue
            for name in names:
                path = f"{folder}/{name}"
                with contextlib.suppress(OSError):
                    file = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
                    if not stat.S_ISCHR(os.fstat(file).st_mode):  # /dev/null stands for it
                        yield path
                    os.close(file)


class Agent:
    def respond(self, contexts):
        if found := list(writable()):
            raise RuntimeError(f"writable: {found}")
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
