"""A step of a long command is done once, in a process of its own that may be stopped."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from baselines.trials import notes, process
from baselines.trials.place import Place, place
from baselines.trials.trial import Bench, Recipe, TrialError, enter, score, train
from harness.errors import UsageError

RETRIEVAL = Recipe(baseline="tfidf-retrieval")
SPLIT = "valid_self_original.txt"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with place(tmp_path / "work") as here:
        yield Bench(place=here, threads=1)


def copied(data: Path, to: Path) -> Path:
    to.mkdir()
    for file in data.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    return to


def stamp(path: Path) -> int:
    return path.stat().st_mtime_ns


def test_a_trial_is_trained_entered_and_scored_once(bench: Bench, toy_data: Path) -> None:
    folder = bench.place.folder / "row"
    out = folder / "hits.json"

    def once() -> tuple[float | None, float, list[int]]:
        trained = train(folder, RETRIEVAL, data=toy_data, bench=bench)
        entry = enter(folder, trained)
        report = score(entry, "hits", data=toy_data / SPLIT, out=out, bench=bench)
        made = [trained.checkpoint / "config.json", entry.folder / "agent.py", out]
        return trained.seconds, report.score.value, [stamp(path) for path in made]

    first, again = once(), once()

    assert first == again
    assert first[0] is not None
    assert 0 < first[0] < 60
    assert not list(folder.glob("*.journal"))


def test_other_data_are_trained_and_scored_anew(
    bench: Bench, toy_data: Path, tmp_path: Path
) -> None:
    folder, data = bench.place.folder / "row", copied(toy_data, tmp_path / "data")
    first = train(folder, RETRIEVAL, data=data, bench=bench)
    entry = enter(folder, first)
    score(entry, "hits", data=data / SPLIT, out=folder / "hits.json", bench=bench)
    whole = (data / SPLIT).read_bytes()
    (data / SPLIT).write_bytes(b"".join(whole.splitlines(keepends=True)[:8]))

    again = train(folder, RETRIEVAL, data=data, bench=bench)
    report = score(
        enter(folder, again), "hits", data=data / SPLIT, out=folder / "hits.json", bench=bench
    )

    assert again.key != first.key
    assert report.score.n == 4


def test_a_training_that_was_killed_has_no_known_time(bench: Bench, toy_data: Path) -> None:
    folder = bench.place.folder / "row"
    key = train(folder, RETRIEVAL, data=toy_data, bench=bench).key
    # as it stands when everything was killed in the middle of the second part
    notes.write(folder / "training.json", key=key, parts=[3.0, None], done=False)

    trained = train(folder, RETRIEVAL, data=toy_data, bench=bench)

    assert trained.seconds is None
    assert len(json.loads((folder / "training.json").read_text())["parts"]) == 3


def test_a_checkpoint_that_was_removed_is_made_and_timed_anew(bench: Bench, toy_data: Path) -> None:
    folder = bench.place.folder / "row"
    first = train(folder, RETRIEVAL, data=toy_data, bench=bench)
    shutil.rmtree(first.checkpoint)

    again = train(folder, RETRIEVAL, data=toy_data, bench=bench)

    assert again.checkpoint.is_dir()
    assert json.loads((folder / "training.json").read_text())["parts"] == [again.seconds]


def test_a_failing_training_is_an_error_and_not_done(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrialError, match="training tfidf-retrieval ended with exit status"):
        train(bench.place.folder / "row", RETRIEVAL, data=tmp_path / "empty", bench=bench)
    assert not json.loads((bench.place.folder / "row" / "training.json").read_text())["done"]


def test_a_failing_score_is_an_error(bench: Bench, toy_data: Path, tmp_path: Path) -> None:
    folder = bench.place.folder / "row"
    entry = enter(folder, train(folder, RETRIEVAL, data=toy_data, bench=bench))
    (tmp_path / "bad.txt").write_text("no dialogue")
    with pytest.raises(TrialError, match="scoring tfidf-retrieval on hits"):
        score(entry, "hits", data=tmp_path / "bad.txt", out=folder / "hits.json", bench=bench)


def test_an_option_that_the_agent_has_not_is_refused(bench: Bench, toy_data: Path) -> None:
    folder = bench.place.folder / "row"
    trained = train(folder, RETRIEVAL, data=toy_data, bench=bench)
    with pytest.raises(UsageError, match=r"no option scoring\.by"):
        enter(folder, trained, changes={"scoring.by": "pmi"})


def test_changes_are_written_into_the_entry_and_not_the_checkpoint(
    bench: Bench, toy_data: Path
) -> None:
    folder = bench.place.folder / "row"
    trained = train(folder, RETRIEVAL, data=toy_data, bench=bench)
    own = trained.checkpoint / "config.json"
    own.write_text(json.dumps({"options": {"scoring": {"by": "pmi"}, "size": 3}}))

    entry = enter(folder, trained, changes={"scoring.by": "mean", "size": 4})

    changed = json.loads((entry.folder / "checkpoint" / "config.json").read_text())
    assert changed == {"options": {"scoring": {"by": "mean"}, "size": 4}}
    assert json.loads(own.read_text())["options"]["size"] == 3


def test_a_note_of_another_key_or_none_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    assert notes.read(path, key="a") is None
    notes.write(path, key="a", done=True)
    assert notes.read(path, key="a") == {"key": "a", "done": True}
    assert notes.read(path, key="b") is None
    path.write_text("[" * 100_000)
    assert notes.read(path, key="a") is None


def test_the_key_of_data_is_that_of_what_is_learned_from(toy_data: Path, tmp_path: Path) -> None:
    data = copied(toy_data, tmp_path / "data")
    before = notes.data_key(data)
    (data / "test_self_original.txt").write_text("1 unseen\tyes")
    assert notes.data_key(data) == before
    (data / "train_self_original_no_cands.txt").write_text("1 more\tyes")
    assert notes.data_key(data) != before


def test_the_key_of_code_tells_baselines_apart() -> None:
    keys = {notes.code_key(name, {"harness": notes.TRAINS}) for name in ("ranker", "kvmemnn")}
    assert len(keys) == 2
    assert notes.code_key("ranker", {"harness": notes.SCORES}) not in keys


def test_a_place_is_one_runs_and_never_somebodys_folder(tmp_path: Path) -> None:
    with place(tmp_path / "work") as here:
        assert here == Place((tmp_path / "work").resolve(), here.lock)
        with pytest.raises(UsageError, match="another run works in"), place(tmp_path / "work"):
            pass
    with place(tmp_path / "work"):
        pass  # free again, and known as ours
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(UsageError, match="holds other things"), place(tmp_path / "thesis"):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="holds other things"), place(tmp_path / "file"):
        pass
    with pytest.raises(UsageError, match="cannot work in"), place(tmp_path / "file" / "in"):
        pass


def test_a_command_that_outlives_us_keeps_the_place(tmp_path: Path) -> None:
    with place(tmp_path / "work") as here:
        child = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(here.lock,)
        )
    try:
        with pytest.raises(UsageError, match="another run"), place(tmp_path / "work"):
            pass
    finally:
        child.communicate(b"\n")
    with place(tmp_path / "work"):
        pass


def test_a_command_has_its_threads_and_no_input() -> None:
    code = "import os, sys; sys.exit(int(os.environ['OMP_NUM_THREADS']) + len(sys.stdin.read()))"
    assert process.run([sys.executable, "-c", code], threads=3) == 3


WAITING = """
import sys, time
from pathlib import Path
from baselines.trials import process
code = '''
import sys, time
from pathlib import Path
Path(sys.argv[1], "began").touch()
try:
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(float(sys.argv[2]))
    Path(sys.argv[1], "in-order").touch()
    sys.exit(130)
'''
try:
    with process.ended_in_order():
        process.run([sys.executable, "-c", code, *sys.argv[1:]], threads=1)
except KeyboardInterrupt:
    sys.exit(7)
"""


def waiting(folder: Path, *, takes: float) -> "subprocess.Popen[bytes]":
    """A process that runs a command, once the command has begun; it takes so long to end."""
    driver = subprocess.Popen([sys.executable, "-c", WAITING, str(folder), str(takes)])
    for _ in range(400):
        if (folder / "began").exists():
            return driver
        time.sleep(0.05)
    raise AssertionError("the command did not begin")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_lets_the_command_end_in_order(number: int, tmp_path: Path) -> None:
    driver = waiting(tmp_path, takes=0.2)
    os.kill(driver.pid, number)
    assert driver.wait(30) == 7
    assert (tmp_path / "in-order").exists()


def test_a_second_interrupt_does_not_wait(tmp_path: Path) -> None:
    driver = waiting(tmp_path, takes=60)
    os.kill(driver.pid, signal.SIGINT)
    time.sleep(0.5)
    os.kill(driver.pid, signal.SIGINT)
    assert driver.wait(30) == 7
    assert not (tmp_path / "in-order").exists()
