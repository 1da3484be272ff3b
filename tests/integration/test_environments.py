"""Requirements in the real build sandboxes: what is installed, what hostile code finds there."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import packageindex
import pytest

from harness.errors import OperatorError, SubmissionError
from leaderboard.rules import Build
from worker.images import Environment, Runtime, prepare, prepare_environment
from worker.images.build import BuildError
from worker.images.recipe import read_recipe
from worker.place import Place
from worker.sandbox.choose import open_sandbox
from worker.settings import from_environment
from worker.stopped import Stopped

CANARY = "canary-5d1f0c"


@dataclass
class Shop:
    """One machine's build sandbox over a package index of its own."""

    runtime: Runtime
    place: Place
    wheels: Path
    base: Path

    def build(
        self,
        *lines: str,
        rules: Build | None = None,
        stop: threading.Event | None = None,
    ) -> Environment:
        file = self.base / f"{time.monotonic_ns()}.txt"
        file.write_text("\n".join(lines))
        made = prepare_environment(
            file,
            runtime=self.runtime,
            place=self.place,
            build=rules or Build(bytes=64 << 20),
            sandbox=open_sandbox(self.runtime.name, runtime=self.runtime),
            tell=lambda line: None,
            stop=stop,
        )
        assert made is not None
        return made

    def fails(self, *lines: str, rules: Build | None = None) -> BuildError:
        with pytest.raises(BuildError) as raised:
            self.build(*lines, rules=rules)
        assert [path for path in self.place.environments.iterdir() if path.is_dir()] == []
        return raised.value


class SharedPlace(Place):
    """A place of its own, whose user ids are still those that the whole machine agrees on."""

    @property
    def slots(self) -> Path:
        return Place.open(from_environment().sandbox_directory).slots


SANDBOXES = [
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("bubblewrap", marks=pytest.mark.bubblewrap),
]
QUICK = pytest.mark.parametrize("sandbox", SANDBOXES[1:])
"""For what does not depend on the walls."""


@pytest.fixture(params=SANDBOXES)
def sandbox(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def shop(sandbox: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """A build sandbox whose pip knows of one folder and nothing else."""
    runtime = prepare(sandbox, lambda line: None)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    only(monkeypatch, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(wheels))
    above = from_environment().sandbox_directory.parent  # where any user may walk
    root = Path(tempfile.mkdtemp(prefix="rostrum-test-", dir=above))
    root.chmod(0o755)
    try:
        yield Shop(runtime, SharedPlace.open(root), wheels, tmp_path)
        assert left(sandbox, root) == []
    finally:
        shutil.rmtree(root, ignore_errors=True)


def only(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    """All that pip is told."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def left(sandbox: str, place: Path) -> list[str]:
    """What a build has left: folders of cells, containers, processes."""
    found = [path.name for path in (place / "cells").iterdir()]
    if sandbox == "docker":
        shown = ["docker", "ps", "--all", "--filter", "label=rostrum.build", "--format"]
        told = subprocess.run(
            [*shown, '{{.Label "rostrum.owner"}}'],
            capture_output=True, text=True, check=True, timeout=30,
        )  # fmt: skip
        return found + [one for one in told.stdout.split() if one == Place.open(place).owner]
    return found


def test_wheels_and_what_they_need_are_installed_once(shop: Shop) -> None:
    packageindex.wheel(shop.wheels, "rostrum_dep", {"rostrum_dep.py": "N = 2\n"})
    packageindex.wheel(
        shop.wheels, "rostrum_top", {"rostrum_top.py": "from rostrum_dep import N\n"},
        needs="rostrum_dep",
    )  # fmt: skip
    made = shop.build("rostrum-top")
    assert {"rostrum_top.py", "rostrum_dep.py"} <= {path.name for path in made.path.iterdir()}
    assert [(one.name, one.version) for one in made.packages] == [
        ("rostrum_dep", "1.0"),
        ("rostrum_top", "1.0"),
    ]
    assert "Successfully installed" in made.log
    began = time.monotonic()
    assert shop.build("rostrum-top  # again") == made
    assert time.monotonic() - began < 0.5


@QUICK
def test_what_the_runtime_ships_is_neither_replaced_nor_fetched(shop: Shop) -> None:
    pins = dict(line.split("==") for line in read_recipe().constraints.splitlines() if "==" in line)
    packageindex.wheel(shop.wheels, "top", {"top.py": ""}, needs="filelock")
    packageindex.wheel(shop.wheels, "filelock", {"filelock.py": "raise SystemExit\n"})
    same = {"filelock.py": "raise SystemExit\n"}
    packageindex.wheel(shop.wheels, "filelock", same, version=pins["filelock"])
    made = shop.build("top")
    assert [path.name for path in made.path.iterdir() if path.suffix == ".py"] == ["top.py"]
    packageindex.wheel(shop.wheels, "other", {"other.py": ""}, needs="filelock==1.0")
    with pytest.raises(SubmissionError) as raised:
        shop.build("other")
    assert raised.value.detail in ("conflict", "not_found")


@QUICK
def test_what_cannot_be_had_is_named_with_the_log(shop: Shop) -> None:
    error = shop.fails("rostrum-no-such-package")
    assert error.detail == "not_found"
    assert "No matching distribution" in error.log
    packageindex.source(shop.wheels, "rostrum_source", "raise SystemExit('it ran')\n")
    error = shop.fails("rostrum-source")
    assert error.detail == "not_found"
    assert "it ran" not in error.log


@QUICK
def test_more_than_allowed_is_too_large(shop: Shop) -> None:
    packageindex.wheel(shop.wheels, "rostrum_big", {"big.bin": bytes(9 << 20)})
    assert shop.fails("rostrum-big", rules=Build(bytes=8 << 20)).detail == "too_large"


HOSTILE = """\
import json, os, pathlib, socket, sys, time, urllib.request

def tried(do):
    try:
        return do() or "done"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"[:200]

def fill():
    with open("/build/flood", "wb") as file:
        while True:
            file.write(bytes(1 << 20))

def proxied(url):
    way = urllib.request.ProxyHandler({"http": os.environ["PIP_" + "PROXY"]})
    return urllib.request.build_opener(way).open(url, timeout=5).status

def places():
    found = []
    for root in ("/build", "/code", "/data", "/home", "/root", "/run", "/srv", "/tmp", "/var"):
        for folder, _, files in os.walk(root):
            found += [os.path.join(folder, name) for name in files]
    return found

def get_requires_for_build_wheel(*_):
    port = PORT
    seen = {
        "user": os.getuid(),
        "variables": sorted(os.environ),
        "values": [v for v in os.environ.values()],
        "files": places(),
        "direct": tried(lambda: socket.create_connection(("127.0.0.1", port), 3)),
        "proxied": tried(lambda: proxied(f"http://127.0.0.1:{port}/secret")),
        "vsock": tried(lambda: socket.socket(40, socket.SOCK_STREAM)),
        "outside": tried(lambda: open("/opt/rostrum/evil", "w")),
        "tools": tried(lambda: open("/opt/build/evil", "w")),
        "root": tried(lambda: open("/evil", "w")),
        "fill": tried(fill),
    }
    os.unlink("/build/flood")
    print("SEEN" + json.dumps(seen) + "SEEN")
    sys.stdout.flush()
    raise SystemExit("enough")
"""


def test_a_packages_own_code_sees_no_labels_and_no_network_but_the_index(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROSTRUM_SECRET_LABEL", CANARY)
    (shop.place.root / "code").mkdir(mode=0o755)
    (shop.place.root / "code" / "labels.txt").write_text(CANARY)
    with packageindex.served(shop.wheels) as canary_site:
        port = int(canary_site.split(":")[2].split("/")[0])
        sources = shop.base / "sources"
        sources.mkdir()
        packageindex.source(sources, "hostile", HOSTILE.replace("PORT", str(port)))
        with packageindex.served(sources) as address:
            only(monkeypatch, PIP_INDEX_URL=address, PIP_TRUSTED_HOST="127.0.0.1")
            error = shop.fails("hostile", rules=Build(source=True, bytes=8 << 20, seconds=60))
    assert error.detail == "too_large"  # it did fill the place that is there to be filled
    seen = json.loads(error.log.split("SEEN")[1])
    assert seen["user"] == 65534
    assert not [name for name in seen["variables"] if name.startswith(("ROSTRUM", "AWS", "SSH"))]
    assert CANARY not in json.dumps(seen)
    assert not [path for path in seen["files"] if "labels" in path or path.endswith(".db")]
    assert "refused" in seen["direct"]
    assert "403" in seen["proxied"]
    assert f"refused a connection to 127.0.0.1:{port}" in error.log
    assert "ermission" in seen["vsock"] or "not permitted" in seen["vsock"]
    for wall in ("outside", "tools", "root"):
        assert "Read-only" in seen[wall] or "denied" in seen[wall]
    assert "No space left" in seen["fill"]


@QUICK
def test_source_is_built_where_the_competition_allows_it(shop: Shop) -> None:
    backend = """\
import pathlib, zipfile

def build_wheel(folder, *_):
    name, info = "fromsource-1.0-py3-none-any.whl", "fromsource-1.0.dist-info/"
    wheel = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    with zipfile.ZipFile(pathlib.Path(folder) / name, "w") as archive:
        archive.writestr("fromsource.py", "N = 3")
        archive.writestr(info + "METADATA", pathlib.Path("PKG-INFO").read_text())
        archive.writestr(info + "WHEEL", wheel)
        archive.writestr(info + "RECORD", "")
    return name
"""
    packageindex.source(shop.wheels, "fromsource", backend)
    made = shop.build("fromsource", rules=Build(source=True, bytes=8 << 20))
    assert (made.path / "fromsource.py").read_text() == "N = 3"


@pytest.mark.parametrize(
    "body",
    [
        "import time; time.sleep(600)",
        "import os\nwhile True: os.write(2, b'flood' * 9999)",
        "import os; os.kill(os.getppid(), 9); os.kill(-1, 9)",
        "import os\nwhile True: os.fork()",
    ],
    ids=["sleeps", "floods", "kills", "forks"],
)
@QUICK
def test_a_build_ends_in_time_whatever_it_does(shop: Shop, body: str) -> None:
    packageindex.source(shop.wheels, "endless", body)
    began = time.monotonic()
    error = shop.fails("endless", rules=Build(source=True, bytes=8 << 20, seconds=3))
    assert time.monotonic() - began < 15
    assert error.detail in ("timeout", "source_failed", "too_large")
    assert len(error.log.encode()) <= 256 << 10


def test_a_cancel_ends_a_build(shop: Shop) -> None:
    packageindex.source(shop.wheels, "endless", "import time; time.sleep(600)")
    stop = threading.Event()
    threading.Timer(1.5, stop.set).start()
    began = time.monotonic()
    with pytest.raises(Stopped):
        shop.build("endless", rules=Build(source=True), stop=stop)
    assert time.monotonic() - began < 10


@QUICK
def test_an_index_that_is_away_is_nobodys_fault_but_ours(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    only(monkeypatch, PIP_INDEX_URL=f"http://127.0.0.1:{port}/simple", PIP_TRUSTED_HOST="127.0.0.1")
    with pytest.raises(OperatorError) as raised:
        shop.build("rostrum-top")
    assert raised.value.code == "index_down"


@QUICK
def test_one_index_serves_all_who_ask_at_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    packageindex.wheel(shop.wheels, "rostrum_top", {"rostrum_top.py": ""})
    found: list[str] = []
    with packageindex.served(shop.wheels) as address:
        only(monkeypatch, PIP_INDEX_URL=address, PIP_TRUSTED_HOST="127.0.0.1")
        threads = [
            threading.Thread(target=lambda: found.append(shop.build("rostrum-top").name))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 3
    assert len(set(found)) == 1
