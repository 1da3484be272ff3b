"""Which accelerators there are, whose turn it is, and what a cell is started with to see one."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from harness.errors import OperatorError
from worker import gpu
from worker.images.runtime import Runtime
from worker.place import Place
from worker.sandbox import Job, Limits
from worker.sandbox import docker as containers
from worker.sandbox.bubblewrap import BubblewrapSandbox
from worker.sandbox.docker import DockerSandbox
from worker.stopped import Stopped

Smi = Callable[[str], None]


@pytest.fixture
def driver(tmp_path: Path) -> Path:
    """Two devices whose files are not numbered as their places on the bus."""
    for bus, minor, model in (("0000:65:00.0", 0, "Big One"), ("0000:17:00.0", 1, "Small One")):
        folder = tmp_path / "gpus" / bus
        folder.mkdir(parents=True)
        text = f"Model: \t\t {model}\nIRQ:   \t\t 1\nDevice Minor: \t {minor}\n"
        (folder / "information").write_text(text, "utf-8")
    (tmp_path / "gpus" / "0000:ff:00.0").mkdir()  # one that is lost: it says nothing of itself
    return tmp_path / "gpus"


@pytest.fixture
def smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Smi:
    """Puts a program of this text in the place of nvidia-smi."""

    def put(script: str) -> None:
        program = tmp_path / "bin" / "nvidia-smi"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")

    return put


def job(code: Path, *, device: str | None) -> Job:
    return Job(
        name="rostrum-1-f1-0", fence=1, code=code, track_file="eval_f1.py", limits=Limits(),
        gpu=device,
    )  # fmt: skip


# ---- which there are ---------------------------------------------------------------------------


def test_devices_are_numbered_by_their_place_on_the_bus(driver: Path) -> None:
    small, big = gpu.devices(driver)
    assert (small.number, small.node, small.model) == ("0", "/dev/nvidia1", "Small One")
    assert (big.number, big.node, big.model) == ("1", "/dev/nvidia0", "Big One")


def test_a_machine_without_a_driver_has_none(tmp_path: Path) -> None:
    assert gpu.devices(tmp_path / "absent") == ()


def test_a_device_that_is_not_there_is_named_with_those_that_are(driver: Path) -> None:
    with pytest.raises(OperatorError, match=r"no accelerator 7.*0 \(Small One\)") as lost:
        gpu.device("7", driver=driver)
    assert lost.value.code == "gpu_lost"


def test_a_device_that_answers_says_its_name(smi: Smi) -> None:
    smi('test "$1" = --id=3 && echo "NVIDIA Something"')
    assert gpu.expect_answer("3") == "NVIDIA Something"


def test_a_device_that_fell_off_the_bus_is_lost(smi: Smi) -> None:
    smi('echo "Unable to determine the device handle for GPU: GPU is lost."; exit 15')
    with pytest.raises(OperatorError, match="GPU is lost") as lost:
        gpu.expect_answer("0")
    assert lost.value.code == "gpu_lost"


def test_a_device_that_hangs_is_lost_in_time(smi: Smi) -> None:
    smi("exec sleep 60")
    start = time.monotonic()
    with pytest.raises(OperatorError, match="did not answer"):
        gpu.expect_answer("0", seconds=0.2)
    assert time.monotonic() - start < 10


# ---- whose turn it is --------------------------------------------------------------------------


def test_one_cell_at_a_time_sees_the_device(tmp_path: Path) -> None:
    order: list[str] = []
    first = threading.Event()

    def other() -> None:
        first.wait(5)
        with gpu.turn("0", tmp_path, stop=threading.Event()):
            order.append("second")

    thread = threading.Thread(target=other)
    thread.start()
    with gpu.turn("0", tmp_path, stop=threading.Event()):
        first.set()
        time.sleep(0.3)
        order.append("first")
        assert gpu.try_turn("0", tmp_path) is None
    thread.join(10)
    assert order == ["first", "second"]


_HOLD = """
import fcntl, sys, time
held = open(sys.argv[1], "w")
fcntl.flock(held, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""


def test_another_process_keeps_the_device_too(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path / "gpu-0")],
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert gpu.try_turn("0", tmp_path) is None
        other = gpu.try_turn("1", tmp_path)
        assert other is not None
        gpu.end_turn(other)
        holder.kill()


def test_who_is_stopped_waits_no_longer(tmp_path: Path) -> None:
    stop = threading.Event()
    held = gpu.try_turn("0", tmp_path)
    assert held is not None
    threading.Timer(0.1, stop.set).start()
    with pytest.raises(Stopped), gpu.turn("0", tmp_path, stop=stop):
        pytest.fail("the device was not free")
    gpu.end_turn(held)


# ---- what a cell is started with ---------------------------------------------------------------


class _Enough(Exception):  # noqa: N818  # what was to be seen has been seen
    """The test needs no cell."""


def options_of(device: str | None, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the engine is asked to create for a job with this device."""
    client = MagicMock()
    client.containers.create.side_effect = _Enough
    monkeypatch.setattr(containers, "engine", lambda **_: nullcontext(client))
    sandbox = DockerSandbox(runtime=Runtime("docker", "sha256:0"), place=Place.open(folder / "p"))
    with pytest.raises(_Enough):
        sandbox.start(job(folder / "code", device=device))
    found: dict[str, Any] = client.containers.create.call_args.kwargs
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "code").mkdir()
    return tmp_path


def test_a_container_is_shown_one_device_by_its_number(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = options_of("3", folder, monkeypatch)
    (request,) = options["device_requests"]
    assert request["Driver"] == "nvidia"
    assert request["DeviceIDs"] == ["3"]
    assert request["Count"] == 0, "a count lets the engine choose the device"
    assert request["Capabilities"] == [["gpu", "compute", "utility"]]
    assert options["environment"]["CUDA_VISIBLE_DEVICES"] == "0", "inside it is the first one"
    assert "NVIDIA_VISIBLE_DEVICES" not in options["environment"]


def test_a_container_without_a_device_sees_none_though_its_base_asks_for_all(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = options_of(None, folder, monkeypatch)
    assert not options["device_requests"]
    assert options["environment"]["NVIDIA_VISIBLE_DEVICES"] == "void"
    assert "CUDA_VISIBLE_DEVICES" not in options["environment"]


def words_of(device: str | None, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command that would start a bubblewrap cell with this device."""
    started: list[list[str]] = []

    def start(command: list[str], **_: object) -> None:
        started.append([str(word) for word in command])
        raise _Enough

    runtime = Runtime("bubblewrap", "0", path=folder)
    sandbox = BubblewrapSandbox(runtime=runtime, place=Place.open(folder / "p"))
    with monkeypatch.context() as patched:
        patched.setattr(subprocess, "Popen", start)
        with pytest.raises(_Enough):
            sandbox.start(job(folder / "code", device=device))
    return started[0]


@pytest.mark.bubblewrap
def test_bubblewrap_lets_the_files_of_one_device_in(
    folder: Path, driver: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "DRIVER", driver)
    words = words_of("0", folder, monkeypatch)
    bound = [words[n + 1] for n, word in enumerate(words) if word.startswith("--dev-bind")]
    assert bound == ["/dev/nvidia1", "/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools"]
    assert words.index("--dev") < words.index("/dev/nvidia1"), "a new /dev would hide it"
    assert "/sys" in words, "without it the CUDA library does not begin"
    closed = words_of(None, folder, monkeypatch)
    assert not [word for word in closed if "nvidia" in word or word == "/sys"]
