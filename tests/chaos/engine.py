"""A container engine of the test's own, which may be killed: never the machine's.

Its data, its socket and its containers stand in a folder of its own, without any network. The
runtime's image is carried over once, without what a toy agent does not need.
"""

import os
import subprocess
import time
from pathlib import Path

import services

IMAGE_SECONDS = 120
LEFT_OUT = (
    "./proc",
    "./sys",
    "./dev",
    "./opt/wheels",
    "./usr/share",
    *(f"site-packages/{name}*" for name in ("torch", "sympy", "networkx", "pip", "setuptools")),
    "__pycache__",
)


class Engine(services.Server):
    """One dockerd; `url` is what `DOCKER_HOST` is given."""

    account = "root"

    @property
    def url(self) -> str:
        """Its socket."""
        return f"unix://{self.folder}/docker.sock"

    def carry(self, tag: str) -> None:
        """Take over the machine's image of this tag, as far as a toy agent needs it."""
        left_out = [f"--exclude={path}" for path in LEFT_OUT]
        tar = ("tar", "--directory", "/", "--create", *left_out, ".")
        walls = ("--rm", "--network", "none", "--user", "0", "--entrypoint")
        with subprocess.Popen(
            ["docker", "run", *walls, tar[0], tag, *tar[1:]], stdout=subprocess.PIPE
        ) as packed:
            self.docker("import", "-", tag, stdin=packed.stdout)
        assert packed.returncode == 0

    def docker(self, *arguments: str, stdin: object = None) -> str:
        """The output of one command to this engine."""
        done = subprocess.run(
            ["docker", *arguments],
            env={"PATH": os.environ["PATH"], "DOCKER_HOST": self.url, "HOME": str(self.folder)},
            stdin=stdin,  # type: ignore[arg-type]  # a pipe, or None
            capture_output=True,
            text=True,
            timeout=IMAGE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def close(self) -> None:
        """End it with all its containers; remove its files."""
        if self.folder.exists():
            self.start()  # one that was killed leaves containers, which only an engine ends
            if held := self.docker("ps", "--all", "--quiet").split():
                self.docker("rm", "--force", *held)
            self.stop()
            self._unmount()
        super().close()

    def _unmount(self) -> None:
        """What it has mounted below its folder, the deepest first."""
        places = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        for place in sorted((p for p in places if p.startswith(f"{self.folder}/")), reverse=True):
            subprocess.run(["umount", "--lazy", place], check=False, timeout=30)

    def _variables(self) -> dict[str, str]:
        return super()._variables() | {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}

    def _command(self) -> list[str]:
        (self.folder / "docker.pid").unlink(missing_ok=True)
        return [
            *("unshare", "--net"),  # one without a bridge would remove the machine's docker0
            "dockerd",
            *("--host", self.url, "--pidfile", str(self.folder / "docker.pid")),
            *("--data-root", str(self.folder / "data"), "--exec-root", str(self.folder / "exec")),
            *("--bridge", "none", "--iptables=false", "--ip6tables=false", "--log-level", "error"),
        ]

    def _answers(self) -> bool:
        asked = subprocess.run(
            ["docker", "--host", self.url, "version"], capture_output=True, timeout=20, check=False
        )
        return asked.returncode == 0


def away(engine: Engine, *, orderly: bool, seconds: float) -> None:
    """End the engine, leave it away for `seconds`, start it again."""
    engine.stop() if orderly else engine.kill()
    time.sleep(seconds)
    engine.start()
