"""A small world for the tests of kvmemnn: a persona decides what is replied."""

from typing import Any, Literal

import torch
from toyset import module_of

from harness.dialogue import Context, Dialogue, Example, Turn
from harness.torch.options import TextOptions, TrainingOptions
from harness.torch.ranker import RankingOptions
from harness.torch.vectors import learn_words

KINDS = ("historical", "modern")
JOBS = {
    "nurse": "a nurse whose patients cannot sleep .",
    "farmer": "cows need their farmer by hand .",
    "baker": "bread wakes every baker first .",
    "pilot": "clouds look soft when pilot .",
    "judge": "as judge people lie under oath .",
    "clown": "red noses , clown makes children laugh .",
}
PETS = {
    "cat": "cat purrs like an engine .",
    "dog": "dog barks whenever someone rings .",
    "parrot": "parrot swears in three languages .",
    "goat": "everything green went to goat .",
    "snake": "warm lamps keep snake happy .",
    "pony": "we ride pony along the beach .",
}
"""What somebody says of his work or pet, by what it is."""

WORK, PET = "what do you do ?", "any pets ?"
PAIRS = [(WORK, reply) for reply in JOBS.values()] + [(PET, reply) for reply in PETS.values()]

Agent = Any  # a class of a submission folder, which types cannot follow


def talks() -> list[Dialogue]:
    """Each with a persona that decides what is said of work and pets."""
    return [
        Dialogue(
            id=f"{job}-{pet}",
            persona=(f"i am a {job} .", f"i own a {pet} ."),
            examples=(
                Example((WORK,), (JOBS[job],)),
                Example((PET,), (PETS[pet],)),
            ),
        )
        for job in JOBS
        for pet in PETS
    ]


def fresh(
    kind: str,
    *,
    size: int = 32,
    rate: float = 0.1,
    pairs: bool = True,
    persona: Literal["memories", "none"] = "memories",
) -> Agent:
    """An agent whose weights are drawn and moved by nothing."""
    module = module_of("kvmemnn", "agent")
    modern = kind == "modern"
    options = module.MemoryOptions(
        text=TextOptions(
            persona=persona, history="memories" if modern else "text", person_tokens=modern
        ),
        training=TrainingOptions(
            optimizer="adamw" if modern else "sgd", learning_rate=rate, gradient_clip=0.0
        ),
        ranking=RankingOptions(candidates="batch"),
        model=module.Shape(kind=kind, size=size, read=6, retrieved=6, share=0.5),
        batch_size=32,
    )
    agent = module.MemoryAgent(learn_words(talks(), options=options.text), options)
    if pairs:
        agent.set_pairs(PAIRS)
    return agent


def learned(kind: str, *, updates: int, rate: float) -> Agent:
    """An agent that has seen the talks for so many batches."""
    from harness.torch.learning import examples

    agent = fresh(kind, rate=rate, size=64)
    observations = examples(agent, talks())
    torch.manual_seed(0)
    for _ in range(updates):
        rows = torch.randperm(len(observations))[:32].tolist()
        agent.train_step(agent.batchify([observations[row] for row in rows]))
    return agent


def asked(*lines: str, persona: tuple[str, ...] = (), id_: str = "x") -> Context:
    """A context in which partner and self take turns, the partner last."""
    sides = ["partner", "self"] if len(lines) % 2 else ["self", "partner"]
    turns = tuple(Turn(sides[i % 2], line) for i, line in enumerate(lines))  # type: ignore[arg-type]  # one of two words
    return Context(id_, persona=persona, turns=turns)


def contexts() -> list[Context]:
    """Of unlike lengths, with and without a persona and earlier turns, and an empty one."""
    return [
        asked(PET, persona=("i am a nurse .", "i own a goat ."), id_="a"),
        asked("hello !", WORK, "people lie .", id_="b"),
        asked(*[PET, PETS["dog"]] * 4, WORK, id_="c"),
        Context("d"),
        asked("zyzzyva", persona=tuple(f"i own a {pet} ." for pet in PETS), id_="e"),
    ]
