"""How the tracks are named and read on a page."""

from dataclasses import dataclass

from harness.agent import Track


@dataclass(frozen=True, slots=True)
class TrackText:
    """The words of one track: its name, how to read its number, what it measures."""

    key: Track
    name: str
    reading: str
    meaning: str


TRACK_TEXTS: dict[Track, TrackText] = {
    "hits": TrackText(
        "hits",
        "hits@1",
        "%, higher is better",
        "The share of replies that the agent ranks first among the candidates. The evaluator "
        "ranks, from one finite score per candidate; equal scores gain what chance gains.",
    ),
    "f1": TrackText(
        "f1",
        "F1",
        "%, higher is better",
        "The overlap in words between the agent's reply and the person's, as the harmonic mean "
        "of precision and recall; case, punctuation and articles do not count.",
    ),
    "ppl": TrackText(
        "ppl",
        "Perplexity",
        "per word, lower is better",
        "How surprised the agent is by the person's next word, given every word before it: a "
        "distribution over the official dictionary, normalised by the evaluator.",
    ),
}
