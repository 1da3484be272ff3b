"""Raters at an installation, and the finalist they talk to: the site's functions, real workers."""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import time
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from sqlalchemy import text
from stage import Stage, good

from leaderboard import ledger, settings
from leaderboard.human import claims, invitations, talk
from leaderboard.human.scene import TalkView
from leaderboard.human.stages import CHAT_STAGES, ChatState
from leaderboard.states import State

REPLY_SECONDS = 3

PROTOCOL = f"""\
schema = 1
minimum_turns = 2
reply_seconds = {REPLY_SECONDS}
wait_seconds = 60
ratings = 12
"""

TALKER = """\
import time

class Agent:
    def __init__(self):
        self.seen = set()

    def respond(self, contexts):
        return [self.reply(context) for context in contexts]

    def reply(self, context):
        said = [turn.text for turn in context.turns if turn.speaker == "partner"]
        if said[-1] == "fall over":
            raise ValueError("as asked")
        if said[-1] == "sleep":
            time.sleep(3600)
        fresh = "old" if context.id in self.seen else "new"
        self.seen.add(context.id)
        mine = sum(turn.speaker == "self" for turn in context.turns)
        return f"{len(said)}/{mine} {fresh} {said[-1]} | {' '.join(context.persona[:1])}"
"""


@dataclass
class Rater:
    """One invited person with one browser tab."""

    db: ledger.Database
    id: int
    tab: str = field(default_factory=lambda: secrets.token_hex(8))
    chat: int = 0

    def claim(self) -> int:
        """Begin a conversation, or go on with the one that is unfinished."""
        self.chat = claims.claim(self.db, self.id, tab=self.tab)
        return self.chat

    def view(self) -> TalkView:
        """What the page shows now."""
        return talk.view(self.db, self.id, self.chat, tab=self.tab)

    def until(self, *states: ChatState, seconds: float = 30) -> TalkView:
        """Wait until the conversation is in one of these states."""
        deadline = time.monotonic() + seconds
        while (view := self.view()).state not in states:
            assert time.monotonic() < deadline, f"chat {self.chat} is {view.state}"
            assert not CHAT_STAGES[view.state].final, f"{view.state}: {view.void_code}"
            time.sleep(0.05)
        return view

    def begin(self, *, seconds: float = 30) -> TalkView:
        """Claim, and wait for the partner."""
        self.claim()
        return self.until(ChatState.OPEN, seconds=seconds)

    def say(self, words: str) -> TalkView:
        """Send one turn."""
        return talk.say(
            self.db, self.id, self.chat, tab=self.tab, client_id=secrets.token_hex(8), text=words
        )

    def ask(self, words: str, *, seconds: float = 10) -> str:
        """Send one turn and wait for the reply to it."""
        number = len(self.say(words).turns)
        deadline = time.monotonic() + seconds
        while len((view := self.view()).turns) == number:
            assert view.state is ChatState.OPEN, view.void_code
            assert time.monotonic() < deadline, "no reply"
            time.sleep(0.02)
        return view.turns[-1].text

    def close(self) -> TalkView:
        """End the chat and go on to the questions."""
        return talk.close(self.db, self.id, self.chat, tab=self.tab)


@dataclass(frozen=True)
class Hall:
    """An installation whose human evaluation is open, with one finalist who does as it is told."""

    stage: Stage
    attempt: int

    @classmethod
    def build(cls, base: Path, sandbox: str, *, agent: str = TALKER) -> "Hall":
        stage = Stage.build(base, sandbox)
        try:
            attempt = stage.submit(stage.team("talker", good("f1", agent=agent)))
            stage.start("beat")
            stage.start("worker")
            assert stage.wait(attempt, State.SCORED, State.FAILED) is State.SCORED
        finally:
            stage.close()
        stage.running.clear()
        rules = base / "protocol.toml"
        rules.write_text(PROTOCOL, "utf-8")
        stage.rostrum("admin", "lock", "--reason", "test", "--early", "--protocol", str(rules))
        stage.rostrum("admin", "human", "open")
        return cls(stage, attempt)

    def copied(self, base: Path) -> "Hall":
        """The same installation at another place."""
        return Hall(self.stage.copied(base), self.attempt)

    @property
    def key(self) -> bytes:
        """The site's signing key."""
        home = Path(self.stage.variables["ROSTRUM_HOME"])
        return (home / settings.secret_key_path().name).read_bytes()

    def raters(self, count: int) -> list[Rater]:
        """So many newly invited people."""
        db = self.stage.db
        names = [f"rater {secrets.token_hex(3)}" for _ in range(count)]
        made = invitations.invite(db, "life", names=names, share=None, days=1, key=self.key)
        return [Rater(db, each.rater.id) for each in made]

    def end_of(self, chat: int) -> tuple[str, str | None, str | None, float]:
        """State, void code, detail of a conversation, and seconds from the last turn to its end."""
        with self.stage.db.read() as session:
            row = session.execute(
                text(
                    "SELECT state, void_code, void_detail, (julianday(ended_at) - julianday("
                    "(SELECT max(at) FROM turns WHERE conversation_id = c.id))) * 86400 "
                    "FROM conversations AS c WHERE id = :id"
                ),
                {"id": chat},
            ).one()
        return str(row[0]).lower(), row[1], row[2], float(row[3] or 0)

    def set_image(self, digest: str) -> None:
        """Have the attempt's runtime be this one, as if an older Rostrum had scored it."""
        with self.stage.db.write() as session:
            session.execute(text("UPDATE attempts SET image = :image"), {"image": digest})

    def image(self) -> str:
        """The digest of the runtime that the attempt was scored on."""
        with self.stage.db.read() as session:
            return str(session.scalar(text("SELECT image FROM attempts")))

    def cells(self) -> list[str]:
        """Containers for this installation's chats, or processes that see one of its trees."""
        if self.stage.sandbox == "docker":
            named = f"name=rostrum-(chat|spare)-.*-{self.stage.house}"
            return _docker("ps", "-aq", "--filter", named)
        keys = [sha256(url.encode()).hexdigest()[:16] for url in self._urls()]
        found = []
        for mounts in Path("/proc").glob("[0-9]*/mountinfo"):
            with contextlib.suppress(OSError):
                seen = mounts.read_text()
                found += [mounts.parent.name for key in keys if key in seen]
        return found

    def kill_cell(self, chat: int) -> None:
        """End a chat's cell from outside, as an administrator would."""
        if self.stage.sandbox == "docker":
            _docker("kill", f"rostrum-chat-{chat}-{self.stage.house}")
            return
        (monitor,) = {_monitor_of(int(process)) for process in self.cells()}
        os.kill(monitor, signal.SIGKILL)

    def freeze_cell(self, chat: int) -> None:
        """Stop a chat's processes without ending them."""
        if self.stage.sandbox == "docker":
            _docker("pause", f"rostrum-chat-{chat}-{self.stage.house}")
            return
        for process in self.cells():
            os.kill(int(process), signal.SIGSTOP)

    def empty(self, *, seconds: float) -> None:
        """Wait until no cell of a chat is left."""
        deadline = time.monotonic() + seconds
        while left := self.cells():
            assert time.monotonic() < deadline, f"cells are left: {left}: {self.stage.logs()}"
            time.sleep(0.1)

    def _urls(self) -> list[str]:
        with self.stage.db.read() as session:
            return [str(url) for url in session.scalars(text("SELECT repo_url FROM teams"))]


def _monitor_of(process: int) -> int:
    """The bubblewrap outside of the namespaces that a process inside belongs to."""
    while True:
        fields = Path(f"/proc/{process}/status").read_text().splitlines()
        parent = int(next(line for line in fields if line.startswith("PPid:")).split()[1])
        if Path(f"/proc/{parent}/comm").read_text().strip() != "bwrap":
            return process
        process = parent


def runtime_of(hall: Hall, chat: int) -> str:
    """The digest of the runtime that a chat's cell was started from."""
    if hall.stage.sandbox == "docker":
        name = f"rostrum-chat-{chat}-{hall.stage.house}"
        return str(json.loads("".join(_docker("inspect", name)))[0]["Image"])
    runtimes = set()
    for process in hall.cells():  # those outside of the walls see no runtime at its place
        mounts = Path(f"/proc/{process}/mountinfo").read_text().splitlines()
        runtimes |= {line.split()[3] for line in mounts if line.split()[4] == "/opt/rostrum"}
    (runtime,) = runtimes
    return Path(runtime).name


def names_of(image: str) -> list[str]:
    """The tags of an image."""
    return _docker("inspect", "--format", '{{join .RepoTags " "}}', image)


def _docker(*arguments: str) -> list[str]:
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.split()
