"""Makes a folder a private bare repository, the same commit for the same files every time."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from harness.errors import UsageError

BRANCH = "main"
_SECONDS = 120.0
_ENVIRONMENT = {
    "LC_ALL": "C",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Rostrum demo",
    "GIT_AUTHOR_EMAIL": "demo@rostrum.invalid",
    "GIT_AUTHOR_DATE": "2020-01-01T00:00:00Z",
    "GIT_COMMITTER_NAME": "Rostrum demo",
    "GIT_COMMITTER_EMAIL": "demo@rostrum.invalid",
    "GIT_COMMITTER_DATE": "2020-01-01T00:00:00Z",
}


def make(repo: Path, folder: Path) -> str:
    """`repo`, a bare repository readable by its owner alone, with `folder` on its one branch.

    The commit's id, 40 hex digits. A repository that is there already is kept.
    """
    if not repo.is_dir():
        repo.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{repo.name}.", dir=repo.parent))
        try:
            _fill(fresh, folder)
            fresh.rename(repo)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
    return _git(repo, "rev-parse", "--verify", f"refs/heads/{BRANCH}")


def _fill(repo: Path, folder: Path) -> None:
    _git(repo, "init", "--quiet", "--bare", f"--initial-branch={BRANCH}")
    _git(repo, f"--work-tree={folder}", "add", "--all", "--force")
    _git(repo, f"--work-tree={folder}", "commit", "--quiet", "--message", "The demo's entry")
    (repo / "index").unlink()


def _git(repo: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603  # the demo's own arguments
            ["git", f"--git-dir={repo}", *arguments],  # noqa: S607  # the user's own git
            env={"PATH": os.environ.get("PATH", os.defpath), **_ENVIRONMENT},
            cwd=repo,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise UsageError("git is not installed; the demo makes repositories with it") from error
    if done.returncode:
        raise UsageError(f"git {arguments[0]} failed in {repo}: {done.stderr.strip()[-300:]}")
    return done.stdout.strip()
