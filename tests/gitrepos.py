"""Repositories to fetch, made with plain git: work trees, bare private ones, a local shelf."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from worker.fetch import Access, Bounds, Fetched, fetch

GIT_UID = 59_800
"""The servers' user: it has the repositories, and no account outside of their namespace."""

_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "team",
    "GIT_AUTHOR_EMAIL": "team@example.org",
    "GIT_COMMITTER_NAME": "team",
    "GIT_COMMITTER_EMAIL": "team@example.org",
}


@dataclass(frozen=True)
class Repo:
    """A work tree of a team, whose `.git` is what is fetched."""

    path: Path

    def git(self, *arguments: str, text: str | None = None) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.path), *arguments],
            env=_ENVIRONMENT,
            input=text,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout.strip()

    def write(self, name: str, content: str = "x = 1\n") -> None:
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, "utf-8")

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", "work")
        return self.git("rev-parse", "HEAD")

    def commit_entry(self, mode: str, identity: str, name: str) -> str:
        """Commit a tree entry that no work tree can hold."""
        self.git("update-index", "--add", "--cacheinfo", f"{mode},{identity},{name}")
        self.git("commit", "--quiet", "-m", "entry")
        return self.git("rev-parse", "HEAD")

    def commit_tree(self, entries: str) -> str:
        """Commit a tree made by hand, on main."""
        tree = self.git("mktree", "--missing", text=entries)
        commit = self.git("commit-tree", tree, "-m", "tree")
        self.git("update-ref", "refs/heads/main", commit)
        return commit

    def blob(self, content: str) -> str:
        return self.git("hash-object", "-w", "--stdin", text=content)


@dataclass(frozen=True)
class Shelf:
    """A root of local repositories and a store that they are fetched into."""

    root: Path
    store: Path

    def repo(self, name: str = "team") -> Repo:
        repo = Repo(self.root / name)
        repo.path.mkdir()
        repo.git("init", "--quiet", "--initial-branch=main")
        return repo

    def fetch(
        self,
        repo: Repo | str,
        ref: str = "main",
        *,
        max_bytes: int = 1 << 20,
        max_files: int = 100,
        seconds: float = 60,
    ) -> Fetched:
        return fetch(
            repo if isinstance(repo, str) else str(repo.path),
            ref,
            store=self.store,
            bounds=Bounds(max_bytes, max_files, seconds),
            access=Access(self.root),
        )

    def leftovers(self) -> list[Path]:
        """What a fetch may have left behind, the finished trees apart."""
        return list(self.store.glob(".fetch-*")) if self.store.is_dir() else []


@dataclass(frozen=True)
class Repositories:
    """Bare repositories below `root`, that nobody but the servers' user may look into."""

    root: Path

    @classmethod
    def make(cls, root: Path) -> "Repositories":
        root.mkdir(mode=0o700)
        os.chown(root, GIT_UID, GIT_UID)
        return cls(root)

    def add(self, name: str, source: Path) -> None:
        """Put what stands in the work tree `source` at `name` (branches and tags), once more."""
        target = self.root / name
        shutil.rmtree(target, ignore_errors=True)
        subprocess.run(
            ["git", "clone", "--quiet", "--mirror", "--", str(source), str(target)],
            check=True,
            timeout=60,
            env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"},
        )
        for folder, _, files in os.walk(target):
            os.chown(folder, GIT_UID, GIT_UID)
            for file in files:
                os.chown(Path(folder) / file, GIT_UID, GIT_UID)

    def setting(self, name: str, key: str, value: str) -> None:
        """Configure one repository on the server's side."""
        subprocess.run(
            ["git", "config", "--file", str(self.root / name / "config"), key, value],
            check=True,
            timeout=60,
        )


@contextmanager
def open_base() -> Iterator[Path]:
    """A folder that every user can pass, unlike pytest's; gone afterwards."""
    base = Path(tempfile.mkdtemp(prefix="rostrum-git-", dir="/var/tmp"))
    base.chmod(0o711)
    try:
        yield base
    finally:
        subprocess.run(["chmod", "-R", "u+rwX", str(base)], check=True)
        shutil.rmtree(base)
