"""A list of replies on disk: read once, encoded once, and never believed when it is stale."""

from pathlib import Path

import pytest
import torch
from torch_toys import REPLIES, ToyOptions, ToyRanker, fresh, toy_options, toy_words

from harness.dialogue import Context, Turn
from harness.errors import UsageError
from harness.torch.encodings import read_lines
from harness.torch.ranker import RankingOptions

ASKED = [Context("x", turns=(Turn("partner", "what about tea ?"),))]


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "replies.txt"
    path.write_text("\n".join(REPLIES) + "\n\n", encoding="utf-8")
    return path


def options(listed: Path | None, encodings: str = "reuse") -> ToyOptions:
    file = str(listed) if listed else None
    return toy_options(ranking=RankingOptions(fixed_candidates=file, encodings=encodings))


class Watched(ToyRanker):
    """Counts how often it encodes."""

    encoded = 0

    def encode_candidates(self, vectors: torch.Tensor) -> torch.Tensor | None:
        self.encoded += 1
        return super().encode_candidates(vectors)


def stored(listed: Path) -> Path:
    return listed.with_name("replies.txt.encodings.safetensors")


def test_encodings_are_stored_and_reused_with_the_same_answers(listed: Path) -> None:
    first, second = (Watched(toy_words(), options(listed)) for _ in range(2))
    plain = fresh()
    plain.set_fixed(REPLIES)

    answers = [agent.answer(agent.observe(ASKED)) for agent in (plain, first, second)]

    assert answers[0] == answers[1] == answers[2]
    assert (first.encoded, second.encoded) == (1, 0)
    first.respond(ASKED)
    assert first.encoded == 1
    assert [path.name for path in sorted(listed.parent.iterdir())] == [
        "replies.txt",
        "replies.txt.encodings.safetensors",
    ]


@pytest.mark.parametrize("stale", ["weights", "list", "damaged", "cut"])
def test_stale_encodings_are_made_again(stale: str, listed: Path) -> None:
    old = Watched(toy_words(), options(listed))
    old.respond(ASKED)
    before = stored(listed).read_bytes()
    agent = Watched(toy_words(), options(listed))
    if stale == "weights":
        with torch.no_grad():
            next(agent.model.parameters()).add_(0.01)
    elif stale == "list":
        listed.write_text("\n".join([*REPLIES, "another one"]))
    else:
        stored(listed).write_bytes(b"\x80\x04cos\nsystem\n" if stale == "damaged" else before[:-9])

    agent.respond(ASKED)

    assert agent.encoded == 1
    assert stored(listed).read_bytes() != before or stale in ("damaged", "cut")
    again = Watched(toy_words(), options(listed))
    again.model.load_state_dict(agent.model.state_dict())
    again.respond(ASKED)
    assert again.encoded == 0


def test_replace_never_believes_what_is_stored(listed: Path) -> None:
    for _ in range(2):
        agent = Watched(toy_words(), options(listed, "replace"))
        agent.respond(ASKED)
        assert agent.encoded == 1


def test_a_path_must_fit(listed: Path, tmp_path: Path) -> None:
    Watched(toy_words(), options(listed)).respond(ASKED)
    elsewhere = stored(listed).rename(tmp_path / "kept.safetensors")
    agent = Watched(toy_words(), options(listed, str(elsewhere)))
    agent.respond(ASKED)
    assert agent.encoded == 0
    assert not stored(listed).exists()

    with torch.no_grad():
        next(agent.model.parameters()).add_(0.01)
    agent.forget()
    with pytest.raises(UsageError, match="holds no encodings of these replies by these weights"):
        agent.respond(ASKED)
    with pytest.raises(UsageError, match=r"nowhere\.safetensors holds no encodings"):
        Watched(toy_words(), options(listed, str(tmp_path / "nowhere.safetensors"))).respond(ASKED)


def test_where_nothing_can_be_written_it_answers_all_the_same(listed: Path) -> None:
    stored(listed).with_name(f".{stored(listed).name}.fresh").mkdir()  # in the way
    assert Watched(toy_words(), options(listed)).respond(ASKED)[0] in REPLIES
    assert not stored(listed).exists()


def test_training_makes_encodings_stale(listed: Path) -> None:
    agent = Watched(toy_words(), options(listed))
    agent.respond(ASKED)
    rows = [agent.vectorize(ASKED[0], labels=(REPLIES[0],), candidates=REPLIES)]
    for _ in range(30):
        agent.train_step(agent.batchify(rows))
    assert agent.respond(ASKED) == [REPLIES[0]]


def test_a_checkpoint_holds_the_list_and_its_encodings(listed: Path, tmp_path: Path) -> None:
    agent = Watched(toy_words(), options(listed))
    answers = agent.respond(ASKED)
    agent.save(tmp_path / "c")
    agent.save(tmp_path / "c")  # in place of the first
    listed.unlink()
    stored(listed).unlink()

    back = Watched.load(tmp_path / "c")

    assert back.respond(ASKED) == answers
    assert back.encoded == 0
    (tmp_path / "c" / "candidates.json").write_text("{}")
    with pytest.raises(UsageError, match=r"candidates\.json is damaged: it is not a list"):
        Watched.load(tmp_path / "c")
    (tmp_path / "c" / "candidates.json").unlink()
    with pytest.raises(UsageError, match=r"candidates\.json is damaged: it cannot be read"):
        Watched.load(tmp_path / "c")


def test_a_bad_file_of_candidates_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "replies.txt"
    with pytest.raises(UsageError, match=r"cannot read the candidates .*replies\.txt: No such"):
        read_lines(path)
    path.write_bytes(b"fine\n\xff\xfe\n")
    with pytest.raises(UsageError, match=r"replies\.txt:2: not UTF-8"):
        read_lines(path)
    path.write_bytes(b"fine\nfine\n" + b"x" * 20_000)
    with pytest.raises(UsageError, match=r"replies\.txt:3: a candidate has at most 16384 bytes"):
        read_lines(path)
    path.write_bytes("  naïve ☃ \r\n\r\n".encode())
    assert read_lines(path) == ["naïve ☃"]
