"""Sanity rows: what each says is so plain that it can be said here."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from toyset import SIGHTS, contexts, load, toy

from harness import Context, Turn
from harness.agent import MAX_REPLY_BYTES
from harness.errors import UsageError
from harness.evaluation import evaluate
from harness.text import Vocabulary

Trained = Callable[[str], Path]


def asked(*texts: str, name: str = "x") -> Context:
    """A context in which the partner said these."""
    return Context(name, turns=tuple(Turn("partner", text) for text in texts))


def test_word_frequency_beats_knowing_nothing(trained: Trained) -> None:
    agent, vocabulary = load("word-frequency", trained("word-frequency")), Vocabulary.build(toy())
    perplexity = evaluate(agent, toy(), "ppl", vocabulary=vocabulary).score.value
    assert 1 < perplexity < 0.9 * len(vocabulary)


def test_constant_words_says_common_words_that_score(trained: Trained) -> None:
    agent = load("constant-words", trained("constant-words"))
    assert len(set(agent.respond(contexts()))) == 1
    assert evaluate(agent, toy(), "f1").score.value > 0.02


def test_repeat_partner_says_what_it_has_just_heard(trained: Trained) -> None:
    agent = load("repeat-partner", trained("repeat-partner"))
    first = agent.respond([asked("__SILENCE__"), Context("nothing")])

    assert agent.respond([asked("tea ?", "no, rain !")]) == ["no, rain !"]
    assert set(first) == {"a cup of it in the morning"}  # of equally common ones the first
    (scores,) = agent.score_candidates([asked("rain or tea")], [["tea or rain", "tea", "snow"]])
    assert scores[0] == 1
    assert scores[1] > scores[2] == 0


def test_an_echo_is_no_longer_than_a_reply_may_be(trained: Trained) -> None:
    agent = load("repeat-partner", trained("repeat-partner"))
    (said,) = agent.respond([asked("\N{SNOWMAN}" * 5000)])
    assert MAX_REPLY_BYTES - 3 < len(said.encode()) <= MAX_REPLY_BYTES


def test_random_reply_draws_by_the_id_and_is_right_by_chance(trained: Trained) -> None:
    agent = load("random-reply", trained("random-reply"))
    many = [asked("tea ?", name=str(number)) for number in range(400)]
    candidates = [[reply for _, reply in SIGHTS[:20]]] * len(many)

    drawn = agent.respond(many)
    scores = agent.score_candidates(many, candidates)

    assert set(drawn) == {reply for _, reply in SIGHTS}
    assert agent.respond(many[:1]) == drawn[:1]
    assert 10 < sum(row[0] == max(row) for row in scores) < 35  # of 400, 20 are expected


def test_another_seed_draws_another_lot(toy_data: Path, trained: Trained, tmp_path: Path) -> None:
    stored = json.loads((trained("random-reply") / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(stored | {"seed": 1}))
    one, other = (load("random-reply", f) for f in (trained("random-reply"), tmp_path))
    assert one.respond(contexts()) != other.respond(contexts())


def test_tfidf_finds_the_talk_that_shares_rare_words(trained: Trained) -> None:
    agent = load("tfidf-retrieval", trained("tfidf-retrieval"))

    (reply,) = agent.respond([asked("and what is it about chess , then ?")])
    (scores,) = agent.score_candidates(
        [Context("x", ("i keep owls .",), turns=(Turn("partner", "what of rain ?"),))],
        [["what of rain", "owls hate rain", "we hate rain", "zyzzyva"]],
    )

    assert reply == "my uncle taught me years ago"
    assert scores[0] > scores[1] > scores[2] > scores[3] == 0
    assert evaluate(agent, toy(), "f1").score.value == 1


def test_products_of_the_index_are_cosines() -> None:
    from toyset import module_of

    vectors = module_of("tfidf-retrieval", "vectors")
    texts = [reply for _, reply in SIGHTS] + ["", "tea tea tea"]
    weigher = vectors.Weigher(texts)
    rows = [weigher.vector(text) for text in texts]
    query = vectors.joined(rows[0], rows[3], weight=0.5)

    found = vectors.Index(rows).products(query)

    assert found.tolist() == pytest.approx([vectors.product(row, query) for row in rows])
    assert vectors.product(rows[5], rows[5]) == pytest.approx(1)
    assert found.argmax() == 0


@pytest.mark.parametrize("name", ["random-reply", "tfidf-retrieval"])
def test_a_checkpoint_with_nothing_to_say_is_refused(name: str, tmp_path: Path) -> None:
    empty = {"random-reply": {"replies": []}, "tfidf-retrieval": {"talks": []}}
    (tmp_path / "config.json").write_text(json.dumps(empty[name]))
    with pytest.raises(UsageError, match="holds no reply to"):
        load(name, tmp_path)
