"""Fetches one commit of a submission's repository as a read-only tree, in a child of its own.

The child has an explicit environment, an unprivileged user, limits on file size, memory and time,
and a session of its own; the parent ends that session at the deadline and reads one bounded line.
What arrives stands at `<store>/<key of the address>/<commit>`, put there in one step, owned by
us, without `.git`; the same commit is never fetched twice. A private tree is kept apart by its
owner, so nobody else is given it for knowing its address and its commit.
"""

import json
import os
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Event

from leaderboard.vault import Secret
from worker.fetch import kept
from worker.fetch.child import ask, make_folder, scratch
from worker.fetch.request import Access, Bounds, Request

__all__ = ["Access", "Bounds", "Fetched", "Secret", "fetch", "resolve"]


@dataclass(frozen=True, slots=True)
class Fetched:
    """One exported commit: its tree stands at `path`, of so many bytes and files."""

    commit: str
    path: Path
    bytes: int
    files: int


def fetch(
    url: str,
    ref: str,
    *,
    store: Path,
    bounds: Bounds,
    access: Access,
    secret: Secret | None = None,
    owner: str = "",
    stop: Event | None = None,
) -> Fetched:
    """Fetch `ref` (a 40-digit commit, a branch or a tag) of `url` into `store`.

    `secret` opens the repository, and `owner` says whose private tree that is then. Raises
    `SubmissionError` (`clone_refused`, `commit_not_found`, `repo_too_large`), `OperatorError`
    (`disk_full`, `evaluator_bug`) or `Stopped`; always within `bounds.seconds` and a few seconds
    for ending and cleaning.
    """
    private, public = store / _key(url, owner), store / _key(url, "")
    known = _known(private, ref) or _known(public, ref)
    if known is not None:
        return known
    home = public if secret is None else private
    with scratch(store) as (folder, uid):
        kept.offer(home, folder, uid=uid)
        request = Request("fetch", url, ref, folder, store, uid, bounds, access, secret)
        answer = ask(request, seconds=bounds.seconds, stop=stop)
        return _placed(home, folder / "tree", answer, large=kept.listed(folder))


def resolve(
    url: str,
    ref: str,
    *,
    store: Path,
    seconds: float,
    access: Access,
    secret: Secret | None = None,
    stop: Event | None = None,
) -> str:
    """The full id of the commit that `ref` (a branch or tag) of `url` names now.

    Nothing is fetched; a full id is given back as it is, unasked. Raises as `fetch`, always
    within `seconds` and a few more.
    """
    with scratch(store) as (folder, uid):
        bounds = Bounds(seconds=seconds)
        request = Request("resolve", url, ref, folder, store, uid, bounds, access, secret)
        return str(ask(request, seconds=seconds, stop=stop)["commit"])


def _key(url: str, owner: str) -> str:
    """The name of the folder of an address; of one owner alone where the tree is private."""
    text = f"{owner}\0{url}" if owner else url
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _known(home: Path, ref: str) -> Fetched | None:
    """The commit where it already stands."""
    try:
        facts = json.loads((home / f"{ref}.json").read_text("utf-8")) if len(ref) == 40 else None
    except (OSError, ValueError):
        return None
    if facts is None or not (home / ref).is_dir():
        return None
    (home / f"{ref}.json").touch()
    return Fetched(ref, home / ref, facts["bytes"], facts["files"])


def _placed(home: Path, tree: Path, answer: dict[str, object], *, large: dict[str, str]) -> Fetched:
    """Take the tree over and move it to its name in one step."""
    make_folder(home)
    commit = str(answer["commit"])
    fetched = Fetched(commit, home / commit, int(str(answer["bytes"])), int(str(answer["files"])))
    if os.geteuid() == 0:
        _own(tree)
    try:
        tree.rename(fetched.path)
    except OSError:
        if not fetched.path.is_dir():  # another fetch of the same commit may have been first
            raise
    fetched.path.chmod(0o555)
    facts = home / f"{commit}.json"
    draft = facts.with_suffix(f".{os.getpid()}-{time.monotonic_ns()}")
    known = {"bytes": fetched.bytes, "files": fetched.files} | ({"large": large} if large else {})
    draft.write_text(json.dumps(known), "utf-8")
    draft.replace(facts)
    return fetched


def _own(tree: Path) -> None:
    """Make everything below `tree` ours, following no link."""
    for _, folders, files, descriptor in os.fwalk(tree, follow_symlinks=False):
        os.fchown(descriptor, 0, 0)
        for name in (*folders, *files):
            os.chown(name, 0, 0, dir_fd=descriptor, follow_symlinks=False)
