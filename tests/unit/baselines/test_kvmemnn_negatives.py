"""The margin loss of 2018: labels of late, wrong ones among them, what a batch is worth."""

from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812  as everybody writes it
from kvworld import fresh, talks
from toyset import module_of

from harness.torch.learning import LAST, Plan, examples, learn

negatives = module_of("kvmemnn", "negatives")


def labels(*rows: list[int]) -> torch.Tensor:
    width = max(map(len, rows))
    return torch.tensor([row + [0] * (width - len(row)) for row in rows])


def test_labels_fill_up_and_then_take_the_place_of_others() -> None:
    torch.manual_seed(0)
    held = negatives.Labels(4, 3)
    held.put(labels([1], [2, 2]))
    held.put(labels([3], [4], [5]))
    kept = {tuple(row) for row in held.ids.tolist()}
    assert (5, 0, 0) in kept
    assert len(kept) == 4
    assert int(held.held) == 4
    assert set(held.state_dict()) == {"ids", "held"}  # a resumed training has them


def test_a_wrong_reply_is_never_the_right_one() -> None:
    torch.manual_seed(0)
    held = negatives.Labels(100, 2)
    held.put(labels(*([n % 3 + 1] for n in range(60))))
    own = labels([1], [2], [9])

    drawn = held.draw(own, 10)

    rows = drawn.vectors[drawn.places]
    assert rows.shape == (3, 11, 2)
    assert rows[:, 0, 0].tolist() == [1, 2, 9]
    wrong = (rows[:, 1:, 0] != own) | ~drawn.counts[:, 1:]
    assert wrong.all()
    assert drawn.counts.float().mean() > 0.9


def test_where_all_labels_are_right_none_counts() -> None:
    held = negatives.Labels(10, 1)
    held.put(labels([7], [7], [7]))
    drawn = held.draw(labels([7]), 5)
    assert drawn.counts.tolist() == [[True] + [False] * 5]


def test_the_loss_is_that_of_torch() -> None:
    torch.manual_seed(0)
    context, replies = torch.randn(8), torch.randn(5, 8)
    signs = torch.tensor([1.0, -1, -1, -1, -1])
    expected = F.cosine_embedding_loss(
        context.expand(5, 8), replies, signs, margin=0.1, reduction="sum"
    )
    scores = F.cosine_similarity(context[None], replies)[None]

    loss = negatives.margin_loss(scores, torch.ones(1, 5, dtype=torch.bool), margin=0.1)
    without = negatives.margin_loss(scores, signs[None] > 0, margin=0.1)

    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(without, 1 - scores[0, 0])


def test_a_batch_is_so_many_examples_one_after_another() -> None:
    """Sums of small steps: 8 examples at once move the weights as 8 updates do, within a tenth."""
    moved = []
    for size in (8, 1):
        agent = fresh("historical", size=1000)
        start = agent.model.table.weight.detach().clone()
        observations = examples(agent, talks()[::9])
        agent.model.labels.put(agent.batchify(observations).label_vec)
        agent.model.labels.put = lambda _: None  # the same labels to draw from
        agent.model.labels.draw = _all_others(agent)
        for at in range(0, 8, size):
            agent.train_step(agent.batchify(observations[at : at + size]))
        moved.append(agent.model.table.weight.detach() - start)

    assert moved[0].norm() > 0.01
    assert (moved[0] - moved[1]).norm() < 0.1 * moved[0].norm()


def test_a_training_that_was_interrupted_draws_as_if_it_had_not_been(tmp_path: Path) -> None:
    through = fresh("historical")
    learn(through, examples(through, talks()), plan=Plan(updates=6))

    first = fresh("historical")
    learn(first, examples(first, talks()), plan=Plan(updates=3), out=tmp_path)
    agent_type = module_of("kvmemnn", "agent").MemoryAgent
    then = agent_type.load(tmp_path / LAST, resume=True)
    learn(then, examples(then, talks()), plan=Plan(updates=6), out=tmp_path)

    for name, weight in through.model.state_dict().items():
        assert torch.equal(weight, then.model.state_dict()[name]), name


def _all_others(agent: object):  # type: ignore[no-untyped-def]  # a stand-in for a drawing
    held = agent.model.labels  # type: ignore[attr-defined]  # of a flat module
    made = torch.unique(held.ids[: int(held.held)], dim=0)

    def draw(own: torch.Tensor, _count: int) -> object:
        own = F.pad(own, (0, made.shape[1] - own.shape[1]))
        places = torch.arange(len(made)).expand(len(own), -1) + len(own)
        counts = ~(made[None] == own[:, None]).all(-1)
        first = torch.arange(len(own))[:, None]
        return negatives.Drawn(
            vectors=torch.cat([own, made]),
            places=torch.cat([first, places], 1),
            counts=torch.cat([torch.ones_like(first, dtype=torch.bool), counts], 1),
        )

    return draw
