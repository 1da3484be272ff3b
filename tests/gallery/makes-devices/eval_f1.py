"""Makes device files of the disk and of memory."""

import os
import stat

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        for kind, device in (
            (stat.S_IFBLK, (8, 0)),
            (stat.S_IFBLK, (254, 0)),
            (stat.S_IFCHR, (1, 1)),
        ):
            try:
                os.mknod("/tmp/device", kind | 0o666, os.makedev(*device))
                os.open("/tmp/device", os.O_RDONLY)
            except OSError:
                continue
            raise RuntimeError(f"made and opened {device}")
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
