"""Runs git with arguments and an environment of our own, through GitPython, and reads its answers.

No system or user configuration, no prompt, no hook, no submodule, no filter, no redirect, no
credential helper, one transport. No text from outside is ever an option: the address stands
after `--`, the ref is a full commit id or begins with `refs/heads/`.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import git

from harness.errors import OperatorError, RostrumError, SubmissionError
from worker.fetch.address import Address, resolve

COMMIT = re.compile(r"[0-9a-f]{40}\Z")
_BRANCH = re.compile(r"(?!-)[A-Za-z0-9._+/-]{1,200}\Z")
_STDERR = 16_384

_CONFIGURATION = {
    "core.hooksPath": "/dev/null",
    "core.symlinks": "false",
    "core.fsmonitor": "false",
    "core.attributesFile": "/dev/null",
    "core.bigFileThreshold": "16m",
    "core.packedGitWindowSize": "32m",
    "core.packedGitLimit": "256m",
    "core.deltaBaseCacheLimit": "64m",
    "credential.helper": "",
    "fetch.recurseSubmodules": "false",
    "fetch.unpackLimit": "1",
    "fetch.writeCommitGraph": "false",
    "gc.auto": "0",
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "30",
    "http.proxy": "",
    "init.defaultBranch": "main",
    "init.templateDir": "",
    "maintenance.auto": "false",
    "pack.threads": "1",
    "protocol.allow": "never",
    "protocol.version": "2",
    "submodule.recurse": "false",
    "transfer.bundleURI": "false",
    "transfer.fsckObjects": "true",
}
_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LC_ALL": "C",
    "GIT_ASKPASS": "/bin/false",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_SSH_COMMAND": "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes"
    " -o ClearAllForwardings=yes -o PermitLocalCommand=no -o ProxyCommand=none",
    "GIT_SSH_VARIANT": "ssh",
    "GIT_TERMINAL_PROMPT": "0",
    "SSH_ASKPASS": "/bin/false",
}

_SIGNS: tuple[tuple[str, str, str | None], ...] = (
    ("couldn't find remote ref", "commit_not_found", None),
    ("not our ref", "commit_not_found", None),
    ("unadvertised object", "commit_not_found", None),
    ("signal 25", "repo_too_large", "bytes"),
    ("file too large", "repo_too_large", "bytes"),
    ("out of memory", "repo_too_large", "bytes"),
    ("malloc failed", "repo_too_large", "bytes"),
    ("transport", "clone_refused", "address"),
    ("redirect", "clone_refused", "address"),
    ("timed out", "clone_refused", "timeout"),
    ("too slow", "clone_refused", "timeout"),
    ("fsck", "clone_refused", "damaged"),
    ("index-pack", "clone_refused", "damaged"),
    ("bad object", "clone_refused", "damaged"),
    ("corrupt", "clone_refused", "damaged"),
)
"""What git's own lines mean; the first sign that is found decides, `access` if none is."""


def environment(scratch: Path, address: Address) -> dict[str, str]:
    """All that git is told besides its arguments; `scratch` is its home."""
    pairs = dict(_CONFIGURATION)
    extra: dict[str, str] = {}
    if address.scheme == "https":
        pairs["http.curloptResolve"] = f"{address.host}:{address.port}:{resolve(address)}"
    elif address.scheme == "ssh":
        pinned = resolve(address)
        extra["GIT_SSH_COMMAND"] = (
            f"{_ENVIRONMENT['GIT_SSH_COMMAND']} -o HostKeyAlias={address.host} -o HostName={pinned}"
        )
    for number, (key, value) in enumerate(pairs.items()):
        extra[f"GIT_CONFIG_KEY_{number}"] = key
        extra[f"GIT_CONFIG_VALUE_{number}"] = value
    return {
        **_ENVIRONMENT,
        **extra,
        "HOME": str(scratch),
        "GIT_ALLOW_PROTOCOL": address.scheme,
        "GIT_CONFIG_COUNT": str(len(pairs)),
    }


def wanted(ref: str) -> str:
    """The full name of what to fetch: a 40-digit commit, or `refs/heads/NAME`.

    A name that git itself would not accept for a branch is `commit_not_found`.
    """
    if COMMIT.match(ref):
        return ref
    name = ref.removeprefix("refs/heads/")
    parts = name.split("/")
    if (
        not _BRANCH.match(name)
        or ".." in name
        or any(not part or part.startswith(".") or part.endswith((".lock", ".")) for part in parts)
    ):
        raise SubmissionError("commit_not_found", message="this is not the name of a branch")
    return f"refs/heads/{name}"


class Repository:
    """A bare repository in `folder`, made empty, that git reaches with `variables` only."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self.folder = folder
        self.git = git.cmd.Git(str(folder.parent))
        self.variables = dict(variables)
        status, said = self._run("init", "--quiet", "--bare", "--", str(folder))
        if status != 0:
            raise RuntimeError(f"git init failed: {said[-500:]}")

    def fetch(self, url: str, ref: str) -> str:
        """Fetch one commit without its history; its id. `ref` comes from `wanted`."""
        status, said = self._run(
            f"--git-dir={self.folder}",
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-recurse-submodules",
            "--depth=1",
            "--",
            url,
            f"+{ref}:refs/rostrum/fetched",
        )
        if status != 0:
            raise _explained(said)
        return self._commit(ref)

    def listing(self, commit: str) -> Iterator[bytes]:
        """The entries of `git ls-tree -r -z -l`, one at a time, each at most 8 KiB."""
        process = self._open("ls-tree", "-r", "-z", "-l", "--full-tree", commit)
        rest = b""
        while chunk := process.stdout.read(65_536):
            *whole, rest = (rest + chunk).split(b"\0")
            yield from whole
            if len(rest) > 8192:
                raise damaged("the tree holds a path that is too long")
        if rest or process.wait() != 0:
            raise damaged("the tree cannot be read")

    def blobs(self) -> "Blobs":
        """A reader of file contents."""
        return Blobs(self._open("cat-file", "--batch"))

    def _commit(self, ref: str) -> str:
        status, out, _ = self.git.execute(
            [
                "git",
                f"--git-dir={self.folder}",
                "rev-parse",
                "--verify",
                "--quiet",
                "refs/rostrum/fetched^{commit}",
            ],
            env=self.variables,
            with_extended_output=True,
            with_exceptions=False,
        )
        commit = str(out).strip()
        if status != 0 or not COMMIT.match(commit) or (COMMIT.match(ref) and commit != ref):
            raise SubmissionError("commit_not_found", message="the id does not name a commit")
        return commit

    def _run(self, *arguments: str) -> tuple[int, str]:
        """Exit status and the end of standard error of one git."""
        status, _, said = self.git.execute(
            ["git", *arguments],
            env=self.variables,
            with_extended_output=True,
            with_exceptions=False,
        )
        return int(status), str(said)[-_STDERR:]

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
        self.process.stdin.write(identity.encode("ascii") + b"\n")
        self.process.stdin.flush()
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


def _explained(said: str) -> RostrumError:
    """The error that git's own lines (not those of the other side) stand for."""
    lines = [line for line in said.lower().splitlines() if not line.startswith("remote: ")]
    text = "\n".join(lines)
    if "no space left on device" in text:
        return OperatorError("disk_full")
    for sign, code, detail in _SIGNS:
        if sign in text:
            return SubmissionError(code, detail=detail)
    return SubmissionError("clone_refused", detail="access")
