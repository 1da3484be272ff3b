"""A toy set that every baseline can learn by heart, and how tests load a baseline."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

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
    ("cheese", "goats gave us plenty"),
    ("owls", "one hoots behind our barn"),
    ("pianos", "mine needs tuning badly"),
    ("planes", "turbulence frightens nobody"),
    ("apples", "green ones taste best"),
    ("rugby", "broke both wrists once"),
    ("poems", "haiku fit into pockets"),
    ("sharks", "met six while diving"),
    ("socks", "striped pairs always vanish"),
    ("opera", "verdi makes strangers cry"),
    ("caves", "bats sleep there all day"),
    ("farms", "cows wake up at four"),
    ("masks", "carnival lasts one week"),
    ("trams", "line seven stops outside"),
    ("mushrooms", "found chanterelles yesterday"),
    ("kites", "wind was too strong"),
    ("castles", "ghosts haunt every tower"),
    ("lemons", "sour things cheer people"),
    ("drums", "practising annoys parents"),
    ("ants", "they carried off lunch"),
    ("islands", "no cars allowed anywhere"),
    ("puzzles", "missing pieces drive aunt mad"),
    ("deserts", "camels spit on tourists"),
    ("ice", "skating came before talking"),
    ("pottery", "clay under each nail"),
    ("wolves", "heard some howling far north"),
]
"""What can be asked about, and what is always replied."""

AGAIN = 7
"""A dialogue's second question is about the sight that stands so many further on."""

RATE = ("--set", "training.learning_rate=0.006")
STILL = ("--set", "model.dropout=0")
VARIANTS: dict[str, tuple[str, ...]] = {
    "ranker": ("ranker", "--encoder", "bow", "--updates", "40"),
    "ranker-lstm": ("ranker", "--encoder", "lstm", "--updates", "80"),
    "ranker-transformer": ("ranker", "--encoder", "transformer", "--updates", "80"),
    "kvmemnn": ("kvmemnn", "--updates", "300"),
    "kvmemnn-modern": ("kvmemnn", "--modern", "--updates", "40"),
    "seq2seq": ("seq2seq", "--updates", "250", *RATE, "--set", "model.dropout=0.1"),
    "lm": ("lm", "--updates", "110", *RATE),
    "lm-transformer": ("lm", "--kind", "transformer", "--updates", "150", *RATE, *STILL),
    "tfidf-retrieval": ("tfidf-retrieval",),
    "repeat-partner": ("repeat-partner",),
    "random-reply": ("random-reply",),
    "constant-words": ("constant-words",),
    "word-frequency": ("word-frequency",),
}
"""What is trained on the toy set, each by its arguments of `rostrum train` but for the folders."""

SANITY = ("tfidf-retrieval", "repeat-partner", "random-reply", "constant-words", "word-frequency")
LEARNED = tuple(variant for variant in VARIANTS if variant not in SANITY)
LANGUAGE = ("seq2seq", "lm", "lm-transformer")
RETRIEVAL = tuple(variant for variant in LEARNED if variant not in LANGUAGE)


def toy() -> list[Dialogue]:
    """Fifty talks of two examples; what was asked decides the reply."""
    return [
        Dialogue(
            id=str(number),
            persona=(f"i am person {number} .", "i talk a lot ."),
            examples=(_example(number), _example((number + AGAIN) % len(SIGHTS))),
        )
        for number in range(len(SIGHTS))
    ]


def _example(number: int) -> Example:
    sight, reply = SIGHTS[number]
    others = [other for _, other in SIGHTS * 2]
    return Example(
        partner=(f"what about {sight} ?",),
        replies=(reply,),
        candidates=(*others[number + 1 : number + 20], reply),
    )


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


def extremes() -> list[Context]:
    """What no set holds and an agent may still be asked: nothing, too much, and no words."""
    many = "what about tea and rain ? " * 400
    return [
        Context("nothing"),
        Context("persona", ("i talk a lot .",)),
        Context("silence", turns=(Turn("partner", "__SILENCE__"),)),
        Context("empty", ("",), ("",), (Turn("partner", ""),)),
        Context("marks", ("__end__",), turns=(Turn("partner", "__null__ __start__ __p2__"),)),
        Context("long", (many,) * 40, turns=(Turn("partner", many),) * 3),
        Context("turns", turns=tuple(Turn("self", "what about tea ?") for _ in range(300))),
        Context("scripts", turns=(Turn("partner", "\N{SNOWMAN} \u0627\u0644 ?!\u200d"),)),
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


def agent_type(name: str) -> Any:  # Any: a class of a submission folder
    """The class of a baseline's agent: what its `make_agent` gives."""
    return get_type_hints(module_of(name, "agent").make_agent)["return"]


def load(variant: str, checkpoint: Path) -> Any:  # Any: as above
    """The agent of a variant's checkpoint."""
    return agent_type(VARIANTS[variant][0]).load(checkpoint)
