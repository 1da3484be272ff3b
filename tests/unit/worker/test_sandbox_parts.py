"""What the sandboxes are made of: control groups, the way in, layers, the engine's options."""

from pathlib import Path

import pytest

from harness.errors import OperatorError, UsageError
from worker.images.runtime import Runtime
from worker.place import Place
from worker.sandbox import Job, Limits, choose, docker, layers
from worker.sandbox.cgroup import Group
from worker.sandbox.docker import DockerSandbox
from worker.sandbox.slots import FIRST_UID, held
from worker.sandbox.threshold import Threshold
from worker.settings import from_environment

LIMITS = Limits(memory=64 << 20, cpus=1.5, tmp=8 << 20, inodes=500)


def unified(root: Path) -> Path:
    """What a kernel with version 2 shows, as far as plain files can play it."""
    (root / "cgroup.controllers").write_text("cpu memory pids")
    return root


def split(root: Path, *controllers: str) -> Path:
    for name in controllers:
        (root / name).mkdir()
    return root


def test_a_group_of_version_2_bounds_memory_and_processors(tmp_path: Path) -> None:
    group = Group.make("a-60001", LIMITS, root=unified(tmp_path))
    assert group is not None
    folder = tmp_path / "rostrum" / "a-60001"
    assert (folder / "memory.max").read_text() == str(64 << 20)
    assert (folder / "cpu.max").read_text() == "150000 100000"
    assert "+memory" in (tmp_path / "rostrum" / "cgroup.subtree_control").read_text()
    assert group.doors == [folder / "cgroup.procs"]


def test_a_group_of_version_1_stands_in_each_hierarchy(tmp_path: Path) -> None:
    group = Group.make("a-60001", LIMITS, root=split(tmp_path, "memory", "cpu"))
    assert group is not None
    memory, cpu = (tmp_path / name / "rostrum" / "a-60001" for name in ("memory", "cpu"))
    assert (memory / "memory.limit_in_bytes").read_text() == str(64 << 20)
    assert (cpu / "cpu.cfs_quota_us").read_text() == "150000"
    assert group.doors == [memory / "cgroup.procs", cpu / "cgroup.procs"]


def test_without_processors_memory_is_bounded_all_the_same(tmp_path: Path) -> None:
    group = Group.make("a", LIMITS, root=split(tmp_path, "memory"))
    assert group is not None
    assert len(group.doors) == 1


def test_where_no_group_can_be_made_there_is_none(tmp_path: Path) -> None:
    assert Group.make("a", LIMITS, root=tmp_path) is None
    assert Group.make("a", LIMITS, root=tmp_path / "missing") is None
    assert Group.make("a", LIMITS, root=split(tmp_path, "cpu")) is None


@pytest.mark.parametrize(
    ("file", "text", "starved"),
    [
        ("memory.events", "low 0\noom 2\noom_kill 1\n", True),
        ("memory.events", "low 0\noom 2\noom_kill 0\n", False),
        ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", True),
        ("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\n", False),
        ("memory.stat", "cache 0\n", False),
    ],
)
def test_an_end_for_memory_is_read_from_either_version(
    tmp_path: Path, file: str, text: str, starved: bool
) -> None:
    (tmp_path / file).write_text(text)
    assert Group((tmp_path,)).out_of_memory is starved


def test_removing_a_group_is_harmless_to_repeat(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    group = Group((folder,))
    group.remove()
    group.remove()
    assert not folder.exists()


@pytest.mark.parametrize("whole", [True, False])
def test_groups_that_a_killed_worker_left_are_found(tmp_path: Path, whole: bool) -> None:
    root = unified(tmp_path) if whole else split(tmp_path, "memory", "cpu")
    for name in ("a-60001", "b-60002"):
        assert Group.make(name, LIMITS, root=root) is not None
    ((end, group),) = Group.left("a-", root=root)
    assert end == "60001"
    assert all(folder.name == "a-60001" for folder in group.folders)
    assert len(group.folders) == (1 if whole else 2)


def test_an_id_that_is_held_is_nobody_elses(tmp_path: Path) -> None:
    with held(tmp_path, FIRST_UID) as first, held(tmp_path, FIRST_UID) as second:
        assert (first, second) == (True, False)
    with held(tmp_path, FIRST_UID) as again:
        assert again


def test_the_way_in_bounds_bytes_and_files_and_quotes_what_it_is_given(tmp_path: Path) -> None:
    threshold = Threshold.make(tmp_path / "it's here")
    command = threshold.command(
        LIMITS, layers={threshold.layer("code"): Path("/a b/$(x)")}, doors=[Path("/g/cgroup.procs")]
    )
    script = command[command.index("-c") + 1]
    assert command[0] == "unshare"
    assert script.count("nr_inodes=500") == script.count(f"size={8 << 20}") == 2
    assert "'ro,lowerdir=/a b/$(x):" in script
    assert script.splitlines()[1] == "echo 0 > /g/cgroup.procs"
    assert script.splitlines()[-1] == 'exec "$@"'


def test_a_layer_is_an_anonymous_volume_of_the_container() -> None:
    mount = layers.layered(Path("/place/tree"), "/code", empty=Path("/cell/empty"))
    assert mount["Type"] == "volume"
    assert not mount["Source"]
    options = mount["VolumeOptions"]["DriverConfig"]["Options"]
    assert options["o"] == "lowerdir=/place/tree:/cell/empty"
    assert layers.own(Path("/cell/socket"), "/run/rostrum")["ReadOnly"] is True


def sandbox(tmp_path: Path, *, below: str | None = None) -> DockerSandbox:
    place = Place.open(tmp_path / "place")
    return DockerSandbox(runtime=Runtime("docker", "sha256:1"), place=place, below=below)


def job(tree: Path) -> Job:
    return Job(name="rostrum-1-f1-0", fence=1, code=tree, track_file="eval_f1.py", limits=LIMITS)


def test_only_what_other_cells_may_see_lies_behind_a_layer(tmp_path: Path) -> None:
    made, cell = sandbox(tmp_path), tmp_path / "cell"
    cell.mkdir()
    shared = {mount["Target"]: mount["Type"] for mount in made._mounts(job(cell), cell, tmp_path)}
    assert shared == {"/run/rostrum": "bind", "/code": "volume"}
    own = {m["Target"]: m["Type"] for m in made._mounts(job(cell), cell, cell / "code")}
    assert own["/code"] == "bind"


def test_places_to_write_are_bounded_and_the_engines_runtime_is_passed_on(tmp_path: Path) -> None:
    options = sandbox(tmp_path, below="runsc")._options(job(tmp_path), [])
    assert options["runtime"] == "runsc"
    assert options["tmpfs"].keys() == {"/tmp", "/dev/shm"}
    assert all("nr_inodes=500" in room for room in options["tmpfs"].values())
    assert "runtime" not in sandbox(tmp_path)._options(job(tmp_path), [])


def test_the_engines_runtime_is_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROSTRUM_SANDBOX_DIR", str(tmp_path / "place"))
    monkeypatch.setenv("ROSTRUM_DOCKER_RUNTIME", "runsc")
    made = choose.open_sandbox("docker", runtime=Runtime("docker", "sha256:1"))
    assert isinstance(made, DockerSandbox)
    assert made._below == from_environment().docker_runtime == "runsc"
    with pytest.raises(UsageError, match="unknown"):
        choose.open_sandbox("chroot", runtime=Runtime("chroot", "x"))


@pytest.mark.docker
def test_an_engine_that_does_not_know_the_runtime_is_down_for_us(tmp_path: Path) -> None:
    with docker.engine() as client:
        digest = str(client.images.list()[0].id)
    place = Place.open(tmp_path / "place")
    made = DockerSandbox(runtime=Runtime("docker", digest), place=place, below="no-such-runtime")
    with pytest.raises(OperatorError, match="knows no runtime no-such-runtime") as raised:
        made.check()
    assert raised.value.code == "engine_down"
