"""A toy set that every baseline can learn by heart, and how tests load a baseline."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType

from baselines.commands import folder
from harness.dialogue import Context, Dialogue, Example, Turn

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
STEPS = {"ranker": 60, "kvmemnn": 60, "seq2seq": 150}


def toy() -> list[Dialogue]:
    """A talk of one example per sight; what was asked decides the reply."""
    replies = [reply for _, reply in SIGHTS]
    examples = [
        Example(
            partner=(f"what about {sight} ?",),
            replies=(reply,),
            candidates=(*(replies * 2)[i + 1 : i + 20], reply),
        )
        for i, (sight, reply) in enumerate(SIGHTS)
    ]
    return [
        Dialogue(
            id=str(i),
            persona=(f"i am person {i} .", "i talk a lot ."),
            examples=(example,),
        )
        for i, example in enumerate(examples)
    ]


def contexts() -> list[Context]:
    """Contexts of unlike lengths, with and without persona and earlier turns."""
    long = tuple(
        Turn("self" if i % 2 else "partner", f"what about {w} ?")
        for i, (w, _) in enumerate(SIGHTS[:11])
    )
    return [
        Context("a", ("i am person 1 .",), turns=(Turn("partner", "what about tea ?"),)),
        Context("b", ("i am person 2 .", "i talk a lot ."), turns=long),
        Context("c", (), turns=(Turn("partner", "zyzzyva"),)),
        Context("d", ("i own a zyzzyva .",), turns=long[:3]),
    ]


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
