"""What the page of rules and help shows, from the tables that the code itself obeys."""

from collections.abc import Mapping
from dataclasses import dataclass

from harness.errors import VERDICTS, Fault, Verdict
from leaderboard import formats
from leaderboard.competition import Competition
from leaderboard.states import STAGES
from leaderboard.web.tracks import TRACK_TEXTS, TrackText

RANK_RULES: Mapping[str, str] = {
    "convai2": "An entry is as good as its best place in any track; ties are broken by its "
    "second best place, then its third. A track not entered counts as the worst place.",
}
"""The rank rules of `leaderboard.rank` in words."""

LIMIT_TEXTS: Mapping[str, tuple[str, str]] = {
    "start": ("Start of the sandbox", "s"),
    "load": ("Loading the agent", "s"),
    "batch": ("One batch", "s"),
    "bank": ("Slack shared by all batches", "s"),
    "total": ("One track in all", "s"),
    "memory": ("Memory", "bytes"),
    "cpus": ("Processor cores", ""),
    "pids": ("Processes and threads", ""),
    "tmp": ("Files in /tmp", "bytes"),
    "inodes": ("Number of files in /tmp", ""),
    "log_bytes": ("Preflight log kept", "bytes"),
    "repo_bytes": ("Repository", "bytes"),
    "repo_files": ("Files in the repository", ""),
    "large_bytes": ("LFS objects and weights", "bytes"),
}
"""Each limit of `competition.toml` by name: what it bounds, and its unit."""

REQUESTS: tuple[tuple[str, str], ...] = (
    ("GET /api/v1/board", "The current competition's board, as on its page."),
    ("GET /api/v1/competition", "Its rules and limits, as `rostrum check --site` keeps them."),
    ("GET /api/v1/competitions/<id>/board", "The board of one competition."),
    (
        "GET /api/v1/competitions/<id>/people",
        "Its finalists once it is locked; what people said of them once that is over.",
    ),
    (
        'POST /api/v1/submissions {"ref": "<40 hex>|<branch>"}',
        "Submits for the token's team: 202 and the new submission.",
    ),
    ("GET /api/v1/submissions/<id>", "State, timeline, verdict, scores, quota."),
    ("GET /api/v1/submissions/<id>/log", "The preflight log; only for the team's own token."),
)
"""The API in two columns."""


@dataclass(frozen=True, slots=True)
class Request:
    """One row of the API's table."""

    request: str
    answer: str


@dataclass(frozen=True, slots=True)
class StageText:
    """One row of the table of states."""

    name: str
    sentence: str
    limit: str


@dataclass(frozen=True, slots=True)
class VerdictGroup:
    """The verdicts of one fault."""

    title: str
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class HelpPage:
    """What the page shows; `title`, `rules`, `limits` are empty without a competition."""

    site: str
    title: str
    rules: tuple[tuple[str, str], ...]
    limits: tuple[tuple[str, str], ...]
    tracks: tuple[TrackText, ...]
    stages: tuple[StageText, ...]
    verdicts: tuple[VerdictGroup, ...]
    requests: tuple[Request, ...]


def help_page(competition: Competition | None, *, site: str) -> HelpPage:
    """The page for a competition, or for a site that has none yet. `site`: its own address."""
    return HelpPage(
        site=site,
        title=competition.title if competition else "",
        rules=_rules(competition) if competition else (),
        limits=_limits(competition.limits) if competition else (),
        tracks=tuple(TRACK_TEXTS[t] for t in (competition.tracks if competition else TRACK_TEXTS)),
        stages=tuple(
            StageText(s.state, s.sentence, formats.duration(s.limit) if s.limit else "–")
            for s in STAGES.values()
        ),
        verdicts=(
            VerdictGroup("The submission's fault", _of(Fault.SUBMISSION)),
            VerdictGroup("The platform's fault", _of(Fault.PLATFORM)),
        ),
        requests=tuple(Request(*row) for row in REQUESTS),
    )


def _of(fault: Fault) -> tuple[Verdict, ...]:
    return tuple(verdict for verdict in VERDICTS.values() if verdict.fault is fault)


def _rules(competition: Competition) -> tuple[tuple[str, str], ...]:
    allowance = competition.allowance
    phases = tuple(
        (
            f"Phase {phase.name}",
            f"{formats.minute(phase.opens)} to {formats.minute(phase.closes)}, submitted before; "
            f"scored on the {phase.split.value} split",
        )
        for phase in competition.phases
    )
    return (
        *phases,
        ("Rank", RANK_RULES[competition.rank]),
        (
            "Quota",
            f"{allowance.scored_per_month} scored per team and UTC month, by the time of "
            f"acceptance; {allowance.preflights_per_day} preflights a day",
        ),
        ("Preflight", f"{competition.preflight_dialogues} public dialogues"),
        ("Sandbox", ", ".join(competition.sandbox)),
        ("Candidates", f"{competition.candidates} in hits@1"),
        ("Zero probability", f"{competition.zero} perplexity"),
    )


def _limits(limits: Mapping[str, float | int]) -> tuple[tuple[str, str], ...]:
    return tuple((LIMIT_TEXTS[name][0], _limit(name, value)) for name, value in limits.items())


def _limit(name: str, value: float | int) -> str:
    unit = LIMIT_TEXTS[name][1]
    if unit == "bytes":
        return formats.size(int(value))
    return f"{value:,g} {unit}".strip()
