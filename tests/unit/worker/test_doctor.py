"""The doctor: known holes by version, what an engine cannot enforce, secrets that others read."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness.errors import OperatorError
from leaderboard.admin.install import install
from worker import gpu
from worker.doctor import cells, doctor, engine, house, machine, seen
from worker.doctor.finding import Finding, Level, fail, ok
from worker.doctor.versions import FLOORS, is_closed, judged, parsed
from worker.settings import Settings

OK, WARN, FAIL = Level.OK, Level.WARN, Level.FAIL


# ---- versions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said", "level"),
    [
        ("runc", "1.2.8", OK),
        ("runc", "1.2.7", FAIL),
        ("runc", "1.3.2", FAIL),
        ("runc", "1.3.3", OK),
        ("runc", "1.4.0", OK),
        ("runc", "1.1.15", FAIL),
        ("runc", "1.1.5+ds1-1+deb12u1", WARN),
        ("runc", "1.2.5-0ubuntu1~24.04.1", WARN),
        ("containerd", "1.7.28", WARN),
        ("containerd", "2.1.5", OK),
        ("BuildKit", "24.0.9", OK),
        ("BuildKit", "25.0.1", WARN),
        ("BuildKit", "28.2.2", OK),
        ("NVIDIA toolkit", "NVIDIA Container Toolkit CLI version 1.17.7", FAIL),
        ("NVIDIA toolkit", "cli-version: 1.17.8", OK),
        ("git", "git version 2.37.9", FAIL),
        ("git holes", "git version 2.39.5", WARN),
        ("git holes", "git version 2.50.1", OK),
        ("git holes", "git version 2.51.0", OK),
        ("bubblewrap", "bubblewrap 0.7.0", FAIL),
        ("bubblewrap", "bubblewrap 0.8.0", OK),
        ("kernel", "4.19.0-27-amd64", WARN),
        ("kernel", "6.1.0-18-amd64", OK),
        ("runc", "unknown", WARN),
    ],
)
def test_a_version_is_held_against_its_floor(name: str, said: str, level: Level) -> None:
    finding = judged(name, said)
    assert finding.level is level, finding
    assert bool(finding.todo) == (level is not OK)


def test_what_to_install_is_named() -> None:
    assert "Install runc 1.2.8 or 1.3.3 or newer" in judged("runc", "1.1.12").todo


def test_a_distributions_build_is_doubtful_and_says_where_to_look() -> None:
    assert "changelog" in judged("runc", "1.1.5+ds1-1+deb12u1").todo


@pytest.mark.parametrize("floor", FLOORS.values(), ids=FLOORS.keys())
def test_floors_are_in_order(floor: Any) -> None:
    assert list(floor.closed) == sorted(floor.closed)
    assert all(is_closed(one, floor.closed) for one in floor.closed)
    assert not is_closed((0, 0, 1), floor.closed)


def test_numbers_in_texts() -> None:
    assert parsed("bubblewrap 0.8") == (0, 8, 0)
    assert parsed("none") is None


# ---- the engine --------------------------------------------------------------------------------

INFO = {
    "MemoryLimit": True,
    "SwapLimit": True,
    "PidsLimit": True,
    "CpuCfsQuota": True,
    "SecurityOptions": ["name=seccomp,profile=default"],
    "Runtimes": {"runc": {}, "runsc": {}},
    "Name": "lab",
}


def levels(findings: Iterator[Finding]) -> dict[str, Level]:
    return {finding.name: finding.level for finding in findings}


def test_an_engine_that_enforces_all_is_well() -> None:
    found = levels(engine.walls(INFO, below="runsc"))
    assert set(found.values()) == {OK}
    assert "runtime below" in found


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"SwapLimit": False}, "limits"),
        ({"PidsLimit": False}, "limits"),
        ({"SecurityOptions": []}, "system calls"),
        ({"Runtimes": {"runc": {}}}, "runtime below"),
    ],
)
def test_what_it_cannot_enforce_is_bad(change: dict[str, object], name: str) -> None:
    assert levels(engine.walls(INFO | change, below="runsc"))[name] is FAIL


def test_the_engines_parts_are_judged_by_their_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "version_of", lambda *_: None)
    version = {
        "Version": "28.2.2",
        "Components": [
            {"Name": "Engine", "Version": "28.2.2"},
            {
                "Name": "runc",
                "Version": "1.1.5+ds1",
                "Details": {"GitCommit": "1.1.5+ds1-1+deb12u1"},
            },
            {"Name": "containerd", "Version": "2.1.5", "Details": {"GitCommit": "fb4c30d4ede3"}},
        ],
    }
    found = levels(engine.versions(version, gpu=True))
    assert found == {"runc": WARN, "containerd": OK, "BuildKit": OK, "NVIDIA toolkit": FAIL}


def test_an_engine_that_is_away_says_how_to_start_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    (finding,) = engine.look(below=None, gpu=False)
    assert finding.level is FAIL
    assert "systemctl start docker" in finding.todo


# ---- the machine -------------------------------------------------------------------------------


def test_a_tool_that_is_absent_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = levels(machine.tools(bubblewrap=True))
    assert found == {"git": FAIL, "ssh": WARN, "bubblewrap": FAIL}


def test_disks_are_told_once_each_with_what_lies_there(tmp_path: Path) -> None:
    settings = Settings(tmp_path, tmp_path, disk_high=100.0)
    folders = {"sandboxes": tmp_path, "downloads": tmp_path / "not" / "made"}
    (finding,) = machine.disks(settings, folders)
    assert "(sandboxes, downloads)" in finding.text


@pytest.mark.parametrize(
    ("free", "inodes", "level"),
    [(0.5, 1000, OK), (0.05, 1000, WARN), (0.5, 10, WARN), (0, 0, FAIL)],
)
def test_how_full_a_disk_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: float, inodes: int, level: Level
) -> None:
    blocks = 100 << 18
    found = os.statvfs_result(
        (4096, 4096, blocks, int(free * blocks), int(free * blocks), 1000, inodes, inodes, 0, 255)
    )
    monkeypatch.setattr(os, "statvfs", lambda _: found)
    (finding,) = machine.disks(Settings(tmp_path, tmp_path), {"sandboxes": tmp_path})
    assert finding.level is level, finding


# ---- the installation --------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("ROSTRUM_HOME", str(folder))
    monkeypatch.setenv("ROSTRUM_SANDBOX_DIR", str(tmp_path / "sandbox"))
    for name in ("ROSTRUM_DATABASE_URL", "ROSTRUM_BROKER_URL", "ROSTRUM_VAULT_KEY"):
        monkeypatch.delenv(name, raising=False)
    return folder


def test_before_init_it_says_what_to_do_and_makes_nothing(home: Path) -> None:
    assert levels(house.database())["database"] is FAIL
    assert levels(house.broker())["broker"] is FAIL
    assert not home.exists()


def test_after_init_all_is_well_but_the_competition(home: Path) -> None:
    install()
    assert levels(house.database()) == {"database": OK, "competition": WARN}
    assert levels(house.broker()) == {"broker": OK}
    assert set(levels(house.secrets()).values()) == {OK}


def test_a_key_that_others_can_read_is_bad(home: Path) -> None:
    install()
    home.chmod(0o755)
    (home / "secret_key").chmod(0o644)
    found = {finding.name: finding for finding in house.secrets()}
    assert found["secret key"].level is FAIL
    assert found["secret key"].todo == f"chmod 600 {home}/secret_key"


def test_a_server_that_is_away_is_named_without_its_password(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROSTRUM_DATABASE_URL", "postgresql+psycopg://u:topsecret@127.0.0.1:1/r")
    monkeypatch.setenv("ROSTRUM_BROKER_URL", "redis://:topsecret@127.0.0.1:1/0")
    found = [*house.database(), *house.broker()]
    assert [finding.level for finding in found] == [FAIL, FAIL]
    assert "topsecret" not in repr(found)


@pytest.mark.parametrize(
    ("seconds", "level"), [(0.5, OK), (-1.9, OK), (3.0, WARN), (-3.0, WARN), (3600.0, FAIL)]
)
def test_a_clock_that_differs(seconds: float, level: Level) -> None:
    assert house.drift(seconds).level is level


def test_the_sandbox_folder_is_apart_from_the_work_folder(home: Path, tmp_path: Path) -> None:
    install()
    settings = Settings(home / "sandbox", tmp_path)
    assert levels(house.folders(settings, walled=True))["sandbox folder"] is FAIL


def test_a_folder_that_others_write_is_bad(tmp_path: Path, home: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    settings = Settings(tmp_path / "open", tmp_path)
    assert levels(house.folders(settings, walled=False))["sandbox folder"] is FAIL


# ---- cells -------------------------------------------------------------------------------------

CLOSED: dict[str, Any] = {"uid": 65534, "network": False, "writes": [], "nodes": []}


@pytest.mark.parametrize(
    "hole", [{"uid": 0}, {"network": True}, {"writes": ["/code"]}, {"nodes": ["/dev/nvidia0"]}]
)
def test_a_cell_with_a_hole_is_bad(hole: dict[str, object]) -> None:
    assert cells.walls("docker cell", CLOSED, seconds=0.3).level is OK
    finding = cells.walls("docker cell", CLOSED | hole, seconds=0.3)
    assert (finding.level, finding.todo) == (FAIL, "Run no stranger's code here.")


ONE = {"count": 1, "name": "NVIDIA Something"}


@pytest.mark.parametrize(
    ("device", "torch", "level"),
    [
        (ONE, "ok", OK),
        (ONE, "cpu", WARN),
        (ONE, "no device", FAIL),
        (ONE | {"count": 2}, "ok", FAIL),
        ({"error": "the CUDA library is not there"}, "cpu", FAIL),
    ],
)
def test_the_device_is_proved_inside(
    device: dict[str, object],
    torch: str,
    level: Level,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(gpu, "expect_answer", lambda _: "NVIDIA Something")
    asked: list[str | None] = []

    def told(*_: object, gpu: str | None = None) -> dict[str, Any]:
        asked.append(gpu)
        return CLOSED | {"device": device, "torch": torch}

    monkeypatch.setattr(cells, "_seen", told)
    outside, inside = cells.device(FakeSandbox(), FakePlace(tmp_path), "1")  # type: ignore[arg-type]
    assert (outside.level, inside.level) == (OK, level), inside
    assert asked == ["1"]


class FakeSandbox:
    name = "docker"


class FakePlace:
    def __init__(self, folder: Path) -> None:
        self.slots = folder


def test_a_device_that_a_worker_uses_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(gpu, "expect_answer", lambda _: "NVIDIA Something")
    monkeypatch.setattr(cells, "TURN_SECONDS", 0.1)
    held = gpu.try_turn("0", tmp_path)
    assert held is not None
    _, inside = cells.device(FakeSandbox(), FakePlace(tmp_path), "0")  # type: ignore[arg-type]
    gpu.end_turn(held)
    assert (inside.level, "in use" in inside.text) == (WARN, True)


# ---- the command -------------------------------------------------------------------------------


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs the command over looks of our own."""

    def run_it(*found: Finding, arguments: tuple[str, ...] = ()) -> Result:
        monkeypatch.setattr("worker.doctor._looks", lambda *_: [("all", lambda: iter(found))])
        return CliRunner().invoke(doctor, arguments)

    return run_it


BAD = fail("engine", "nobody answers", "Start it.")


def test_a_bad_line_is_exit_status_1_and_says_what_to_do(run: Callable[..., Result]) -> None:
    result = run(ok("kernel", "6.1"), BAD)
    assert result.exit_code == 1
    assert "Start it." in result.output
    assert "1 line to mend before a worker starts here." in result.output


def test_a_warning_is_none(run: Callable[..., Result]) -> None:
    result = run(Finding("clock", WARN, "3 s", "Use NTP."))
    assert result.exit_code == 0
    assert "A worker can run here; 1 warning to think about." in result.output


def test_the_document_says_the_same(run: Callable[..., Result]) -> None:
    result = run(BAD, arguments=("--json",))
    assert json.loads(result.stdout) == {
        "doctor": {
            "level": "fail",
            "lines": [
                {"name": "engine", "level": "fail", "text": "nobody answers", "todo": "Start it."}
            ],
        }
    }


@pytest.mark.parametrize(
    "error", [OperatorError("engine_down", message="it is away"), ValueError("odd")]
)
def test_a_look_that_fails_is_a_line_itself(error: Exception) -> None:
    def look() -> Iterator[Finding]:
        yield ok("one", "seen")
        raise error

    first, last = seen("engine", look)
    assert (first.level, last.level) == (OK, FAIL)
    assert str(error) in last.text


def test_a_device_has_a_number() -> None:
    assert CliRunner().invoke(doctor, ["--gpu", "all"]).exit_code == 2
