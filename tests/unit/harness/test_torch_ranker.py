"""A ranker ranks what it is given, and answers from its list without repeating itself."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch_toys import REPLIES, SIGHTS, ToyOptions, ToyRanker, ToyReader, fresh, toy, toy_options

from harness import evaluate
from harness.dialogue import Context, Turn
from harness.errors import UsageError
from harness.torch.batch import Batch, Observation, Output
from harness.torch.learning import Plan, examples, learn
from harness.torch.options import TextOptions
from harness.torch.ranker import RankingOptions


def question(sight: str, *before: str, id: str = "x") -> Context:
    turns = [Turn("self", text) for text in before]
    return Context(id, turns=(*turns, Turn("partner", f"what about {sight} ?")))


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a ranker that knows its toy, and its list of replies."""
    agent = fresh()
    agent.set_fixed(REPLIES)
    learn(agent, examples(agent, toy()), plan=Plan(updates=60))
    folder = tmp_path_factory.mktemp("torch") / "ranker"
    agent.save(folder)
    return folder


def test_scores_stand_in_the_order_of_the_candidates(learned: Path) -> None:
    agent = ToyRanker.load(learned)
    contexts = [question(sight, id=sight) for sight in SIGHTS]
    rows = [REPLIES, REPLIES[::-1], *(REPLIES[: n + 3] for n in range(8))]

    scores = agent.score_candidates(contexts, rows)

    assert [len(row) for row in scores] == [len(row) for row in rows]
    assert scores[0].index(max(scores[0])) == 0
    assert scores[1].index(max(scores[1])) == len(REPLIES) - 1 - 1
    alone = [agent.score_candidates([c], [row])[0] for c, row in zip(contexts, rows, strict=True)]
    for row, one in zip(scores, alone, strict=True):
        assert row == pytest.approx(one, abs=1e-5)


def test_no_context_and_no_candidate_are_fine(learned: Path) -> None:
    agent = ToyRanker.load(learned)
    assert agent.score_candidates([], []) == []
    assert agent.respond([]) == []
    assert agent.score_candidates([question("tea"), question("rain")], [["jazz"], []])[1] == []
    assert agent.score_candidates([question("tea")], [[]]) == [[]]


def test_the_answer_is_the_best_of_the_list(learned: Path) -> None:
    agent = ToyRanker.load(learned)
    replies = agent.respond([question(sight, id=sight) for sight in SIGHTS])
    assert replies == list(REPLIES)


def test_what_was_said_is_not_said_again(learned: Path) -> None:
    agent = ToyRanker.load(learned)
    first = agent.respond([question("tea")])[0]
    second = agent.respond([question("tea", "A cup of it, in the morning!")])[0]
    everything = agent.respond([question("tea", *REPLIES)])[0]

    assert first == REPLIES[0]
    assert second != first
    assert everything == first  # nothing is left to say
    parrot = ToyRanker.load(learned)
    parrot.options = toy_options(ranking=RankingOptions(block_repeats=False))
    assert parrot.respond([question("tea", REPLIES[0])]) == [REPLIES[0]]


def test_alternatives_are_ranked_and_as_many_as_asked(learned: Path) -> None:
    agent = ToyRanker.load(learned)
    answer = agent.answer([agent.vectorize(question("rain"))])[0]
    assert answer.text_candidates[0] == answer.text == REPLIES[1]
    assert len(set(answer.text_candidates)) == len(REPLIES)


def test_reports_do_not_hang_on_the_batch(learned: Path) -> None:
    agent = ToyRanker.load(learned)
    for track in ("hits", "f1"):
        reports = [evaluate(agent, toy(), track, batch_size=size) for size in (1, 7, 64)]  # type: ignore[arg-type]  # literals in a loop
        assert len({report.score for report in reports}) == 1
        assert reports[0].score.value >= 0.95


def test_a_reader_of_candidates_sees_each_row_s_own_and_can_answer() -> None:
    agent = ToyReader(fresh().words, toy_options())
    learn(agent, examples(agent, toy()), plan=Plan(updates=60))
    agent.set_fixed(REPLIES)

    assert evaluate(agent, toy(), "hits").score.value >= 0.95
    assert agent.respond([question("rain")]) == [REPLIES[1]]
    assert agent.model.seen[-1][0] == len(REPLIES)  # type: ignore[union-attr,index]  # a Reader's
    assert len(agent.model.seen[0]) == 3  # type: ignore[union-attr,index,arg-type]  # the same


def test_without_replies_to_choose_from_it_says_so() -> None:
    with pytest.raises(UsageError, match=r"no replies to choose from.*fixed_candidates"):
        fresh().respond([question("tea")])


def test_constant_scores_are_no_hit() -> None:
    agent = fresh()
    with torch.no_grad():
        for weight in agent.model.parameters():
            weight.zero_()
    batch = agent.batchify(examples(agent, toy()))

    metrics = agent.valid_step(batch).means()

    assert metrics["hits@1"] == 0
    assert metrics["mean_rank"] == 5.5
    assert metrics["loss"] == pytest.approx(torch.tensor(10.0).log().item())


def test_a_loss_needs_labels() -> None:
    agent = fresh()
    asked = agent.vectorize(question("tea"), candidates=REPLIES)
    with pytest.raises(UsageError, match="needs labels"):
        agent.compute_loss(agent.batchify([asked]))


class Counting(ToyRanker):
    """Counts how often a context is read, and refuses some."""

    read = 0

    def vectorize(
        self, context: Context, *, labels: Sequence[str] = (), candidates: Sequence[str] = ()
    ) -> Observation:
        self.read += 1
        return super().vectorize(context, labels=labels, candidates=candidates)

    def is_valid(self, observation: Observation) -> bool:
        return "jazz" not in observation.context.turns[-1].text

    def eval_step(self, batch: Batch) -> Output:
        assert len(batch) <= self.options.batch_size
        return super().eval_step(batch)


def test_a_context_is_read_once_and_what_is_kept_is_bounded(learned: Path) -> None:
    agent = Counting.load(learned)
    for _ in range(3):
        agent.respond([question("tea"), question("tea")])
    assert agent.read == 1
    agent.respond([question("rain")])  # another talk under the same id
    assert agent.read == 2
    assert agent.respond([question("tea")]) == [REPLIES[0]]

    small = Counting(fresh().words, ToyOptions(cache=2))
    small.observe([question("tea", id=str(n)) for n in range(9)])
    assert len(small.observations) == 2


def test_what_is_not_valid_is_answered_with_nothing(learned: Path) -> None:
    agent = Counting.load(learned)
    contexts = [question(sight, id=sight) for sight in ("tea", "jazz", "rain")]
    assert agent.respond(contexts) == [REPLIES[0], "", REPLIES[1]]
    assert agent.score_candidates(contexts, [REPLIES] * 3)[1] == [0.0] * len(REPLIES)


def test_hostile_contexts_are_answered(learned: Path) -> None:
    agent = ToyRanker.load(learned)
    odd = [
        Context("1"),
        Context("2", turns=(Turn("partner", ""),)),
        Context("3", turns=(Turn("partner", "\x00\u202e" * 5000),)),
        Context("4", ("",) * 300, turns=tuple(Turn("self", "__end__") for _ in range(400))),
    ]
    assert len(agent.respond(odd)) == 4
    scores = agent.score_candidates(odd, [["", "__pad__"]] * 4)
    assert torch.tensor(scores).isfinite().all()


def test_persona_and_turns_may_be_memories() -> None:
    text = TextOptions(persona="memories", history="memories", person_tokens=True)
    agent = fresh(toy_options(text=text))
    batch = agent.batchify(examples(agent, toy()))
    assert batch.memory_vecs is not None
    assert batch.memory_vecs.shape[:2] == (20, 4)

    learn(agent, examples(agent, toy()), plan=Plan(updates=60))

    assert evaluate(agent, toy(), "hits").score.value >= 0.95


class Thrifty(ToyRanker):
    """Counts the texts that it encodes."""

    encoded = 0

    def encode_candidates(self, vectors: Tensor) -> Tensor | None:
        self.encoded += len(vectors)
        return super().encode_candidates(vectors)


def test_a_candidate_is_encoded_once_until_the_weights_move(learned: Path) -> None:
    agent = Thrifty.load(learned)
    first = agent.score_candidates([question("tea")], [REPLIES])
    again = agent.score_candidates([question("rain"), question("tea")], [REPLIES[::-1], REPLIES])
    assert agent.encoded == len(REPLIES)
    assert again[1] == pytest.approx(first[0], abs=1e-5)

    agent.train_step(agent.batchify(examples(agent, toy())))
    agent.encoded = 0
    moved = agent.score_candidates([question("tea")], [REPLIES])
    assert agent.encoded == len(REPLIES)
    assert moved != first


def test_what_is_kept_of_candidates_is_bounded(learned: Path) -> None:
    agent = Thrifty.load(learned)
    agent.bank.size = 15
    for start in range(30):
        row = [f"reply {number}" for number in range(start, start + 10)]
        plain = ToyRanker.load(learned).score_candidates([question("tea")], [row])[0]
        assert agent.score_candidates([question("tea")], [row])[0] == pytest.approx(plain, abs=1e-5)
        assert len(agent.bank) <= 15


def test_a_ranker_that_is_ready_keeps_its_encodings(learned: Path, tmp_path: Path) -> None:
    agent = Thrifty.load(learned)
    agent.get_ready()
    agent.save(tmp_path / "c")

    ready = Thrifty.load(tmp_path / "c")

    assert ready.respond([question("tea")]) == [REPLIES[0]]
    assert ready.encoded == 0
