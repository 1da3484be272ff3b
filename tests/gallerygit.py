"""The gallery's repositories: made, served as the trick asks, fetched as a team's own is."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from gallerycells import Ending
from galleryworld import Case
from githostile import Trap, bomb, drips, endless_blob, endless_objects, redirects, serves
from githttps import Certificates, HttpsServer
from gitrepos import Repo, Repositories, Shelf, open_base

from harness.errors import RostrumError
from worker.fetch import Access, Bounds, fetch

MARK = Path("/tmp/rostrum-gallery-was-here")
SECONDS = 30.0
REBINDING = "git-rebinding"
LFS = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"


@dataclass(frozen=True)
class World:
    """A shelf of local repositories and a hostile https server, for one run of the gallery."""

    shelf: Shelf
    server: HttpsServer
    trap: Trap

    def repo(self, name: str) -> Repo:
        """A repository with one good track file, not yet committed."""
        repo = self.shelf.repo(name)
        repo.write("eval_f1.py")
        return repo


Origin = Callable[[World, str], str]
"""Makes the repository of a case by its name; the address to fetch from."""


def submodule(world: World, name: str) -> str:
    repo = world.repo(name)
    repo.commit_entry("160000", repo.commit(), "vendored")
    return str(repo.path)


def link_out(world: World, name: str) -> str:
    repo = world.repo(name)
    repo.commit()
    repo.commit_entry("120000", repo.blob("../../../etc/passwd"), "weights")
    return str(repo.path)


def link_in_a_name(world: World, name: str) -> str:
    repo = world.repo(name)
    repo.commit()
    repo.commit_tree(f"100755 blob {repo.blob(f'touch {MARK}')}\t.git\n")
    return str(repo.path)


def filter_driver(world: World, name: str) -> str:
    repo = world.repo(name)
    repo.write(".gitattributes", "*.py filter=evil\n")
    repo.commit()
    for key in ("filter.evil.smudge", "filter.evil.process", "core.fsmonitor", "core.sshCommand"):
        repo.git("config", key, f"touch {MARK}")
    return str(repo.path)


def hook(world: World, name: str) -> str:
    repo = world.repo(name)
    repo.commit()
    repo.git("config", "uploadpack.packObjectsHook", f"touch {MARK}")
    for one in ("post-checkout", "reference-transaction", "post-merge", "post-index-change"):
        path = repo.path / ".git" / "hooks" / one
        path.write_text(f"#!/bin/sh\ntouch {MARK}\n", "utf-8")
        path.chmod(0o755)
    return str(repo.path)


def lfs_pointer(world: World, name: str) -> str:
    repo = world.repo(name)
    repo.write("model.safetensors", LFS)
    repo.commit()
    return str(repo.path)


def million_files(world: World, name: str) -> str:
    repo = world.repo(name)
    blob = repo.blob("x")
    folder = repo.git(
        "mktree", text="".join(f"100644 blob {blob}\t{place:04}\n" for place in range(1000))
    )
    repo.commit_tree("".join(f"040000 tree {folder}\t{place:04}\n" for place in range(1000)))
    return str(repo.path)


def alternates(world: World, name: str) -> str:
    """Its objects lie in another team's repository, which it only points to."""
    other = world.repo(f"{name}-other")
    other.write("secret.py", "weights = 1\n")
    commit = other.commit()
    repo = world.repo(name)
    repo.commit()
    objects = repo.path / ".git" / "objects"
    (objects / "info" / "alternates").write_text(f"{other.path}/.git/objects\n", "utf-8")
    repo.git("update-ref", "refs/heads/main", commit)
    return str(repo.path)


def ten_gigabytes(world: World, name: str) -> str:
    world.server.hostile[name] = serves(endless_blob())
    return world.server.url(name)


def unpacked(world: World, name: str) -> str:
    world.server.hostile[name] = serves(bomb())
    return world.server.url(name)


def many_objects(world: World, name: str) -> str:
    world.server.hostile[name] = serves(endless_objects())
    return world.server.url(name)


def slow_server(world: World, name: str) -> str:
    world.server.hostile[name] = drips()
    return world.server.url(name)


def redirect(world: World, name: str) -> str:
    world.server.hostile[name] = redirects(f"https://127.0.0.1:{world.trap.port}/x")
    return world.server.url(name)


def redirect_of_the_pack(world: World, name: str) -> str:
    world.server.hostile[name] = redirects("http://169.254.169.254/latest", status=301)
    return world.server.url(name)


def bundle_uri(world: World, name: str) -> str:
    repo = world.repo(name)
    repo.commit()
    for key, value in (
        ("uploadpack.advertiseBundleURIs", "true"),
        ("bundle.version", "1"),
        ("bundle.mode", "all"),
        ("bundle.one.uri", f"https://127.0.0.1:{world.trap.port}/bundle"),
    ):
        repo.git("config", key, value)
    return str(repo.path)


def plain(world: World, name: str) -> str:
    repo = world.repo(name)
    repo.commit()
    return str(repo.path)


ORIGINS: dict[str, Origin] = {
    "git-ref-like-an-option": plain,
    "git-submodule": submodule,
    "git-link-out": link_out,
    "git-link-in-a-name": link_in_a_name,
    "git-filter-driver": filter_driver,
    "git-hook": hook,
    "git-lfs-pointer": lfs_pointer,
    "git-million-files": million_files,
    "git-alternates": alternates,
    "git-ten-gigabytes": ten_gigabytes,
    "git-bomb": unpacked,
    "git-endless-objects": many_objects,
    "git-slow-server": slow_server,
    "git-redirect": redirect,
    "git-redirect-of-the-pack": redirect_of_the_pack,
    "git-bundle-uri": bundle_uri,
}


class Gits:
    """Where the gallery's repositories stand; a context manager that takes them down."""

    def __init__(self) -> None:
        self._undo = ExitStack()

    def __enter__(self) -> "Gits":
        base = self._undo.enter_context(open_base())
        (base / "local").mkdir(mode=0o755)
        self._store = base / "store"
        certificates = Certificates.make(base / "tls", "localhost")
        server = HttpsServer(Repositories.make(base / "repos"), certificates).start()
        self._undo.callback(server.stop)
        trap = self._undo.enter_context(Trap())
        self._world = World(Shelf(base / "local", self._store), server, trap)
        self._access = Access(
            local_root=base / "local",
            private_hosts=frozenset({f"localhost:{server.port}"}),
            ca_file=certificates.authority,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def run(self, case: Case) -> Ending:
        """Fetch one case within small bounds; the code of the refusal, or `fetched`."""
        if case.name == REBINDING:
            return self._rebound()
        url = case.page.get("url") or ORIGINS[case.name](self._world, case.name)
        bounds = Bounds(8 << 20, 1000, float(case.page.get("seconds", SECONDS)))
        verdict, told = ("fetched", None), ""
        began = time.monotonic()
        try:
            ref = case.page.get("ref", "main")
            fetch(url, ref, store=self._store, bounds=bounds, access=self._access)
        except RostrumError as refused:
            verdict, told = (refused.code, refused.detail), refused.message
        seconds = time.monotonic() - began
        return Ending(verdict, told=f"{told}{self._harm()}", seconds=seconds)

    def _rebound(self) -> Ending:
        """The name that moves: asked for once, and nobody comes to our own port."""
        folder = self._store.parent / REBINDING
        folder.mkdir(mode=0o755)
        apart = ("unshare", "--net", "--mount", "--propagation", "private", "--")
        here = Path(__file__).resolve()
        began = time.monotonic()
        done = subprocess.run(
            [*apart, sys.executable, str(here.with_name("gitrebinding.py")), str(folder)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, here.parents[:2]))},
            capture_output=True,
            check=True,
            timeout=60,
        )
        code, detail, asked, visits = json.loads(done.stdout)
        told = "" if (asked, visits) == (1, 0) else f"HARM: asked {asked} times, {visits} visits"
        return Ending((code, detail), told=told, seconds=time.monotonic() - began)

    def _harm(self) -> str:
        """What happened that must not: a command ran, a port was visited."""
        found = []
        if MARK.exists():
            found.append(f"HARM: {MARK} was made")
        if self._world.trap.visits:
            found.append("HARM: the trap was visited")
        return " ".join(found)

    def check(self) -> None:
        """When all have ended: nothing half-fetched is left."""
        assert self._world.shelf.leftovers() == []
