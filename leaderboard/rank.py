"""The rank rule, pure: from published values to ranks, ties and finalists.

`convai2` is the rule of the 2018 competition: a team is as good as its best place over the
tracks; ties are broken by the second best place, then the third; a track not entered counts as
the worst place. Places come from *published* (rounded) values and equal values share a place, so
nobody is ranked by digits that nobody sees. Baselines are shown and not ranked: they take no
place away from a team.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.agent import Track

HIGHER_IS_BETTER: Mapping[Track, bool] = {"hits": True, "f1": True, "ppl": False}


@dataclass(frozen=True, slots=True)
class Entry:
    """What is ranked: a key of the caller's, published values of the tracks entered.

    A perplexity may be infinite: it is worse than every finite one and better than none.
    """

    key: str
    values: Mapping[Track, float]
    baseline: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an entry stands: its rank (None for a baseline) and its place in each track entered.

    `places` of a baseline are empty.
    """

    rank: int | None
    places: Mapping[Track, int]


Rule = Callable[[Mapping[Track, int], Sequence[Track]], tuple[float, ...]]
"""From places and the competition's tracks to a key that sorts the best first."""


def convai2(places: Mapping[Track, int], tracks: Sequence[Track]) -> tuple[float, ...]:
    """The places, best first; a track not entered is infinitely bad."""
    return tuple(sorted(float(places.get(track, math.inf)) for track in tracks))


RULES: Mapping[str, Rule] = {"convai2": convai2}
"""The rank rules that a `competition.toml` may name."""


def standings(
    entries: Sequence[Entry], *, tracks: Sequence[Track], rule: str = "convai2"
) -> dict[str, Standing]:
    """The standing of every entry, by key. Equal entries share a rank; the next one is skipped."""
    ranked = [entry for entry in entries if not entry.baseline]
    places: dict[str, dict[Track, int]] = {entry.key: {} for entry in ranked}
    for track in tracks:
        for key, place in _places(ranked, track).items():
            places[key][track] = place
    keys = {key: RULES[rule](of_entry, tracks) for key, of_entry in places.items()}
    ranks = {key: 1 + sum(other < mine for other in keys.values()) for key, mine in keys.items()}
    return {
        entry.key: Standing(ranks.get(entry.key), places.get(entry.key, {})) for entry in entries
    }


def finalists(
    standing: Mapping[str, Standing], *, per_track: int = 3, at_most: int = 10
) -> list[str]:
    """The keys that advance, by rank: whoever is among the best `per_track` of any track."""
    chosen = [
        (place.rank, key)
        for key, place in standing.items()
        if place.rank is not None and any(p <= per_track for p in place.places.values())
    ]
    return [key for _, key in sorted(chosen)[:at_most]]


def _places(entries: Sequence[Entry], track: Track) -> dict[str, int]:
    sign = -1.0 if HIGHER_IS_BETTER[track] else 1.0
    costs = {entry.key: sign * entry.values[track] for entry in entries if track in entry.values}
    return {key: 1 + sum(other < mine for other in costs.values()) for key, mine in costs.items()}
