"""The sandbox contract: what every way of running a submission keeps, and what only walls keep."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cells import containers_of, load_agent

from harness.agent import TRACKS, Track
from harness.dialogue import Context, Dialogue, Example, Turn
from harness.errors import OperatorError, SubmissionError, UsageError
from harness.evaluation import evaluate
from harness.remote.serve import build
from harness.text import Vocabulary
from worker.images import prepare
from worker.images.runtime import Runtime
from worker.place import Place
from worker.sandbox import Cell, Exit, Job, Limits, Sandbox
from worker.sandbox.bubblewrap import BubblewrapCell, BubblewrapSandbox
from worker.sandbox.cell import AlreadyRunningError
from worker.sandbox.choose import open_sandbox, pick
from worker.sandbox.slots import Slot, processes_of
from worker.settings import from_environment

HERE = Path(__file__).resolve().parent
GOOD = HERE.parent / "gallery" / "good"
SPY = HERE / "spy"
SMALL = Limits(
    start=30.0, memory=512 << 20, cpus=1.0, pids=64, tmp=8 << 20, inodes=200, log_bytes=8 << 10
)
SECRET = "CANARY-5d1f0a"

DOCKER = pytest.param("docker", marks=pytest.mark.docker)
BUBBLEWRAP = pytest.param("bubblewrap", marks=pytest.mark.bubblewrap)
WALLED = [DOCKER, BUBBLEWRAP]
ALL = [*WALLED, "trusted"]

DIALOGUES = [
    Dialogue(
        id=str(number),
        examples=tuple(
            Example(
                partner=(f"{word} or {number} ?",),
                replies=(f"{word} please",),
                candidates=tuple(f"{other} please" for other in ("tea", "coffee", "milk")),
            )
            for word in ("tea", "coffee")
        ),
    )
    for number in range(4)
]
VOCABULARY = Vocabulary.build(DIALOGUES, [])

_opened: dict[str, Sandbox] = {}


def opened(name: str) -> Sandbox:
    """The sandbox of this name, its runtime prepared once."""
    if name not in _opened:
        _opened[name] = open_sandbox(name, runtime=prepare(name, print))
    return _opened[name]


@pytest.fixture(params=ALL)
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    return opened(request.param)


@pytest.fixture(params=WALLED)
def walled(request: pytest.FixtureRequest) -> Sandbox:
    return opened(request.param)


@pytest.fixture
def job(request: pytest.FixtureRequest) -> Job:
    """A job over the honest agent; tests replace what they need."""
    return Job(
        name=f"rostrum-contract-{os.getpid()}-{abs(hash(request.node.name)) % 10**8}",
        fence=2,
        code=GOOD,
        track_file="eval_f1.py",
        limits=SMALL,
        keep_log=True,
        deadline_seconds=300,
        labels={"test": "contract"},
    )


def load(cell: Cell, track: Track = "f1", *, batch: float = 30.0) -> None:
    cell.agent.load(
        track,
        vocabulary=VOCABULARY if track == "ppl" else None,
        load_seconds=30,
        batch_seconds=batch,
        bank_seconds=0.1,
        total_seconds=120,
    )


def look(sandbox: Sandbox, job: Job, *expressions: str) -> list[str]:
    """What each Python expression is worth inside a cell."""
    with sandbox.start(dataclasses.replace(job, code=SPY)) as cell:
        load(cell)
        return [
            cell.agent.respond([Context(str(n), turns=(Turn("partner", text),))])[0]
            for n, text in enumerate(expressions)
        ]


# ---- every sandbox ---------------------------------------------------------------------------


def test_the_inside_runs_our_harness_and_says_so(sandbox: Sandbox, job: Job) -> None:
    sandbox.check()
    with sandbox.start(job) as cell:
        assert cell.agent.hello["build"] == build()


@pytest.mark.parametrize("track", TRACKS)
def test_a_report_does_not_depend_on_where_the_agent_ran(
    sandbox: Sandbox, job: Job, track: Track
) -> None:
    vocabulary = VOCABULARY if track == "ppl" else None
    outside = evaluate(load_agent(GOOD), DIALOGUES, track, vocabulary=vocabulary)
    with sandbox.start(dataclasses.replace(job, track_file=f"eval_{track}.py")) as cell:
        load(cell, track)
        inside = evaluate(cell.agent, DIALOGUES, track, vocabulary=vocabulary)
    assert (inside.score, inside.signature) == (outside.score, outside.signature)
    assert inside.totals == outside.totals


def test_the_workers_environment_stays_outside(
    sandbox: Sandbox, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROSTRUM_DATABASE_URL", SECRET)
    monkeypatch.setenv("HTTPS_PROXY", SECRET)
    variables, threads = look(
        sandbox, job, "' '.join(f'{k}={v}' for k, v in os.environ.items())", "os.cpu_count() > 0"
    )
    assert SECRET not in variables
    assert "OMP_NUM_THREADS=1" in variables
    assert threads == "True"


def test_no_network(sandbox: Sandbox, job: Job) -> None:
    answers = look(
        sandbox,
        job,
        "socket.socket(socket.AF_INET)",
        "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)",
        "socket.getaddrinfo('localhost.example', 80)",
        "socket.socket(40)",
    )
    assert all("Error" in answer or "gaierror" in answer for answer in answers), answers


def test_finish_is_harmless_to_repeat_and_reports_a_clean_end(sandbox: Sandbox, job: Job) -> None:
    with sandbox.start(job) as cell:
        load(cell)
        first = cell.finish()
        again = cell.finish()
    assert first is again
    assert (first.code, first.gone, first.removed) == (0, True, False)


def test_one_that_does_not_leave_is_removed_quickly(sandbox: Sandbox, job: Job) -> None:
    with sandbox.start(dataclasses.replace(job, code=HERE.parent / "gallery/stops-itself")) as cell:
        load(cell, batch=0.3)
        with pytest.raises(Exception, match="too long"):
            cell.agent.respond([Context("a", turns=(Turn("partner", "hi"),))])
        began = time.monotonic()
        ended = cell.finish()
    assert time.monotonic() - began < 5
    assert (ended.removed, ended.gone, ended.code, ended.signal) == (True, True, None, None)


def test_files_of_a_cell_are_removed(sandbox: Sandbox, job: Job) -> None:
    with sandbox.start(job):
        assert cell_folders(job.name)
    assert not cell_folders(job.name)


def test_requirements_are_importable_but_shadow_nothing(sandbox: Sandbox, job: Job) -> None:
    place = Place.open(from_environment().sandbox_directory)
    packages = place.new_cell("rostrum-packages", seconds=60)
    (packages / "extra.py").write_text("NAME = 'extra'\n")
    (packages / "numpy.py").write_text("raise SystemExit\n")
    try:
        answers = look(
            sandbox,
            dataclasses.replace(job, environment=packages),
            "__import__('extra').NAME",
            "__import__('numpy').zeros(2).sum()",
        )
    finally:
        shutil.rmtree(packages)
    assert answers == ["extra", "0.0"]


def test_a_missing_track_file_is_theirs_not_a_hang(sandbox: Sandbox, job: Job) -> None:
    with (
        sandbox.start(dataclasses.replace(job, track_file="eval_none.py")) as cell,
        pytest.raises(Exception, match="crashed"),
    ):
        load(cell)


# ---- walls -------------------------------------------------------------------------------------


def test_the_inside_is_nobody_with_nothing(walled: Sandbox, job: Job) -> None:
    ids, groups, capabilities, new_privileges, name = look(
        walled,
        job,
        "os.getresuid() + os.getresgid()",
        "os.getgroups()",
        "[l.split()[1] for l in open('/proc/self/status') if l[:3] == 'Cap'][:3]",
        "[l.split()[1] for l in open('/proc/self/status') if l[:10] == 'NoNewPrivs']",
        "socket.gethostname()",
    )
    assert ids == str((65534,) * 6)
    assert groups in ("[]", "[65534]")
    assert set(json.loads(capabilities.replace("'", '"'))) == {"0" * 16}
    assert new_privileges == "['1']"
    assert name == "rostrum"


def test_only_its_own_tmp_can_be_written(walled: Sandbox, job: Job) -> None:
    places = (
        *("/", "/code", "/opt", "/opt/rostrum", "/opt/rostrum/bin", "/run", "/run/rostrum"),
        *("/usr", "/dev", "/var/tmp", "/home", "/etc", "/proc", "/sys", "/proc/sys/kernel"),
    )
    answers = look(
        walled,
        job,
        "open('/tmp/fine', 'w').write('x') + open('/dev/shm/fine', 'w').write('x')",
        "open('/proc/sys/kernel/core_pattern', 'w').write('|/tmp/x')",
        "os.unlink('/run/rostrum/agent.sock')",
        *(f"open('{place}/new', 'w')" for place in places),
    )
    assert answers[0] == "2"
    assert all("Error" in answer for answer in answers[1:]), answers


def test_what_it_can_write_is_bounded(walled: Sandbox, job: Job) -> None:
    answers = look(
        walled,
        job,
        "[open(f'/tmp/{n}', 'wb').write(b'x' * (1 << 20)) for n in range(10)]",
        "[open(f'/dev/shm/{n}', 'wb').write(b'x' * (1 << 20)) for n in range(10)]",
        "open('/tmp/large', 'wb').truncate(SIZE := 1 << 40)",
    )
    assert all("OSError" in answer for answer in answers), answers


@pytest.mark.docker
def test_the_number_of_files_is_bounded_in_a_container(job: Job) -> None:
    (answer,) = look(opened("docker"), job, "[open(f'/tmp/{n}', 'w') for n in range(300)]")
    assert "No space left" in answer


def test_the_hosts_files_are_out_of_sight(walled: Sandbox, job: Job, tmp_path: Path) -> None:
    canary = Path("/var/tmp") / f"{SECRET}-{os.getpid()}"
    other = tmp_path / "other-submission"
    other.write_text(SECRET)
    canary.write_text(SECRET)
    canary.chmod(0o644)
    try:
        answers = look(
            walled,
            job,
            f"open('{canary}').read()",
            f"open('{other}').read()",
            f"open('/proc/1/root{canary}').read()",
            f"open('{Path.home()}/.bashrc').read()",
            "os.listdir('/var/tmp/rostrum-sandbox')",
            "open('/etc/shadow').read()",
            "open('/proc/1/environ').read()",
            "os.stat('/var/run/docker.sock')",
            "os.stat('/sys/fs/cgroup/memory/release_agent')",
        )
        mounts, processes, listing = look(
            walled,
            job,
            "'\\n'.join(sorted(os.listdir('/opt') + os.listdir('/run')))",
            "len([p for p in os.listdir('/proc') if p.isdigit()])",
            "'\\n'.join(os.listdir('/code'))",
        )
    finally:
        canary.unlink()
    blind = [answer for answer in answers if "Error" not in answer and answer]
    assert not [answer for answer in blind if SECRET in answer or "root:" in answer], blind
    assert len(blind) <= 1, blind  # /proc/1/environ may hold the fixed environment
    assert "rostrum" in mounts
    assert int(processes) <= 4
    assert set(listing.split()) >= {"eval_f1.py"}


def test_no_namespaces_and_no_debuggers_inside(walled: Sandbox, job: Job) -> None:
    call = "(lambda libc, *a: (libc.syscall(*a), ctypes.get_errno()))"
    libc = f"__import__('ctypes') and {call}".replace("ctypes.get", "__import__('ctypes').get")
    loaded = "__import__('ctypes').CDLL(None, use_errno=True)"
    numbers = {"unshare": (272, 0x10000000), "mount": (165, 0, 0, 0, 0, 0), "ptrace": (101, 0)}
    if os.uname().machine != "x86_64":
        pytest.skip("system call numbers of x86_64")
    answers = look(
        walled,
        job,
        *(f"({libc})({loaded}, {', '.join(map(str, call))})" for call in numbers.values()),
    )
    assert answers == ["(-1, 1)"] * len(numbers)


def test_a_hidden_run_keeps_no_log(walled: Sandbox, job: Job) -> None:
    noisy = dataclasses.replace(job, code=HERE.parent / "gallery/prints-noise")
    logs = []
    for keep_log in (True, False):
        with walled.start(dataclasses.replace(noisy, keep_log=keep_log)) as cell:
            load(cell)
            cell.agent.respond([Context("a", turns=(Turn("partner", "hi"),))])
            logs.append(cell.finish().log)
    assert "to stdout" in logs[0]
    assert "to stderr" in logs[0]
    assert logs[1] == ""


def test_a_hidden_flood_is_gone_in_time(walled: Sandbox, job: Job) -> None:
    flood = dataclasses.replace(job, code=HERE.parent / "gallery/floods-stderr", keep_log=False)
    with walled.start(flood) as cell:
        load(cell, batch=1.0)
        with pytest.raises(Exception, match="too long"):
            cell.agent.respond([Context("a", turns=(Turn("partner", "hi"),))])
        began = time.monotonic()
        ended = cell.finish()
    assert time.monotonic() - began < 5
    assert ended.gone


def first_reply(sandbox: Sandbox, job: Job) -> float:
    """Seconds from the start of a cell to its first reply, the best of three."""
    taken = []
    for _ in range(3):
        began = time.monotonic()
        with sandbox.start(job) as cell:
            load(cell)
            cell.agent.respond([Context("a", turns=(Turn("partner", "hi"),))])
            taken.append(time.monotonic() - began)
    print(f"{sandbox.name}: first reply after {min(taken):.3f} s (best of {len(taken)})")
    return min(taken)


def test_walls_cost_little_before_the_first_reply(walled: Sandbox, job: Job) -> None:
    bare = first_reply(opened("trusted"), job)
    assert first_reply(walled, job) < 8 * bare  # twice to four times on a quiet machine


# ---- docker ------------------------------------------------------------------------------------


@pytest.mark.docker
def test_an_older_delivery_is_replaced(job: Job) -> None:
    docker = opened("docker")
    stale = docker.start(dataclasses.replace(job, fence=1))
    with docker.start(job) as cell:
        load(cell)
        assert containers_of(f"rostrum.cell={job.name}") == [job.name]
        stale.finish()  # the older worker wakes up: it ends only what it started
        assert cell.agent.respond([Context("a", turns=(Turn("partner", "hi"),))]) == ["i like hi"]


@pytest.mark.docker
@pytest.mark.parametrize("fence", [1, 2])
def test_a_delivery_that_is_not_newer_stops(job: Job, fence: int) -> None:
    docker = opened("docker")
    with docker.start(job) as cell:
        with pytest.raises(AlreadyRunningError):
            docker.start(dataclasses.replace(job, fence=fence))
        load(cell)


@pytest.mark.docker
def test_a_foreign_container_is_never_touched(job: Job) -> None:
    run = ["docker", "create", "--name", job.name, "--label", "rostrum-test=foreign"]
    tag = prepare("docker", print).tag
    subprocess.run([*run, tag, "true"], check=True, capture_output=True)
    try:
        with pytest.raises(OperatorError, match="not Rostrum's"):
            opened("docker").start(job)
        subprocess.run(["docker", "inspect", job.name], check=True, capture_output=True)
    finally:
        subprocess.run(["docker", "rm", "-f", job.name], check=True, capture_output=True)


@pytest.mark.docker
def test_the_reaper_takes_what_is_past_its_deadline(job: Job) -> None:
    docker = opened("docker")
    until = time.monotonic() + 6
    with docker.start(dataclasses.replace(job, deadline_seconds=5)) as late:
        time.sleep(max(0.0, until - time.monotonic()))
        docker.reap()  # or the reaper of another worker on this machine
        assert containers_of(f"rostrum.cell={job.name}") == []
        assert late.finish() == Exit(gone=True)


@pytest.mark.docker
def test_the_reaper_takes_what_nobody_needs_any_more(job: Job) -> None:
    docker = opened("docker")
    with docker.start(job) as needed:
        docker.reap(over=lambda labels: labels["rostrum.cell"] == "another")
        assert containers_of(f"rostrum.cell={job.name}") == [job.name]
        docker.reap(over=lambda labels: labels["rostrum.cell"] == job.name)
        assert containers_of(f"rostrum.cell={job.name}") == []
        needed.finish()


@pytest.mark.docker
def test_a_cell_starts_from_the_digest_though_its_tag_has_moved_on(job: Job) -> None:
    digest = prepare("docker", print).digest
    sandbox = open_sandbox("docker", runtime=Runtime("docker", digest, tag="rostrum-runtime:none"))
    sandbox.check()
    with sandbox.start(job):
        told = subprocess.run(["docker", "inspect", job.name], check=True, capture_output=True)
    assert json.loads(told.stdout)[0]["Image"] == digest


@pytest.mark.docker
def test_a_memory_bomb_is_seen_by_the_runner(job: Job) -> None:
    bomb = dataclasses.replace(job, code=HERE.parent / "gallery/memory-bomb")
    with opened("docker").start(bomb) as cell:
        load(cell)
        with pytest.raises(Exception, match="before all examples"):
            cell.agent.respond([Context("a", turns=(Turn("partner", "hi"),))])
        assert cell.finish().out_of_memory


@pytest.mark.docker
def test_the_flags_of_a_container(job: Job) -> None:
    with opened("docker").start(job):
        told = subprocess.run(["docker", "inspect", job.name], check=True, capture_output=True)
    host = json.loads(told.stdout)[0]["HostConfig"]
    assert (host["NetworkMode"], host["ReadonlyRootfs"], host["Init"]) == ("none", True, True)
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges" in host["SecurityOpt"]
    assert (host["Memory"], host["MemorySwap"]) == (SMALL.memory, SMALL.memory)
    assert (host["NanoCpus"], host["PidsLimit"]) == (int(1e9), SMALL.pids)
    assert host["LogConfig"]["Type"] == "none"
    assert (host["IpcMode"], host["OomScoreAdj"]) == ("private", 1000)
    assert all(mount["ReadOnly"] for mount in host["Mounts"])
    assert {limit["Name"] for limit in host["Ulimits"]} == {"nofile", "core", "fsize"}


def test_an_engine_that_does_not_answer_is_ours(
    job: Job, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    runtime = Runtime("docker", "0" * 64, tag="rostrum-runtime:none")
    sandbox = open_sandbox("docker", runtime=runtime)
    for attempt in (sandbox.check, lambda: sandbox.start(job)):
        with pytest.raises(OperatorError) as raised:
            attempt()
        assert raised.value.code == "engine_down"
    assert not cell_folders(job.name)


@pytest.mark.docker
def test_a_runtime_that_is_missing_is_ours(job: Job) -> None:
    runtime = Runtime("docker", "0" * 64, tag="rostrum-runtime:none")
    sandbox = open_sandbox("docker", runtime=runtime)
    for attempt in (sandbox.check, lambda: sandbox.start(job)):
        with pytest.raises(OperatorError) as raised:
            attempt()
        assert raised.value.code == "image_missing"


@pytest.mark.docker
def test_a_base_that_cannot_be_had_names_the_script(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ROSTRUM_BASE_IMAGE", "localhost:9/rostrum-no-such-base:1")
    monkeypatch.setenv("ROSTRUM_CACHE_DIR", str(tmp_path))
    with pytest.raises(UsageError, match=r"make-base\.sh") as raised:
        prepare("docker", print)
    assert raised.value.code == "image_missing"


def test_only_a_kill_from_outside_is_called_one(walled: Sandbox, job: Job) -> None:
    with walled.start(job) as cell:
        load(cell)
        assert not cell.agent.hung_up()
        kill_from_outside(cell, job)
        until(cell.agent.hung_up)
        assert cell.finish() == Exit(signal=9, killed=True)
    spy = dataclasses.replace(job, code=SPY, keep_log=False)
    with walled.start(spy) as cell:
        load(cell)
        with pytest.raises(SubmissionError):
            cell.agent.respond(
                [Context("a", turns=(Turn("partner", "__import__('os').kill(os.getpid(), 9)"),))]
            )
        assert cell.agent.hung_up()
        assert cell.finish() == Exit(signal=9, killed=False)


# ---- bubblewrap --------------------------------------------------------------------------------


@pytest.mark.bubblewrap
def test_each_cell_has_a_user_id_of_its_own(job: Job) -> None:
    bubblewrap = opened("bubblewrap")
    second = dataclasses.replace(job, name=f"{job.name}-second")
    with bubblewrap.start(job) as one, bubblewrap.start(second) as two:
        assert isinstance(bubblewrap, BubblewrapSandbox)
        uids = {cell._slot.uid for cell in (one, two)}
        assert len(uids) == 2
        assert all(uid >= 60_000 and processes_of(uid) for uid in uids)
    assert not [process for uid in uids for process in processes_of(uid)]


@pytest.mark.bubblewrap
def test_a_slot_ends_what_was_left_under_its_id(tmp_path: Path) -> None:
    first = Slot(tmp_path)
    first.release()
    left = subprocess.Popen(["sleep", "600"], user=first.uid, group=first.uid, extra_groups=[])
    again = Slot(tmp_path)
    try:
        assert again.uid == first.uid
        assert left.wait(5) == -9
    finally:
        again.release()


@pytest.mark.bubblewrap
def test_cells_die_with_their_worker(tmp_path: Path) -> None:
    script = (
        "import time\n"
        "from pathlib import Path\n"
        "from worker.images import prepare\n"
        "from worker.sandbox import Job, Limits\n"
        "from worker.sandbox.choose import open_sandbox\n"
        "sandbox = open_sandbox('bubblewrap', runtime=prepare('bubblewrap', lambda _: None))\n"
        f"job = Job(name='rostrum-orphan', fence=1, code=Path({str(GOOD)!r}),\n"
        "          track_file='eval_f1.py', limits=Limits())\n"
        "print(sandbox.start(job)._slot.uid, flush=True)\n"
        "time.sleep(600)\n"
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=HERE.parent.parent
    )
    assert worker.stdout is not None
    uid = int(worker.stdout.readline())
    assert processes_of(uid)
    worker.kill()
    worker.wait()
    worker.stdout.close()
    deadline = time.monotonic() + 5
    while processes_of(uid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not processes_of(uid)
    opened("bubblewrap").reap()  # or the reaper of another worker: the owner of the files has died
    assert not cell_folders("rostrum-orphan")


@pytest.mark.bubblewrap
def test_the_reaper_ends_what_was_left_under_an_id_that_nobody_holds() -> None:
    held = Slot(Place.open(from_environment().sandbox_directory).slots)
    ids = {"user": held.uid, "group": held.uid, "extra_groups": []}
    left = subprocess.Popen(["sleep", "600"], **ids)
    assert opened("bubblewrap").reap() == 0
    held.release()
    assert opened("bubblewrap").reap() == 1
    assert left.wait(5) == -9


def test_bubblewrap_without_root_is_refused(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Runtime("bubblewrap", "0" * 64, path=Path("/nowhere"))
    sandbox = open_sandbox("bubblewrap", runtime=runtime)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(OperatorError, match="root"):
        sandbox.start(job)


# ---- trusted and the choice --------------------------------------------------------------------


def test_the_trusted_runner_takes_public_data_only_and_is_loud(
    job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    trusted = opened("trusted")
    with pytest.raises(UsageError, match="public data only"):
        trusted.start(dataclasses.replace(job, keep_log=False))
    with trusted.start(job):
        assert "NO SANDBOX" in caplog.text


def test_an_unknown_sandbox_is_named_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="docker, bubblewrap, trusted"):
        open_sandbox("chroot", runtime=Runtime("trusted", "0"))


@pytest.mark.docker
def test_the_strongest_sandbox_is_picked() -> None:
    assert pick() == "docker"


@pytest.mark.bubblewrap
def test_without_an_engine_bubblewrap_is_picked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    assert pick() == "bubblewrap"


def kill_from_outside(cell: Cell, job: Job) -> None:
    """End a cell as an administrator of the machine would."""
    if isinstance(cell, BubblewrapCell):
        cell._process.kill()
    else:
        subprocess.run(["docker", "kill", job.name], check=True, capture_output=True)


def until(condition: Callable[[], bool]) -> None:
    """Wait a few seconds until it holds."""
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def cell_folders(name: str) -> list[Path]:
    return list((from_environment().sandbox_directory / "cells").glob(f"{name}-*"))
