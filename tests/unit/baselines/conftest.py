"""A toy set that every baseline can learn by heart, and each baseline trained on it once."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from baselines.commands import FOLDERS, folder, train
from harness.data import fbdialog
from harness.dialogue import Dialogue, Example

SIGHTS = [
    ("tea", "a cup of it in the morning"),
    ("rain", "it makes the garden grow"),
    ("chess", "my uncle taught me years ago"),
    ("trains", "the night express to vienna"),
    ("cats", "two black ones live here"),
    ("jazz", "old records from my father"),
    ("snow", "we build forts every winter"),
    ("boats", "sailing calms everyone down"),
    ("bread", "baking sourdough on sunday"),
    ("maps", "paper beats any phone"),
    ("bees", "honey pays our rent"),
    ("stars", "my telescope is huge"),
    ("soup", "grandma adds ginger"),
    ("dance", "tango class tonight"),
    ("dogs", "walking three before noon"),
    ("films", "silent comedies above all"),
    ("books", "crime novels by candle light"),
    ("bikes", "riding uphill hurts"),
    ("lakes", "swimming until october"),
    ("hats", "only with feathers"),
    ("clocks", "repairing them is work"),
    ("plants", "ferns fill the bath"),
    ("games", "cards with neighbours"),
    ("cities", "lisbon stole someone's heart"),
]
STEPS = {"ranker": 60, "kvmemnn": 60, "seq2seq": 120}


def toy() -> list[Dialogue]:
    """Twelve talks of two examples; what was asked decides the reply."""
    replies = [reply for _, reply in SIGHTS]
    examples = [
        Example(
            partner=(f"what about {sight} ?",),
            replies=(reply,),
            candidates=tuple(r for r in (replies * 2)[i + 1 : i + 20]) + (reply,),
        )
        for i, (sight, reply) in enumerate(SIGHTS)
    ]
    return [
        Dialogue(
            id=str(i),
            persona=(f"i am person {i} .", "i talk a lot ."),
            examples=(examples[i], examples[i + 12]),
        )
        for i in range(12)
    ]


@pytest.fixture(scope="session")
def toy_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy set as files; train and valid are the same."""
    data = tmp_path_factory.mktemp("toy")
    for split in ("train", "valid"):
        fbdialog.write(data / f"{split}_self_original.txt", toy())
    return data


@pytest.fixture(scope="session")
def trained(
    toy_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """The checkpoint of a baseline, trained on the toy set by the command that people use."""
    root = tmp_path_factory.mktemp("trained")

    def checkpoint(name: str) -> Path:
        if not (root / name).is_dir():
            arguments = [name, "--data", str(toy_data), "--out", str(root / name)]
            steps = ["--steps", str(STEPS[name])] if name in STEPS else []
            result = CliRunner().invoke(train, [*arguments, *steps, "--seed", "1"])
            assert result.exit_code == 0, result.output
        return root / name

    return checkpoint


@contextmanager
def flat(name: str) -> Iterator[None]:
    """A baseline's own folder first on the path; what was imported from it is forgotten after."""
    own = {path.stem for path in folder(name).glob("*.py")}
    before = {module: sys.modules.pop(module) for module in own if module in sys.modules}
    sys.path.insert(0, str(folder(name)))
    try:
        yield
    finally:
        sys.path.remove(str(folder(name)))
        for module in own:
            sys.modules.pop(module, None)
        sys.modules.update(before)


def module_of(name: str, module: str) -> ModuleType:
    """A module of a baseline."""
    with flat(name):
        return import_module(module)


@pytest.fixture(scope="session", params=list(FOLDERS))
def name(request: pytest.FixtureRequest) -> str:
    """Each baseline in turn."""
    return str(request.param)
