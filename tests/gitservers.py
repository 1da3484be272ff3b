"""Real git servers on loopback: an sshd with git-shell, and smart HTTP over TLS, both private.

`GitHost` runs both over the same bare repositories. `SshServer` knows deploy keys as git hosts do:
one key opens one repository, read-only.
"""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from githttps import Certificates, HttpsServer
from gitrepos import GIT_UID, Repo, Repositories, open_base

from worker.fetch import Access, Bounds, Fetched, Secret, fetch

REBOUND = "git.rebound.example"
"""A further name of the https server's certificate, that only a name server of a test knows."""

DEPLOY = """\
#!/bin/sh
# one deploy key opens one repository, for reading
case "$SSH_ORIGINAL_COMMAND" in
  "git-upload-pack '/$1'") exec git-upload-pack "{repos}/$1" ;;
  "git-receive-pack "*) echo "ERROR: The key you are authenticating with is read only." >&2 ;;
  *) echo "ERROR: Repository not found." >&2 ;;
esac
exit 1
"""

SSHD = """\
ListenAddress 127.0.0.1:{port}
HostKey {base}/host_key
PidFile none
AuthorizedKeysFile {base}/authorized_keys
StrictModes no
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
AllowUsers git
{protocol}
PrintMotd no
LogLevel VERBOSE
"""


def free_port() -> int:
    """A port of loopback that nobody has now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class SshServer:
    """An sshd of its own: own port, own host key, one account `git` whose shell is git-shell."""

    repositories: Repositories
    base: Path
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    @classmethod
    def make(
        cls, repositories: Repositories, base: Path, *, protocol: str = "AcceptEnv GIT_PROTOCOL"
    ) -> "SshServer":
        """One in `base`; without `protocol` it speaks the oldest version of git's own."""
        base.mkdir()
        base.chmod(0o755)
        server = cls(repositories, base)
        server.new_host_key()
        commands = base / "git-shell-commands"
        commands.mkdir()
        script = commands / "deploy"
        script.write_text(DEPLOY.format(repos=repositories.root), "utf-8")
        script.chmod(0o755)
        (base / "authorized_keys").touch()
        account = f"git:x:{GIT_UID}:{GIT_UID}::{base}:{shutil.which('git-shell')}\n"
        (base / "passwd").write_text(Path("/etc/passwd").read_text("utf-8") + account, "utf-8")
        (base / "config").write_text(
            SSHD.format(base=base, port=server.port, protocol=protocol), "utf-8"
        )
        return server

    def new_host_key(self) -> None:
        """Make the machine another one; a running server must be restarted."""
        for old in self.base.glob("host_key*"):
            old.unlink()
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.base / "host_key")]
        subprocess.run(command, check=True, timeout=60)

    def start(self) -> "SshServer":
        """Start it in a mount namespace, where it has its account and its folder in /run."""
        steps = (
            f"mount --bind '{self.base}/passwd' /etc/passwd",
            "mount -t tmpfs none /run",
            "mkdir -m 755 /run/sshd",
            f"exec /usr/sbin/sshd -D -e -f '{self.base}/config'",
        )
        with (self.base / "log").open("ab") as log:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "sh", "-ec", "\n".join(steps)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_for_port(self.port)
        return self

    def stop(self) -> None:
        """End it; connections that it still serves end by themselves."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=30)
            self.process = None

    def url(self, name: str) -> str:
        """The address of a repository."""
        return f"ssh://git@localhost:{self.port}/{name}"

    def known_hosts(self, host: str = "localhost") -> str:
        """The line that pins this server's key."""
        kind, key, *_ = (self.base / "host_key.pub").read_text("ascii").split()
        return f"[{host}]:{self.port} {kind} {key}\n"

    def allow(self, public_key: str, name: str) -> None:
        """Register a deploy key, for reading one repository."""
        self.force(public_key, f"deploy {name}")

    def force(self, public_key: str, command: str) -> None:
        """Let a key run one command of the account's shell."""
        with (self.base / "authorized_keys").open("a", encoding="ascii") as file:
            file.write(f'restrict,command="{command}" {public_key}\n')

    def command(self, name: str, script: str) -> None:
        """Give the account another command, for `force`."""
        path = self.base / "git-shell-commands" / name
        path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
        path.chmod(0o755)

    def log(self) -> str:
        """What it said."""
        return (self.base / "log").read_text("utf-8", "replace")


def wait_for_port(port: int, *, host: str = "127.0.0.1", seconds: float = 20) -> None:
    """Wait until somebody listens."""
    deadline = time.monotonic() + seconds
    while True:
        with closing(socket.socket()) as probe:
            if probe.connect_ex((host, port)) == 0:
                return
        assert time.monotonic() < deadline, f"nobody listens at {host}:{port}"
        time.sleep(0.02)


@dataclass(frozen=True)
class GitHost:
    """A lab's git host: the same private repositories over ssh and https."""

    base: Path
    repositories: Repositories
    ssh: SshServer
    https: HttpsServer

    @classmethod
    @contextmanager
    def running(cls) -> Iterator["GitHost"]:
        """One that runs for as long as it is needed."""
        with open_base() as base:
            repositories = Repositories.make(base / "repos")
            certificates = Certificates.make(base / "tls", "localhost", REBOUND)
            https = HttpsServer(repositories, certificates).start()
            ssh = SshServer.make(repositories, base / "ssh").start()
            try:
                yield cls(base, repositories, ssh, https)
            finally:
                ssh.stop()
                https.stop()

    def fetch(
        self,
        url: str,
        ref: str = "main",
        *,
        secret: Secret | None = None,
        access: Access | None = None,
        seconds: float = 60,
        max_bytes: int = 1 << 20,
        owner: str = "team",
    ) -> Fetched:
        """Fetch as a worker does whose organizer has set what `access` says."""
        return fetch(
            url,
            ref,
            store=self.base / "store",
            bounds=Bounds(max_bytes, 100, seconds),
            access=access or self.access(),
            secret=secret,
            owner=owner,
        )

    def leftovers(self) -> list[Path]:
        """What a fetch may have left behind, the finished trees apart."""
        return list((self.base / "store").glob(".fetch-*"))

    def work(self, name: str) -> Repo:
        """A work tree to fill, then to put at a name by `repositories.add`."""
        repo = Repo(self.base / "work" / name)
        repo.path.mkdir(parents=True)
        repo.git("init", "--quiet", "--initial-branch=main")
        return repo

    def access(self) -> Access:
        """What an organizer sets so that this host, in a private range, is cloned from."""
        known_hosts = self.base / "known_hosts"
        known_hosts.write_text(self.ssh.known_hosts(), "ascii")
        return Access(
            private_hosts=frozenset({"localhost"}),
            ca_file=self.https.certificates.authority,
            known_hosts=known_hosts,
        )
