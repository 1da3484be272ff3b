"""seq2seq's agent: where training begins, what it learns from, and its faithful mode."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from toyset import contexts, module_of, toy

from baselines.commands import train
from harness.dialogue import Dialogue, Example
from harness.errors import UsageError
from harness.torch.learning import examples
from harness.torch.vectors import learn_words
from harness.torch.words import END, START


def fresh(**shape: Any) -> Any:  # Any: of a submission folder
    module = module_of("seq2seq", "agent")
    options = module.Seq2SeqOptions(model=module.Shape(embedding=8, **shape))
    return module.Seq2SeqAgent(learn_words(toy(), options=options.text), options)


def test_an_untrained_model_says_words_as_often_as_the_replies_do() -> None:
    agent = fresh(size=8)
    told = examples(agent, toy())
    agent.start_from(told)
    words = sum(len(one.label) for one in told) + len(agent.words)
    ends = torch.tensor((len(told) + 1) / words).log()
    assert torch.allclose(agent.model.bias[END], ends)
    assert torch.allclose(agent.model.bias[START], torch.tensor(1 / words).log())
    assert torch.allclose(agent.model.bias.exp().sum(), torch.tensor(1.0))


def test_the_background_is_drawn_by_the_seed_from_what_is_learned() -> None:
    agent, again = fresh(size=8), fresh(size=8)
    told = examples(agent, toy())
    agent.start_from(told)
    again.start_from(told)
    assert agent.background == again.background
    assert len({context.id for context in agent.background}) == 16
    assert {context.id for context in agent.background} <= {one.context.id for one in told}
    again.start_from(told[:3])  # fewer than it wants
    assert len(again.background) == 3


def test_half_of_an_odd_size_is_refused() -> None:
    with pytest.raises(UsageError, match=r"model\.size is 9; it must be even"):
        fresh(size=9)


def test_the_partners_replies_are_learned_too() -> None:
    others = module_of("seq2seq", "train").others
    examples = (Example(("hi !",), ("hello !",)), Example(("do you sing ?",), ("i do .",)))
    talk = Dialogue("1", persona=("i sing .",), examples=examples)
    silent = Dialogue("2", examples=(Example(("__SILENCE__",), ("anyone ?",)),))
    (other,) = others([talk, silent])
    assert [example.replies for example in other.examples] == [("hi !",), ("do you sing ?",)]
    # a persona that nobody is told at the time of answering is not learned from
    assert (other.persona, other.partner_persona) == ((), ())
    (told,) = others([replace(talk, partner_persona=("i dance .",))])
    assert (told.persona, told.partner_persona) == (("i dance .",), ("i sing .",))


def test_what_is_said_hangs_on_the_search_that_is_asked_for(trained: Any) -> None:
    module = module_of("seq2seq", "agent")
    agent = module.make_agent(trained("seq2seq"))
    assert agent.options.search.inference == "greedy"
    assert agent.options.scoring.by == "pmi"
    assert len(agent.background) == 16
    assert agent.trained["updates"] > 0


def test_the_model_of_2018_is_trained_by_its_own_recipe(toy_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    small = ["model.size=16", "model.embedding=8", "text.text_truncate=32"]
    command = ["seq2seq", "--historical", "--data", str(toy_data), "--out", str(out)]
    command += ["--updates", "3", "--threads", "1"]
    result = CliRunner().invoke(train, [*command, *(p for s in small for p in ("--set", s))])
    assert result.exit_code == 0, result.output
    agent = module_of("seq2seq", "agent").make_agent(out)
    assert type(agent.model).__name__ == "Original"
    assert agent.options.training.optimizer == "sgd"
    assert agent.options.scoring.by == "mean"
    assert len(agent.respond(contexts())) == 4
    rows = agent.score_candidates(contexts(), [["paper beats any phone", "no"]] * 4)
    assert all(len(set(row)) == 2 for row in rows)
