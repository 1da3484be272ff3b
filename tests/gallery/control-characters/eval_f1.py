"""Replies with NUL, terminal codes, HTML and marks that turn text around."""

from harness import eval_f1

REPLY = "\x00\x1b[2J\x1b]0;owned\x07<script>alert(1)</script>\u202egnp.exe\u2066 \r\n\x9b31m"


class Agent:
    def respond(self, contexts):
        print(REPLY)
        return [REPLY for _ in contexts]


if __name__ == "__main__":
    eval_f1(Agent)
