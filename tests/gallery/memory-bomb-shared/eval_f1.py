"""Takes shared memory without end, which no limit of one process counts."""

import mmap

from harness import eval_f1


class Agent:
    def respond(self, contexts):
        hoard = []
        while len(hoard) < 128:
            piece = mmap.mmap(-1, 16 << 20)
            for place in range(0, len(piece), 4096):
                piece[place] = 1
            hoard.append(piece)
        raise RuntimeError("2 GiB were granted")


if __name__ == "__main__":
    eval_f1(Agent)
