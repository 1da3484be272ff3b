"""LFS objects and other large files on a real https server, beside git's own repositories.

`LfsStore.beside` answers the batch API and the objects of one repository, after its token, and
hands everything else to git. `LfsStore.alone` is another host's store, open to everybody.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from githttps import Handler, HttpsServer, Seen
from gitrepos import Repo

MEDIA = "application/vnd.git-lfs+json"


@dataclass
class LfsStore:
    """The large files of one name on a server; `where` is where the batch API says they lie."""

    server: HttpsServer
    name: str
    private: bool = True
    where: Callable[[str], str] | None = None
    objects: dict[str, bytes] = field(default_factory=dict)
    tickets: dict[str, str] = field(default_factory=dict)

    @classmethod
    def beside(cls, server: HttpsServer, name: str) -> "LfsStore":
        """The store of a repository of this server."""
        store = cls(server, name)
        server.hostile[name] = store._answer
        return store

    @classmethod
    def alone(cls, server: HttpsServer, name: str) -> "LfsStore":
        """A store that asks for no token."""
        store = cls(server, name, private=False)
        server.hostile[name] = store._answer
        return store

    def keep(self, content: bytes) -> str:
        """Keep an object; its id."""
        identity = sha256(content).hexdigest()
        self.objects[identity] = content
        return identity

    def url(self, identity: str) -> str:
        """Where an object lies here."""
        return f"{self.server.url(self.name)}/lfs/{identity}"

    def asked(self, *, part: str) -> list[Seen]:
        """The requests for this store whose path holds `part`."""
        found = list(self.server.seen)
        return [
            seen for seen in found if seen.path.startswith(f"/{self.name}/") and part in seen.path
        ]

    def _answer(self, handler: Handler, seen: Seen) -> None:
        tickets = {self.server.expected(self.name), *self.tickets.values()}
        if self.private and seen.headers.get("Authorization") not in tickets:
            handler.reply(401, WWW_Authenticate='Basic realm="git"')
        elif seen.path.endswith("/info/lfs/objects/batch"):
            wanted = json.loads(seen.body)["objects"]
            document = {"transfer": "basic", "objects": [self._described(one) for one in wanted]}
            handler.reply(200, json.dumps(document).encode(), Content_Type=MEDIA)
        elif "/lfs/" in seen.path:
            content = self.objects.get(seen.path.rpartition("/")[2])
            handler.reply(404 if content is None else 200, content or b"")
        else:
            handler._git(seen.body)

    def _described(self, wanted: dict[str, Any]) -> dict[str, Any]:  # Any: JSON
        identity = wanted["oid"]
        if self.where is None and identity not in self.objects:
            return {**wanted, "error": {"code": 404, "message": "Object does not exist"}}
        href = (self.where or self.url)(identity)
        return {**wanted, "actions": {"download": {"href": href, "header": self.tickets}}}


def pointer(content: bytes) -> str:
    """The text that stands for this content in a commit."""
    head = "version https://git-lfs.github.com/spec/v1"
    return f"{head}\noid sha256:{sha256(content).hexdigest()}\nsize {len(content)}\n"


def weights(path: str, url: str, content: bytes, *, size: int | None = None) -> str:
    """An entry of rostrum.toml."""
    return (
        f'[[weights]]\npath = "{path}"\nurl = "{url}"\n'
        f'sha256 = "{sha256(content).hexdigest()}"\nbytes = {size or len(content)}\n'
    )


def work_tree(path: Path) -> Repo:
    """An empty work tree of a team."""
    repo = Repo(path)
    repo.path.mkdir()
    repo.git("init", "--quiet", "--initial-branch=main")
    return repo
