"""hits through the loop: the order of candidates tells nothing of the reply."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from evalworld import DIALOGUES, Hashing, Recorder, make_dialogues

from harness.dialogue import Context, Dialogue
from harness.evaluation import evaluate


def test_which_candidate_is_the_reply_changes_nothing_until_it_is_history() -> None:
    def swapped(dialogue: Dialogue) -> Dialogue:
        *rest, last = dialogue.examples
        reply = last.candidates[3]
        return replace(dialogue, examples=(*rest, replace(last, replies=(reply,))))

    one, two = Recorder(), Recorder()
    evaluate(one, DIALOGUES, "hits")
    evaluate(two, [swapped(dialogue) for dialogue in DIALOGUES], "hits")
    assert one.calls == two.calls


def test_the_reply_stands_anywhere_among_the_candidates() -> None:
    recorder = Recorder()
    evaluate(recorder, make_dialogues(200), "hits")
    replies = {
        (dialogue.persona, dialogue.turns_before(turn)): example.replies[0]
        for dialogue in make_dialogues(200)
        for turn, example in enumerate(dialogue.examples)
    }
    places = [
        candidates.index(replies[context.persona, context.turns])
        for call in recorder.calls
        for context, candidates in call
    ]
    counts = np.bincount(places, minlength=20)
    assert counts.min() > 0.4 * counts.mean()
    assert counts.max() < 1.7 * counts.mean()


class Places(Hashing):
    """Scores candidates by a rule of their place and text."""

    def __init__(self, rule: str):
        self.rule = rule

    def score_candidates(
        self, contexts: Sequence[Context], candidates: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        rules = {
            "constant": lambda place, text: 0.0,
            "first": lambda place, text: -float(place),
            "last": lambda place, text: float(place),
        }
        rule = rules[self.rule]
        return [[rule(*pair) for pair in enumerate(texts)] for texts in candidates]


@pytest.mark.parametrize("rule", ["constant", "first", "last"])
def test_scores_that_know_only_places_are_worth_chance(rule: str) -> None:
    score = evaluate(Places(rule), make_dialogues(400), "hits").score
    assert score.low < 1 / 20 < score.high
