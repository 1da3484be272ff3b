"""Recipes, caches and requirement files, without an engine and without a network."""

import dataclasses
import io
import threading
import time
import zipfile
from pathlib import Path

import pytest

from harness.errors import SubmissionError, UsageError
from worker.images import prepare
from worker.images.cache import locked, make_once
from worker.images.recipe import harness_wheel, read_recipe
from worker.images.requirements import parse_requirements, refuse_shipped
from worker.images.wheelhouse import pip, target_arguments


def test_the_harness_wheel_is_the_harness_and_nothing_else() -> None:
    names = zipfile.ZipFile(io.BytesIO(harness_wheel())).namelist()
    folders = {name.split("/")[0].partition("-")[0] for name in names}
    assert folders == {"harness", "rostrum_harness"}
    assert "harness/remote/serve.py" in names
    assert not [name for name in names if "__pycache__" in name]


def test_equal_recipes_have_equal_names_and_any_change_a_new_one() -> None:
    recipe = read_recipe()
    name = recipe.digest(base="python:3.11-slim")
    harness_wheel.cache_clear()
    assert read_recipe().digest(base="python:3.11-slim") == name
    others = [
        dataclasses.replace(recipe, dockerfile=recipe.dockerfile + "\n"),
        dataclasses.replace(recipe, constraints=recipe.constraints + "x==1\n"),
        dataclasses.replace(recipe, requirements=recipe.requirements + "x\n"),
        dataclasses.replace(recipe, harness=recipe.harness + b"\0"),
    ]
    names = {other.digest(base="python:3.11-slim") for other in others}
    assert len(names | {name, recipe.digest(base="other")}) == 6


def test_a_new_harness_downloads_nothing_again() -> None:
    recipe = read_recipe()
    newer = dataclasses.replace(recipe, harness=b"newer")
    assert newer.packages_digest() == recipe.packages_digest()


def test_everything_asked_for_is_pinned() -> None:
    recipe = read_recipe()
    asked = [line for line in recipe.requirements.splitlines() if line and line[0] != "#"]
    assert {"numpy", "torch", "safetensors"} == set(asked)
    assert set(asked) <= recipe.names()
    pins = [line for line in recipe.constraints.splitlines() if line and line[0] != "#"]
    assert all(line.count("==") == 1 for line in pins)


def test_an_unknown_sandbox_has_no_runtime() -> None:
    with pytest.raises(UsageError, match="known: docker, bubblewrap, trusted"):
        prepare("chroot", print)


def test_two_makers_make_once(tmp_path: Path) -> None:
    made: list[int] = []

    def make(folder: Path) -> None:
        time.sleep(0.2)
        (folder / "file").write_text("complete")
        made.append(1)

    results: list[Path] = []
    threads = [
        threading.Thread(target=lambda: results.append(make_once(tmp_path / "thing", make)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]
    assert results == [tmp_path / "thing"] * 4
    assert (tmp_path / "thing" / "file").read_text() == "complete"


def test_a_failed_maker_leaves_nothing_and_the_next_one_succeeds(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise UsageError("no network")

    with pytest.raises(UsageError, match="no network"):
        make_once(tmp_path / "thing", fail)
    assert [path.name for path in tmp_path.iterdir()] == [".thing.lock"]
    assert make_once(tmp_path / "thing", lambda folder: None).is_dir()


def test_a_lock_that_is_kept_is_named(tmp_path: Path) -> None:
    with (
        locked(tmp_path / "thing"),
        pytest.raises(UsageError, match="another process"),
        locked(tmp_path / "thing", seconds=0.05),
    ):
        pass


def test_pip_that_fails_says_why() -> None:
    with pytest.raises(UsageError, match="pip could not do this"):
        pip("download", "--no-index", "rostrum-no-such-package", purpose="do this")


# ---- requirements ------------------------------------------------------------------------------


def written(folder: Path, content: str | bytes) -> Path:
    file = folder / "requirements.txt"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def test_no_file_and_an_empty_one_need_nothing(tmp_path: Path) -> None:
    assert parse_requirements(tmp_path / "none.txt") == ()
    assert parse_requirements(written(tmp_path, "\n# only a comment\n")) == ()


def test_names_with_versions_are_taken_in_any_order(tmp_path: Path) -> None:
    content = "nltk>=3.8,<4  # tokens\r\n\r\nsentence_transformers[onnx] == 2.*\nnltk>=3.8,<4\n"
    assert parse_requirements(written(tmp_path, content)) == (
        "nltk>=3.8,<4",
        "sentence_transformers[onnx] == 2.*",
    )


@pytest.mark.parametrize(
    "line",
    [
        "-r other.txt",
        "-e .",
        "--index-url x",
        "--find-links=/",
        "-c /etc/passwd",
        "./local",
        "/etc/passwd",
        "file:///etc/passwd",
        "git+ssh://host/repo",
        "nltk @ file:///x.whl",
        "nltk; python_version > '3'",
        "nltk==1 --hash=sha256:0",
        "nltk==1 \\",
        "${HOME}",
        "package.whl/../x",
        "nltk\x00",
        "a" * 200,
        "nltk==" + "1" * 200,
        "..",
    ],
)
def test_anything_else_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    with pytest.raises(SubmissionError, match=r"requirements\.txt:2") as raised:
        parse_requirements(written(tmp_path, f"nltk\n{line}\n"))
    assert (raised.value.code, raised.value.detail) == ("build_failed", "refused_line")


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"x\n" * 40_000, "".join(f"p{n}\n" for n in range(101))]
)
def test_a_file_that_is_no_list_is_refused(tmp_path: Path, content: str | bytes) -> None:
    with pytest.raises(SubmissionError) as raised:
        parse_requirements(written(tmp_path, content))
    assert raised.value.detail == "refused_line"


def test_a_link_is_no_requirements_file(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").symlink_to("/etc/passwd")
    assert parse_requirements(tmp_path / "requirements.txt") == ()


@pytest.mark.parametrize("name", ["torch", "Torch==2.0", "typing_extensions", "harness", "NumPy<2"])
def test_what_the_runtime_ships_cannot_be_replaced(name: str) -> None:
    with pytest.raises(SubmissionError) as raised:
        refuse_shipped((name,), read_recipe())
    assert raised.value.detail == "shipped_name"


def test_wheels_are_chosen_for_the_runtimes_python() -> None:
    assert target_arguments("3.11")[:2] == ("--python-version", "3.11")
