"""The runtime for processors and the one for an accelerator: one recipe, two builds of torch."""

from pathlib import Path
from typing import Any

import pytest

from harness.errors import UsageError
from worker.images import docker as images
from worker.images import wheelhouse as wheels
from worker.images.recipe import read_recipe
from worker.images.variant import Variant, chosen_variant

CUDA = Variant("cuda", "https://index.example.org/cu130")


def test_the_settings_choose_and_an_unknown_name_is_refused() -> None:
    assert chosen_variant({}) == Variant("cpu", "")
    named = {"ROSTRUM_RUNTIME": "cuda", "ROSTRUM_TORCH_INDEX": CUDA.torch_index}
    assert chosen_variant(named) == CUDA
    with pytest.raises(UsageError, match="known: cpu, cuda"):
        chosen_variant({"ROSTRUM_RUNTIME": "rocm"})


def test_variants_have_names_and_wheels_of_their_own() -> None:
    plain, heavy = read_recipe(Variant()), read_recipe(CUDA)
    other = read_recipe(Variant("cuda", "/srv/wheels"))
    assert len({recipe.digest(base="b") for recipe in (plain, heavy, other)}) == 3
    assert len({recipe.packages_digest() for recipe in (plain, heavy, other)}) == 3


def test_an_address_is_an_index_and_a_path_is_a_folder() -> None:
    assert Variant().pip_options == ()
    assert CUDA.pip_options == ("--extra-index-url", "https://index.example.org/cu130")
    assert Variant("cpu", "/srv/wheels").pip_options == ("--find-links", "/srv/wheels")


def wheel(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / f"{name}-cp311-cp311-linux_x86_64.whl").touch()
    return folder


def test_the_wrong_torch_is_told_before_it_is_built_into_anything(tmp_path: Path) -> None:
    processors = wheel(tmp_path, "torch-2.13.0+cpu", "numpy-2.4.6")
    assert Variant().check(processors) == ""
    with pytest.raises(UsageError, match="ROSTRUM_TORCH_INDEX"):
        CUDA.check(processors)


def test_several_gigabytes_in_vain_are_told(tmp_path: Path) -> None:
    heavy = wheel(tmp_path, "torch-2.13.0", "nvidia_cudnn_cu13-9.20")
    assert "ROSTRUM_TORCH_INDEX" in Variant().check(heavy)
    assert CUDA.check(heavy) == ""


def test_the_download_asks_where_the_variant_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def pip(*arguments: str, purpose: str) -> None:
        asked.extend(arguments)

    monkeypatch.setenv("ROSTRUM_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(wheels, "pip", pip)
    wheels.wheelhouse(read_recipe(CUDA), progress=lambda line: None)
    at = asked.index("--extra-index-url")
    assert asked[at + 1] == CUDA.torch_index


def test_the_image_is_built_with_both_arguments(tmp_path: Path) -> None:
    class Engine:
        """Remembers what it was asked to build."""

        def __init__(self) -> None:
            self.asked: dict[str, Any] = {}
            self.api = self

        def build(self, **asked: Any) -> list[dict[str, Any]]:
            self.asked = asked
            return []

    engine = Engine()
    images._run_build(engine, tmp_path, base="debian:x", tag="t", variant="cuda")  # type: ignore[arg-type]  # a fake
    assert engine.asked["buildargs"] == {"BASE": "debian:x", "VARIANT": "cuda"}
    assert engine.asked["network_mode"] == "none"
    assert "ARG VARIANT=cpu" in read_recipe().dockerfile
