"""A worker's disk is freed by age and between two marks, of what can be made again alone."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from test_images_stored import empty_tar

from harness.errors import UsageError
from worker.images import shelves
from worker.images.collect import BUSY_SECONDS, Item, Marks, alone, collect
from worker.images.disk import used_percent
from worker.images.recipe import read_recipe
from worker.images.runtime import Runtime
from worker.images.shelves import Stays, everything, images, in_use, sweep_ruins
from worker.images.used import last_use, mark_used
from worker.place import Place
from worker.settings import from_environment

NOW = 1_800_000_000.0
DAY = 86_400.0


@dataclass
class Disk:
    """A disk of 100 things, each of which is one percent."""

    used: float
    gone: list[str] = field(default_factory=list)

    def full(self, _: Path) -> float:
        return self.used

    def item(self, name: str, *, idle: float, stuck: bool = False, on: str = "/") -> Item:
        def remove() -> bool:
            if stuck:
                return False
            self.used -= 1
            self.gone.append(name)
            return True

        return Item("tree", name, NOW - idle, Path(on), remove)


def test_what_is_too_old_goes_however_empty_the_disk_is() -> None:
    disk = Disk(10)
    items = [disk.item("old", idle=15 * DAY), disk.item("new", idle=13 * DAY)]
    assert [one.name for one in collect(items, marks=Marks(), now=NOW, full=disk.full)] == ["old"]


def test_above_the_high_mark_the_longest_unused_goes_first_until_the_low_one() -> None:
    disk = Disk(92)
    items = [disk.item(f"t{n}", idle=n * DAY / 10) for n in range(1, 40)]
    collect(items, marks=Marks(high=90, low=85), now=NOW, full=disk.full)
    assert disk.gone == [f"t{n}" for n in range(39, 32, -1)]
    assert disk.used == 85


def test_between_the_marks_nothing_goes() -> None:
    disk = Disk(89)
    collect([disk.item("a", idle=DAY)], marks=Marks(high=90, low=50), now=NOW, full=disk.full)
    assert disk.gone == []


def test_what_was_used_an_hour_ago_stays_even_on_a_full_disk(
    caplog: pytest.LogCaptureFixture,
) -> None:
    disk = Disk(99)
    items = [disk.item("busy", idle=BUSY_SECONDS / 2), disk.item("idle", idle=2 * BUSY_SECONDS)]
    collect(items, marks=Marks(high=90, low=50), now=NOW, full=disk.full)
    assert disk.gone == ["idle"]
    assert "nothing of ours is left to free" in caplog.text


def test_what_cannot_be_removed_stops_nothing_else() -> None:
    disk = Disk(92)
    items = [disk.item("stuck", idle=3 * DAY, stuck=True), disk.item("a", idle=2 * DAY)]
    gone = collect(items, marks=Marks(high=90, low=91), now=NOW, full=disk.full)
    assert [one.name for one in gone] == ["a"]


def test_a_full_disk_takes_nothing_from_another_one() -> None:
    fullness = {Path("/a"): 95.0, Path("/b"): 10.0}
    gone: list[str] = []

    def item(name: str, disk: str) -> Item:
        def remove() -> bool:
            gone.append(name)
            return True

        return Item("tree", name, NOW - DAY, Path(disk), remove)

    collect([item("1", "/b"), item("2", "/a")], marks=Marks(), now=NOW, full=fullness.__getitem__)
    assert gone == ["2"]


def test_two_workers_do_not_collect_at_once(tmp_path: Path) -> None:
    with alone(tmp_path) as first:
        program = "import sys;from pathlib import Path;from worker.images.collect import alone\n"
        program += f"with alone(Path({str(tmp_path)!r})) as ours: sys.exit(0 if ours else 7)"
        other = subprocess.run([sys.executable, "-c", program], timeout=60, check=False)
    assert (first, other.returncode) == (True, 7)
    with alone(tmp_path) as again:
        assert again


# ---- what stands on the shelves ----------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A folder of a worker without an engine."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    return Place.open(tmp_path / "place")


def aged(path: Path, days: float) -> Path:
    os.utime(path, (time.time() - days * DAY,) * 2)
    return path


def environment(place: Place, key: str, *, days: float) -> Path:
    folder = place.environments / f"{key * 24}-{'f' * 12}"
    folder.mkdir()
    (folder / "a.py").touch()
    record = place.environments / f"{key * 24}.json"
    record.write_text(json.dumps({"name": folder.name, "packages": []}))
    aged(record, days)
    return aged(folder, days + 5)


def listed(place: Place, stays: Stays | None = None) -> dict[str, Item]:
    code, cache = place.root / "code", place.root / "cache"
    found = everything(place, code=code, cache=cache, stays=stays or Stays())
    return {item.name: item for item in found}


def test_an_environment_goes_and_its_list_of_versions_stays(place: Place) -> None:
    folder = environment(place, "a", days=3)
    kept = environment(place, "b", days=30)
    item = listed(place, Stays(environments={kept.name}))[folder.name]
    assert item.used == pytest.approx(time.time() - 3 * DAY, abs=5)
    assert kept.name not in listed(place, Stays(environments={kept.name}))
    assert item.remove()
    assert not item.remove()
    assert not folder.exists()
    assert (place.environments / f"{'a' * 24}.json").exists()
    assert list(place.environments.glob(".gone*")) == []


def test_a_tree_goes_with_its_facts_though_its_folders_are_read_only(place: Place) -> None:
    tree = place.root / "code" / "key" / ("1" * 40)
    (tree / "inner").mkdir(parents=True)
    (tree / "inner" / "f").touch()
    (tree / "inner").chmod(0o555)
    facts = tree.with_name(f"{tree.name}.json")
    facts.touch()
    assert listed(place, Stays(commits={tree.name})) == {}
    assert listed(place)[tree.name].remove()
    assert not tree.exists()
    assert not facts.exists()


def test_runtimes_and_wheels_go_unless_they_are_kept_or_todays(place: Place) -> None:
    names = ("0" * 16, "1" * 16, "packages-2", "build-3")
    for name in names:
        aged_folder = place.runtimes / name
        aged_folder.mkdir()
        aged(aged_folder, 20)
    wheels = place.root / "cache" / "wheels"
    for name in ("abc", read_recipe().packages_digest()[:16]):
        (wheels / name).mkdir(parents=True)
    mark_used(Runtime("bubblewrap", "1" * 64), place=place)
    found = listed(place, Stays(images={"0" * 64}))
    assert set(found) == {"1" * 16, "packages-2", "build-3", "abc"}
    assert time.time() - found["1" * 16].used < 60
    assert time.time() - found["build-3"].used > 19 * DAY


def test_a_mark_of_the_future_is_one_of_today(place: Place) -> None:
    mark_used(Runtime("docker", "sha256:" + "5" * 64), place=place)
    mark = place.root / "used" / ("5" * 16)
    os.utime(mark, (time.time() + 10 * DAY,) * 2)
    assert last_use(place, mark.name) <= time.time()
    assert last_use(place, "never") == 0.0


def test_what_a_cell_looks_at_stays(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = environment(place, "a", days=30)
    about = folder.stat()
    monkeypatch.setattr(shelves, "in_use", lambda: frozenset({(about.st_dev, about.st_ino)}))
    assert listed(place) == {}


def test_ruins_and_old_lists_are_swept(place: Place) -> None:
    ruin = place.environments / ".key.0123"
    fresh = place.environments / ".key.4567"
    for folder in (ruin, fresh):
        folder.mkdir()
    aged(ruin, 2)
    environment(place, "a", days=500)
    lonely = place.environments / f"{'b' * 24}.json"
    lonely.touch()
    aged(lonely, 500)
    assert sweep_ruins(place) == 2
    assert not ruin.exists()
    assert fresh.exists()
    assert not lonely.exists()
    assert (place.environments / f"{'a' * 24}.json").exists()


def test_the_marks_of_a_disk_are_read_as_df_reads_them(tmp_path: Path) -> None:
    told = subprocess.run(
        ["df", "--output=pcent", tmp_path], capture_output=True, text=True, check=True, timeout=10
    )
    assert used_percent(tmp_path) == pytest.approx(
        float(told.stdout.split()[-1].rstrip("%")), abs=1.5
    )


def test_the_marks_come_from_the_settings_and_must_make_sense() -> None:
    found = from_environment({"ROSTRUM_DISK_HIGH": "70", "ROSTRUM_KEEP_DAYS": "2"})
    assert (found.disk_high, found.disk_low, found.keep_days) == (70, 70, 2)
    with pytest.raises(UsageError, match="swap them"):
        from_environment({"ROSTRUM_DISK_LOW": "95"})
    with pytest.raises(UsageError, match="ROSTRUM_KEEP_DAYS"):
        from_environment({"ROSTRUM_KEEP_DAYS": "a while"})


# ---- images of the engine ----------------------------------------------------------------------


@pytest.fixture
def imported() -> Iterator[Callable[..., str]]:
    """Makes images that have nothing but labels; removed after the test."""
    made: list[str] = []

    def make(*changes: str, tag: str | None = None) -> str:
        command = ["docker", "import", *(f"--change={change}" for change in changes), "-"]
        done = subprocess.run(
            [*command, *([tag] if tag else [])],
            input=empty_tar(), capture_output=True, check=True, timeout=60,
        )  # fmt: skip
        made.append(done.stdout.decode().strip())
        return made[-1]

    yield make
    for digest in made:
        subprocess.run(
            ["docker", "rmi", "-f", digest], capture_output=True, check=False, timeout=60
        )


@pytest.mark.docker
def test_only_our_images_go_and_none_that_is_named_kept_or_stood_on(
    tmp_path: Path, imported: Callable[..., str]
) -> None:
    label = f"rostrum.test.{os.getpid()}"
    ours = f"LABEL {label}=1"
    plain, named = imported(ours), imported(ours, tag=f"rostrum-keep:{os.getpid()}")
    kept, used, foreign = imported(ours), imported(ours), imported()
    container = subprocess.run(
        ["docker", "create", used, "x"], capture_output=True, check=True, text=True, timeout=60
    ).stdout.strip()
    try:
        place = Place.open(tmp_path)
        found = {item.name: item for item in images(place, {kept}, label=label)}
        assert set(found) == {plain}
        assert found[plain].remove()
        left = subprocess.run(
            ["docker", "images", "--all", "--no-trunc", "--quiet"],
            capture_output=True, check=True, text=True, timeout=60,
        ).stdout.split()  # fmt: skip
        assert {named, kept, used, foreign} <= set(left)
        assert plain not in left
        assert not shelves._remove_image(used)
    finally:
        subprocess.run(["docker", "rm", container], capture_output=True, check=True, timeout=60)


@pytest.mark.docker
def test_an_engine_tells_what_its_cells_look_at(
    tmp_path: Path, imported: Callable[..., str]
) -> None:
    folder = tmp_path / "environment"
    folder.mkdir()
    image = imported()
    container = subprocess.run(
        ["docker", "create", "--label=rostrum.cell=t", f"-v={folder}:/opt/env:ro", image, "x"],
        capture_output=True, check=True, text=True, timeout=60,
    ).stdout.strip()  # fmt: skip
    try:
        about = folder.stat()
        assert (about.st_dev, about.st_ino) in in_use()
    finally:
        subprocess.run(["docker", "rm", container], capture_output=True, check=True, timeout=60)
