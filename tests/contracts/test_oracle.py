"""The metrics give the known answers of the original implementation, from its predictions."""

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.data import load
from harness.dialogue import Dialogue, Example
from harness.metrics import f1, hits, parlai, perplexity
from harness.metrics.tally import Tally
from harness.report import Total
from harness.statistics import score
from harness.text import Vocabulary, normalise, split_words

pytestmark = pytest.mark.shared

HITS = ("abstain", "copylast", "ir_baseline_dict", "kvmemnn", "random_candidate")
F1 = ("common_f1", "ir_baseline_f1_nocands", "repeat_query_f1")
PPL = ("ppl_unigram_ctx", "ppl_wordfreq")


@pytest.fixture(scope="module")
def oracle(shared: Path) -> Path:
    return shared / "oracle" / "parlai"


@cache
def answers(folder: Path, name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return document


@cache
def dialogues(folder: Path, name: str) -> list[Dialogue]:
    return load(folder / name)


def examples(folder: Path, name: str) -> list[Example]:
    return [example for dialogue in dialogues(folder, name) for example in dialogue.examples]


def exact(expected: dict[str, float]) -> Any:
    return pytest.approx(expected, rel=0, abs=1e-9)


def test_the_tests_know_every_answer_file(oracle: Path) -> None:
    known = {f"{name}_hits" for name in HITS} | {*F1, *PPL, "edge_tag", "edge_head"}

    assert {path.stem for path in oracle.glob("*.json")} == known


@pytest.mark.parametrize("name", HITS)
def test_rankings_score_as_in_the_original(oracle: Path, name: str) -> None:
    known = answers(oracle, f"{name}_hits")
    rows = [
        parlai.measure(
            answer["pred"],
            ranking=answer["order"] and [example.candidates[i] for i in answer["order"]],
            replies=example.replies,
        )
        for answer, example in zip(known["examples"], examples(oracle, known["input"]), strict=True)
    ]

    assert parlai.score(rows) == exact(known["scores"])


@pytest.mark.parametrize("name", [name for name in HITS if name != "abstain"])
@pytest.mark.parametrize("k", [1, 5, 10])
def test_our_own_hits_agree_where_every_example_is_answered(
    oracle: Path, name: str, k: int
) -> None:
    known = answers(oracle, f"{name}_hits")
    measured = []
    for answer, example in zip(known["examples"], examples(oracle, known["input"]), strict=True):
        scores = np.zeros(len(example.candidates))
        scores[answer["order"]] = np.arange(len(scores), 0, -1)
        measured.append(
            hits.measure(scores, candidates=example.candidates, replies=example.replies, k=k)
        )

    assert math.fsum(measured) / len(measured) == exact(known["scores"][f"hits@{k}"])


@pytest.mark.parametrize("name", [name for name in HITS if name != "abstain"])
def test_a_tally_of_ranks_gives_every_known_score_and_the_reciprocal_rank(
    oracle: Path, name: str
) -> None:
    """The reply stands last in these files; a candidate like it may stand higher."""
    known = answers(oracle, f"{name}_hits")
    rows, tally, reciprocal = iter(known["examples"]), Tally("hits"), []
    given = dialogues(oracle, known["input"])
    for place, dialogue in enumerate(given):
        for example in dialogue.examples:
            order = next(rows)["order"]
            scores = np.zeros(len(example.candidates))
            scores[order] = np.arange(len(scores), 0, -1)
            rank = hits.rank(scores, candidates=example.candidates, replies=example.replies)
            alike = [normalise(example.candidates[at]) for at in order]
            assert rank == 1 + alike.index(normalise(example.candidates[-1]))
            tally.add(place, hits.gain(rank), example=example)
            reciprocal.append(1 / rank)

    main = score("hits", tally.totals(len(given)), examples=2694)
    measures = tally.measures(count=len(given), examples=2694, seed=0)

    found = {measure.name: measure.value for measure in measures} | {"hits@1": main.value}
    wanted = {name: known["scores"][name] for name in ("hits@1", "hits@5", "hits@10")}
    assert {name: found[name] for name in wanted} == exact(wanted)
    assert found["mrr"] == exact(math.fsum(reciprocal) / 2694)
    assert found["hits@1"] <= found["hits@3"] <= found["hits@5"]


@pytest.mark.parametrize("name", F1)
def test_precision_and_recall_make_the_known_f1(oracle: Path, name: str) -> None:
    """Both from the words as the original left them; their harmonic mean is its F1."""
    known = answers(oracle, name)
    given = examples(oracle, known["input"])
    found = [
        f1.overlap(reply, replies=example.replies)
        for reply, example in zip(known["predictions"], given, strict=True)
    ]

    for overlap, reply, example in zip(found, known["predictions"], given, strict=True):
        words, wanted = normalise(reply).split(), normalise(example.replies[0]).split()
        common = sum(min(words.count(word), wanted.count(word)) for word in set(words))
        assert overlap.precision * len(words) == pytest.approx(common)
        assert overlap.recall * len(wanted) == pytest.approx(common)
    harmonic = [2 * p * r / (p + r) if p + r else 0.0 for _, p, r in found]
    assert math.fsum(harmonic) / len(harmonic) == exact(known["scores"]["f1"])


@pytest.mark.parametrize("name", F1)
def test_replies_score_as_in_the_original(oracle: Path, name: str) -> None:
    known = answers(oracle, name)
    given = examples(oracle, known["input"])
    rows = [
        parlai.measure(reply, ranking=None, replies=example.replies)
        for reply, example in zip(known["predictions"], given, strict=True)
    ]

    assert parlai.score(rows) == exact(known["scores"])


@pytest.mark.parametrize("name", F1)
def test_a_score_from_totals_of_dialogues_is_the_original_f1(oracle: Path, name: str) -> None:
    known = answers(oracle, name)
    replies = iter(known["predictions"])
    totals = [
        Total(
            sum(f1.measure(next(replies), replies=e.replies) for e in d.examples), len(d.examples)
        )
        for d in dialogues(oracle, known["input"])
    ]

    result = score("f1", totals, examples=len(known["predictions"]))

    assert result.value == exact(known["scores"]["f1"])
    assert result.low < result.value < result.high


@pytest.mark.parametrize("name", PPL)
def test_word_weights_score_as_in_the_original(oracle: Path, name: str) -> None:
    known = answers(oracle, name)
    vocabulary = Vocabulary.load(oracle / known["vocabulary"])
    given = examples(oracle, known["input"])
    parts = []
    for answer, example in zip(known["examples"], given, strict=True):
        part = parlai.loss(
            example.replies[0], weights=answer["raw"], sums=answer["Z"], vocabulary=vocabulary
        )
        assert split_words(example.replies[0]) == answer["tokens"]
        assert [word in vocabulary for word in answer["tokens"]] == answer["in_dict"]
        assert (part.num_tokens, part.num_unk) == (answer["num_tokens"], answer["num_unk"])
        assert part.loss == exact(answer["loss"])
        parts.append(part)

    assert parlai.score_losses(parts, vocabulary=vocabulary) == exact(known["scores"])


@pytest.mark.parametrize("name", PPL)
def test_a_score_from_totals_of_dialogues_is_the_original_ppl(oracle: Path, name: str) -> None:
    known = answers(oracle, name)
    rows = iter(known["examples"])
    totals = []
    for dialogue in dialogues(oracle, known["input"]):
        own = [next(rows) for _ in dialogue.examples]
        nats = [perplexity.losses(row["raw"], row["Z"]).sum() for row in own]
        totals.append(Total(math.fsum(nats), sum(row["num_tokens"] for row in own)))

    assert score("ppl", totals, examples=2694).value == exact(known["scores"]["ppl"])


def test_the_original_dictionary_file_is_read_and_written_byte_for_byte(oracle: Path) -> None:
    content = (oracle / "dict_self.tsv").read_bytes()

    vocabulary = Vocabulary.load(oracle / "dict_self.tsv")

    assert vocabulary.to_tsv().encode() == content
    assert "determined" not in vocabulary


def edge_cases() -> list[Any]:
    return [pytest.param(number, id=f"case{number}") for number in range(37)]


def test_there_are_as_many_edge_cases_as_are_tested(oracle: Path) -> None:
    assert len(answers(oracle, "edge_tag")["cases"]) == len(edge_cases())


@pytest.mark.parametrize("number", edge_cases())
def test_edge_cases_score_as_in_the_original(oracle: Path, number: int) -> None:
    case = answers(oracle, "edge_tag")["cases"][number]
    expected = dict(case["result"])
    if case["pred"] is not None:
        assert normalise(case["pred"]) == case["norm_pred"]
    assert [normalise(label) for label in case["labels"]] == case["norm_labels"]
    if "error" in expected:
        with pytest.raises(ValueError, match="without a reply"):
            parlai.measure(case["pred"], ranking=case["text_candidates"], replies=case["labels"])
        return

    row = dict(
        parlai.measure(case["pred"], ranking=case["text_candidates"], replies=case["labels"])
    )

    assert expected.pop("cnt", 1) == 1
    row["correct"] = row.pop("accuracy")
    assert row.keys() == expected.keys()
    for name, value in expected.items():
        assert row[name] == (None if value is None else exact(value))


def test_abstentions_are_left_out_of_the_mean_as_in_the_original(oracle: Path) -> None:
    known = answers(oracle, "edge_tag")["abstention_aggregate(3 examples, 1 answered)"]
    nothing = parlai.measure(None, ranking=None, replies=["gold"])
    ranked = parlai.measure("x", ranking=["gold", "b"], replies=["gold"])

    result = parlai.score([nothing, ranked, nothing])

    assert {name: result[name] for name in known} == exact(known)
