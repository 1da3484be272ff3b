"""Searches its memory and every file for a label that it was not shown."""

import contextlib
import os
import re

from harness import eval_f1

CANARY = re.compile(rb"c[a]nary-[0-9a-f]{16}")
OLD = ("//usr", "/opt/rostrum", "//sys", "//proc", "//dev")


def in_memory():
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps:
            span, rights, *_ = line.split()
            start, end = (int(number, 16) for number in span.split("-"))
            if rights[0] != "r" or "[v" in line or end - start > 1 << 28:
                continue
            with contextlib.suppress(OSError, OverflowError):
                memory.seek(start)
                if hit := CANARY.search(memory.read(end - start)):
                    yield span, hit.group()


def on_disk():
    for folder, folders, names in os.walk("/"):
        folders[:] = [one for one in folders if f"{folder}/{one}" not in OLD]
        for name in names:
            path = f"{folder}/{name}"
            with contextlib.suppress(OSError), open(path, "rb") as file:
                if CANARY.search(name.encode() + file.read(1 << 24)):
                    yield path


class Agent:
    def respond(self, contexts):
        if found := [
            *in_memory(),
            *on_disk(),
            *filter(CANARY.search, map(os.fsencode, os.environ.values())),
        ]:
            raise RuntimeError(f"found: {found}")
        return ["i like turtles" for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
