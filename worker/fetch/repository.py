"""Runs git with fixed arguments through GitPython, and reads its answers within bounds.

No text from outside is ever an option: the address stands after `--`, the ref is a full commit id
or begins with `refs/`. What git is told besides stands in `worker.fetch.transport`.
"""

import os
import re
import resource
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import git

from harness.errors import OperatorError, RostrumError, SubmissionError

COMMIT = re.compile(r"[0-9a-f]{40}\Z")
_NAME = re.compile(r"(?!-)[A-Za-z0-9._+/-]{1,200}\Z")
OLDEST = (2, 37)
"""The first version of git that can be told the IP address of an https host."""

_STDERR = 16_384
_ADVERTISED = 64 << 10
_FULL_DISK_BYTES = 256 << 20

_FETCHED = "refs/rostrum/fetched"
_UNADVERTISED = "unadvertised object"

_SIGNS: tuple[tuple[str, str, str | None], ...] = (
    ("couldn't find remote ref", "commit_not_found", None),
    ("not our ref", "commit_not_found", None),
    (_UNADVERTISED, "commit_not_found", None),
    ("signal 25", "repo_too_large", "bytes"),
    ("file too large", "repo_too_large", "bytes"),
    ("out of memory", "repo_too_large", "bytes"),
    ("malloc failed", "repo_too_large", "bytes"),
    ("host key verification failed", "clone_refused", "host_key"),
    ("certificate", "clone_refused", "certificate"),
    ("connect to host", "clone_refused", "unreachable"),
    ("failed to connect", "clone_refused", "unreachable"),
    ("couldn't connect", "clone_refused", "unreachable"),
    ("returned error: 5", "clone_refused", "unreachable"),
    ("returned error: 30", "clone_refused", "address"),
    ("redirect", "clone_refused", "address"),
    ("transport", "clone_refused", "address"),
    ("timed out", "clone_refused", "timeout"),
    ("too slow", "clone_refused", "timeout"),
    ("fsck", "clone_refused", "damaged"),
    ("index-pack", "clone_refused", "damaged"),
    ("bad object", "clone_refused", "damaged"),
    ("corrupt", "clone_refused", "damaged"),
    ("protocol error", "clone_refused", "damaged"),
    ("early eof", "clone_refused", "damaged"),
)
"""What lines of git and ssh mean; the first sign that is found decides.

A hostile server can choose among these, and nothing more: all are the submission's own fault.
"""

_OTHERWISE = ("", "clone_refused", "access")
_BOILERPLATE = (
    "Could not read from remote repository.",
    "Please make sure you have",
    "and the re",
    "@@@",
)


def wanted(ref: str) -> tuple[str, ...]:
    """The full names that `ref` may stand for, in the order of preference.

    That is a 40-digit commit, `refs/heads/NAME`, `refs/tags/NAME`; a bare name is a branch, or
    else a tag. A name that git itself would not accept is `commit_not_found`.
    """
    if COMMIT.match(ref):
        return (ref,)
    folders = [folder for folder in ("refs/heads/", "refs/tags/") if ref.startswith(folder)]
    name = ref.removeprefix(folders[0]) if folders else ref
    parts = name.split("/")
    if (
        not _NAME.match(name)
        or ".." in name
        or any(not part or part.startswith(".") or part.endswith((".lock", ".")) for part in parts)
    ):
        raise SubmissionError("commit_not_found", message="this is no name of a branch or tag")
    return tuple(f"{folder}{name}" for folder in folders or ("refs/heads/", "refs/tags/"))


class Repository:
    """A bare repository in `folder`, made empty, that git reaches with `variables` only."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self.folder = folder
        self.git = git.cmd.Git(str(folder.parent))
        self.variables = dict(variables)
        self._expect_version()
        status, said = self._run("init", "--quiet", "--bare", "--", str(folder))
        if status != 0:
            code = "disk_full" if self._disk_is_full() else "evaluator_bug"
            raise OperatorError(code, message=f"git init failed: {said[-500:]}")

    def fetch(self, url: str, refs: Sequence[str]) -> str:
        """Fetch one commit without its history; its id. `refs` come from `wanted`."""
        *others, last = refs
        for ref in others:
            try:
                return self._fetch(url, ref)
            except SubmissionError as error:
                if error.code != "commit_not_found":
                    raise
        try:
            return self._fetch(url, last)
        except SubmissionError as error:
            if _UNADVERTISED not in error.message:
                raise
        return self._dig(url, last)

    def resolve(self, url: str, refs: Sequence[str]) -> str:
        """The id of the commit that one of `refs` names there; a tag stands for its commit."""
        if COMMIT.match(refs[0]):
            return refs[0]
        names = [name for ref in refs for name in (f"{ref}^{{}}", ref)]
        process = self._open("ls-remote", "--quiet", "--", url, *names)
        advertised = process.stdout.read(_ADVERTISED).decode("ascii", "replace")
        if process.stdout.read(1):
            raise damaged("the server names more than it was asked for")
        said = process.stderr.read(_STDERR).decode("utf-8", "replace")
        if _status(process) != 0:
            raise self._explained(said, url=url)
        found: dict[str, str] = {}
        for line in advertised.splitlines():
            identity, _, name = line.partition("\t")
            found[name] = identity
        for name in names:
            if COMMIT.match(identity := found.get(name, "")):
                return identity
        raise SubmissionError("commit_not_found", message="there is no such branch or tag")

    def _fetch(self, url: str, ref: str) -> str:
        self._bring("--depth=1", url=url, wanted=(f"+{ref}:{_FETCHED}",))
        commit = self._commit(_FETCHED)
        if COMMIT.match(ref) and commit != ref:
            raise SubmissionError("commit_not_found", message="the id does not name a commit")
        return commit

    def _dig(self, url: str, commit: str) -> str:
        """A commit that an old server gives to nobody by its id: it comes with all branches."""
        heads = (f"+refs/{kind}/*:refs/rostrum/{kind}/*" for kind in ("heads", "tags"))
        self._bring(url=url, wanted=tuple(heads))
        return self._commit(commit)

    def _bring(self, *options: str, url: str, wanted: Sequence[str]) -> None:
        status, said = self._run(
            f"--git-dir={self.folder}",
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-recurse-submodules",
            *options,
            "--",
            url,
            *wanted,
        )
        if status != 0:
            raise self._explained(said, url=url)

    def listing(self, commit: str) -> Iterator[bytes]:
        """The entries of `git ls-tree -r -z -l`, one at a time, each at most 8 KiB."""
        process = self._open("ls-tree", "-r", "-z", "-l", "--full-tree", commit)
        rest = b""
        while chunk := process.stdout.read(65_536):
            *whole, rest = (rest + chunk).split(b"\0")
            yield from whole
            if len(rest) > 8192:
                raise damaged("the tree holds a path that is too long")
        if rest or _status(process) != 0:
            raise damaged("the tree cannot be read")

    def blobs(self) -> "Blobs":
        """A reader of file contents."""
        return Blobs(self._open("cat-file", "--batch"))

    def _expect_version(self) -> None:
        """An older git does not know `http.curloptResolve`, and would look the host up again."""
        _, said, _ = self.git.execute(
            ["git", "version"],
            env=self.variables,
            with_extended_output=True,
            with_exceptions=False,
        )
        found = re.match(r"git version (\d+)\.(\d+)", str(said))
        if found is None or (int(found[1]), int(found[2])) < OLDEST:
            needed = ".".join(map(str, OLDEST))
            raise OperatorError(
                "evaluator_bug", message=f"git {needed} or later is needed, this is {said!r}"
            )

    def _commit(self, name: str) -> str:
        """The commit that a name of ours, or a full id, stands for here."""
        status, out, _ = self.git.execute(
            [
                "git",
                f"--git-dir={self.folder}",
                "rev-parse",
                "--verify",
                "--quiet",
                f"{name}^{{commit}}",
            ],
            env=self.variables,
            with_extended_output=True,
            with_exceptions=False,
        )
        commit = str(out).strip()
        if status != 0 or not COMMIT.match(commit):
            raise SubmissionError("commit_not_found", message="the id does not name a commit")
        return commit

    def _explained(self, said: str, *, url: str) -> RostrumError:
        """The error that git's lines stand for, the words of the address left out."""
        lines = [line for line in said.splitlines() if not line.startswith("remote: ")]
        text = "\n".join(lines).lower().replace(url.lower(), "")
        if "no space left on device" in text and self._disk_is_full():
            return OperatorError("disk_full")
        if self._pack_is_full():
            return SubmissionError("repo_too_large", detail="bytes")
        _, code, detail = next((row for row in _SIGNS if row[0] in text), _OTHERWISE)
        return SubmissionError(code, detail=detail, message=f"git says: {_shown(lines)}")

    def _pack_is_full(self) -> bool:
        """Whether what arrived was cut at the limit: git is then ended without a word."""
        limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
        packs = (self.folder / "objects" / "pack").glob("tmp_pack_*")
        return limit > 0 and any(pack.stat().st_size >= limit for pack in packs)

    def _disk_is_full(self) -> bool:
        """A server of the team's can write that sentence, too; what the disk says it cannot."""
        disk = os.statvfs(self.folder.parent)
        return disk.f_bavail * disk.f_frsize < _FULL_DISK_BYTES or disk.f_favail < 1000

    def _run(self, *arguments: str) -> tuple[int, str]:
        """Exit status and the end of standard error of one git, however much it says."""
        process = self.git.execute(
            ["git", *arguments], env=self.variables, as_process=True, istream=-1
        )
        said = b""
        while chunk := process.stderr.read1(65_536):
            said = (said + chunk)[-_STDERR:]
        return _status(process), said.decode("utf-8", "replace")

    def _open(self, *arguments: str) -> git.cmd.Git.AutoInterrupt:
        return self.git.execute(
            ["git", f"--git-dir={self.folder}", *arguments],
            env=self.variables,
            as_process=True,
            istream=-1,
        )


class Blobs:
    """Reads file contents from one running `git cat-file --batch`."""

    def __init__(self, process: git.cmd.Git.AutoInterrupt) -> None:
        self.process = process

    def read(self, identity: str, *, size: int) -> Iterator[bytes]:
        """The content of one blob in chunks, exactly `size` bytes in all."""
        try:
            self.process.stdin.write(identity.encode("ascii") + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise damaged("the files of the tree cannot be read") from None
        header = self.process.stdout.readline(256)
        if header != f"{identity} blob {size}\n".encode("ascii"):
            raise damaged("a file of the tree cannot be read")
        left = size
        while left:
            chunk = self.process.stdout.read(min(left, 1 << 20))
            if not chunk:
                raise damaged("a file of the tree ends early")
            left -= len(chunk)
            yield chunk
        self.process.stdout.read(1)


def damaged(message: str) -> SubmissionError:
    """The refusal of a tree that git or we cannot read."""
    return SubmissionError("clone_refused", detail="damaged", message=message)


def _status(process: git.cmd.Git.AutoInterrupt) -> int:
    """How a git ended; GitPython's own `wait` would raise an error of its own."""
    return process.proc.wait() if process.proc is not None else 0


def _shown(lines: Sequence[str]) -> str:
    """What git and ssh say as one short harmless line."""
    said = [line.strip() for line in lines if not any(one in line for one in _BOILERPLATE)]
    text = " / ".join(filter(None, said))
    return "".join(sign if " " <= sign <= "~" else "?" for sign in text)[:400] or "nothing"
