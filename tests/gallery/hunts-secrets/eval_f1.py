"""Reads the environment and command line of every process, and looks for other code."""

import contextlib
import os
import re

from harness import eval_f1


def found():
    for process in (name for name in os.listdir("/proc") if name.isdigit()):
        for name in ("environ", "cmdline"):
            with contextlib.suppress(OSError), open(f"/proc/{process}/{name}", "rb") as file:
                text = file.read()
                if re.search(rb"ROSTRUM_(DATABASE|BROKER|HOME|VAULT|TOKEN|SANDBOX)", text):
                    yield process, name
    for folder, folders, names in os.walk("/"):
        folders[:] = [one for one in folders if f"{folder}/{one}" not in KNOWN]
        yield from (f"{folder}/{name}" for name in names if name.startswith("eval_"))
        yield from (f"{folder}/{name}" for name in names if name in ("rostrum.db", "secret_key"))


KNOWN = ("//proc", "//sys", "//usr", "//code", "/opt/rostrum")


class Agent:
    def respond(self, contexts):
        if seen := list(found()):
            raise RuntimeError(f"found: {seen}")
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
