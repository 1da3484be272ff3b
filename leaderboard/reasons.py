"""Sentences that say why: why a row has its rank, why an attempt stands where it stands."""

from collections.abc import Sequence

from harness.agent import Track
from harness.errors import VERDICTS
from leaderboard.db.models import Attempt
from leaderboard.quota import stamp
from leaderboard.rank import Standing
from leaderboard.states import MAX_LOSSES, MAX_RETRIES, STAGES, State

NAMES: dict[Track, str] = {"hits": "hits@1", "f1": "F1", "ppl": "perplexity"}

BASELINE = "A baseline of the organizers: shown for comparison, not ranked."


def why(standing: Standing, *, tracks: Sequence[Track], sharing: int = 0) -> str:
    """Why this rank, from the places that made it; `sharing` counts others of the same rank.

    Example: "Rank 2 by its best place, 1st in F1; ties are broken by the next places: 3rd in
    hits@1. Perplexity was not entered, the worst place."
    """
    if standing.rank is None:
        return BASELINE
    if not standing.places:
        return f"Rank {standing.rank}: no track of this competition was entered."
    order = {track: number for number, track in enumerate(tracks)}
    places = sorted((place, order[track], track) for track, place in standing.places.items())
    named = [f"{ordinal(place)} in {NAMES[track]}" for place, _, track in places]
    sentence = f"Rank {standing.rank} by its best place, {named[0]}"
    if named[1:]:
        sentence += f"; ties are broken by the next places: {', '.join(named[1:])}"
    missing = [NAMES[track] for track in tracks if track not in standing.places]
    if missing:
        verb = "were" if len(missing) > 1 else "was"
        text = " and ".join(missing)
        sentence += f". {text[0].upper()}{text[1:]} {verb} not entered, the worst place"
    if sharing:
        sentence += f". Shared with {sharing} {'other' if sharing == 1 else 'others'}"
    return f"{sentence}."


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th, 21st."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10)
    return f"{number}{ending or 'th'}"


def state_sentence(attempt: Attempt, *, ahead: int | None = None, held_up: bool = False) -> str:
    """Where an attempt stands, for people: its state, what waits before it, what went wrong.

    `held_up` says that another scored run of its team must end first.
    """
    if attempt.state is State.FAILED and attempt.verdict_code in VERDICTS:
        return f"Failed: {_lower(VERDICTS[attempt.verdict_code].title)}."
    if attempt.withheld is not None:
        return f"Scored; the organizers withhold the score: {attempt.withheld}"
    sentence = STAGES[attempt.state].sentence
    if attempt.stop and not STAGES[attempt.state].final:
        sentence += " It was asked to stop."
    if held_up:
        sentence += " A team has one scored run at a time: it waits for the team's other one."
    elif ahead is not None:
        sentence += _place(ahead)
    if not STAGES[attempt.state].final:
        sentence += _setbacks(attempt)
    return sentence


def _place(ahead: int) -> str:
    if not ahead:
        return " It is next."
    return f" {ahead} {'attempt waits' if ahead == 1 else 'attempts wait'} before it."


def _setbacks(attempt: Attempt) -> str:
    parts = []
    if attempt.losses:
        parts.append(f"its worker was lost {attempt.losses} of at most {MAX_LOSSES} times")
    if attempt.retries:
        parts.append(f"it was tried again {attempt.retries} of at most {MAX_RETRIES} times")
    if not parts:
        return ""
    whose = "neither" if len(parts) > 1 else "which"
    text = f" So far {' and '.join(parts)}{'; ' if len(parts) > 1 else ', '}{whose} is "
    text += "the team's fault." if len(parts) > 1 else "not the team's fault."
    if attempt.not_before is not None:
        text += f" The next try is not before {stamp(attempt.not_before)}."
    return text


def _lower(title: str) -> str:
    return title[:1].lower() + title[1:]
