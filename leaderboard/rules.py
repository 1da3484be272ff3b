"""What `competition.toml` says, as frozen values.

Unknown keys are refused with the nearest known one; dates carry their offset.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from harness.agent import TRACKS, Track
from harness.errors import UsageError
from harness.metrics.perplexity import ZERO_RULES
from leaderboard.db.models import Role
from leaderboard.quota import Allowance
from leaderboard.rank import RULES

SCHEMA = 1
SANDBOXES = ("docker", "bubblewrap")

LIMITS: Mapping[str, float | int] = MappingProxyType(
    {
        "start": 20.0,
        "load": 600.0,
        "batch": 60.0,
        "bank": 120.0,
        "total": 7200.0,
        "memory": 4 << 30,
        "cpus": 2.0,
        "pids": 256,
        "tmp": 256 << 20,
        "inodes": 10_000,
        "log_bytes": 256 << 10,
        "repo_bytes": 1 << 30,
        "repo_files": 10_000,
        "large_bytes": 4 << 30,
    }
)
"""Every limit with its default: seconds where it is a float (`cpus` apart), else bytes or counts.

Names as in `worker.sandbox.Limits`, with the bounds of a repository; `large_bytes` are those of its
LFS objects and weights together.
"""

_TABLES = ("tracks", "limits", "preflight", "quota", "human", "build", "gpu", "round")
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


@dataclass(frozen=True, slots=True)
class Phase:
    """A span of time in which submissions are accepted, and the split that they are scored on."""

    name: str
    opens: datetime
    closes: datetime
    split: Role = Role.TEST

    def holds(self, moment: datetime) -> bool:
        """Whether a submission at `moment` belongs to this phase (its end is excluded)."""
        return self.opens <= moment < self.closes


@dataclass(frozen=True, slots=True)
class Human:
    """The rules of the finalists and of the rated chats."""

    per_track: int = 3
    at_most: int = 10
    minimum_turns: int = 4
    reply_seconds: int = 30


@dataclass(frozen=True, slots=True)
class Build:
    """What a submission's requirements may take: whether packages may be built from source (their
    own code then runs, in the build sandbox), seconds, bytes on disk."""

    source: bool = False
    seconds: int = 600
    bytes: int = 2 << 30


@dataclass(frozen=True, slots=True)
class Schedule:
    """When the round of a month begins by itself: day and hour in UTC; `automatic` may be off."""

    automatic: bool = True
    day: int = 1
    hour: int = 0


@dataclass(frozen=True, slots=True)
class Competition:
    """One `competition.toml`, checked; `gpu` says that submissions may ask for one."""

    id: str
    title: str
    phases: tuple[Phase, ...]
    rank: str = "convai2"
    sandbox: tuple[str, ...] = ("docker",)
    tracks: tuple[Track, ...] = TRACKS
    candidates: int = 20
    zero: str = "infinite"
    limits: Mapping[str, float | int] = field(default_factory=lambda: LIMITS)
    preflight_dialogues: int = 20
    allowance: Allowance = field(default_factory=lambda: Allowance(1, 10))
    human: Human = field(default_factory=Human)
    build: Build = field(default_factory=Build)
    gpu: bool = False
    round: Schedule = field(default_factory=Schedule)

    def phase(self, moment: datetime) -> Phase | None:
        """The phase that is open at `moment`."""
        return next((phase for phase in self.phases if phase.holds(moment)), None)

    def shown_phase(self, moment: datetime) -> Phase:
        """The phase whose board is shown: the last one that has opened, else the first."""
        opened = [phase for phase in self.phases if phase.opens <= moment]
        return opened[-1] if opened else self.phases[0]

    def next_opening(self, moment: datetime) -> datetime | None:
        """When the next phase opens, if one is still to come."""
        return next((phase.opens for phase in self.phases if phase.opens > moment), None)


def parse(text: str) -> Competition:
    """The competition that a TOML document describes; `UsageError` says which key is wrong."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _wrong(f"it is not TOML: {error}") from error
    _expect_keys(
        document,
        ("schema", "competition", "phase", *_TABLES),
        where="at the top",
    )
    if document.get("schema") != SCHEMA:
        raise _wrong(f"schema is {document.get('schema')!r}; this version reads {SCHEMA}")
    head = _table(document, "competition", ("id", "title", "rank", "sandbox"))
    preflight = _table(document, "preflight", ("dialogues", "per_day"))
    quota = _table(document, "quota", ("scored_per_month",))
    human = _table(document, "human", ("per_track", "at_most", "minimum_turns", "reply_seconds"))
    tracks = _table(document, "tracks", TRACKS)
    hits = _table(tracks, "hits", ("candidates",), where="tracks.hits")
    _table(tracks, "f1", (), where="tracks.f1")
    ppl = _table(tracks, "ppl", ("zero",), where="tracks.ppl")
    return Competition(
        id=identifier(head.get("id")),
        title=_text(head, "title", where="competition"),
        phases=_phases(document.get("phase", [])),
        rank=_one_of(head.get("rank", "convai2"), tuple(RULES), name="competition.rank"),
        sandbox=_sandboxes(head.get("sandbox", ["docker"])),
        tracks=tuple(track for track in TRACKS if track in tracks) or TRACKS,
        candidates=_count(hits.get("candidates", 20), name="tracks.hits.candidates", least=2),
        zero=_one_of(ppl.get("zero", "infinite"), tuple(ZERO_RULES), name="tracks.ppl.zero"),
        limits=_limits(_table(document, "limits", tuple(LIMITS))),
        preflight_dialogues=_count(preflight.get("dialogues", 20), name="preflight.dialogues"),
        allowance=Allowance(
            scored_per_month=_count(
                quota.get("scored_per_month", 1), name="quota.scored_per_month"
            ),
            preflights_per_day=_count(preflight.get("per_day", 10), name="preflight.per_day"),
        ),
        human=Human(**{key: _count(value, name=f"human.{key}") for key, value in human.items()}),
        build=_build(_table(document, "build", ("source", "seconds", "bytes"))),
        gpu=_flag(_table(document, "gpu", ("allowed",)), "allowed", where="gpu", default=False),
        round=_schedule(_table(document, "round", ("automatic", "day", "hour"))),
    )


def _phases(found: Any) -> tuple[Phase, ...]:  # Any: parsed here
    if not isinstance(found, list) or not found:
        raise _wrong("it has no [[phase]]; give at least one with name, opens, closes")
    phases = tuple(_phase(table, number) for number, table in enumerate(found, start=1))
    for earlier, later in pairwise(phases):
        if later.opens < earlier.closes:
            raise _wrong(f"phase {later.name!r} opens before phase {earlier.name!r} closes")
    return phases


def _phase(table: Any, number: int) -> Phase:  # Any: parsed here
    where = f"phase {number}"
    if not isinstance(table, dict):
        raise _wrong(f"{where} is not a table")
    _expect_keys(table, ("name", "opens", "closes", "split"), where=f"in {where}")
    splits = (Role.TEST.value, Role.VALID.value)
    phase = Phase(
        name=_text(table, "name", where=where),
        opens=_moment(table, "opens", where=where),
        closes=_moment(table, "closes", where=where),
        split=Role(_one_of(table.get("split", Role.TEST.value), splits, name=f"{where}.split")),
    )
    if phase.opens >= phase.closes:
        raise _wrong(f"{where} closes before it opens")
    return phase


def _moment(table: Mapping[str, Any], key: str, *, where: str) -> datetime:
    value = table.get(key)
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise _wrong(
            f"{where}.{key} is {value!r}; write a date with time and offset, such as "
            "2026-11-01T00:00:00Z"
        )
    return value


def _build(found: Mapping[str, Any]) -> Build:
    default = Build()
    return Build(
        source=_flag(found, "source", where="build", default=default.source),
        seconds=_count(found.get("seconds", default.seconds), name="build.seconds"),
        bytes=_count(found.get("bytes", default.bytes), name="build.bytes", most=2**53),
    )


def _schedule(found: Mapping[str, Any]) -> Schedule:
    default = Schedule()
    return Schedule(
        automatic=_flag(found, "automatic", where="round", default=default.automatic),
        day=_count(found.get("day", default.day), name="round.day", most=28),
        hour=_count(found.get("hour", default.hour), name="round.hour", least=0, most=23),
    )


def _flag(table: Mapping[str, Any], key: str, *, where: str, default: bool) -> bool:
    value = table.get(key, default)
    if not isinstance(value, bool):
        raise _wrong(f"{where}.{key} is {value!r}; it must be true or false")
    return value


def _limits(found: Mapping[str, Any]) -> Mapping[str, float | int]:
    limits = dict(LIMITS)
    for key, value in found.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 < value < 2**53:
            raise _wrong(f"limits.{key} is {value!r}; it must be a number above 0")
        if isinstance(LIMITS[key], int) and not isinstance(value, int):
            raise _wrong(f"limits.{key} is {value!r}; it must be a whole number")
        limits[key] = value if isinstance(LIMITS[key], int) else float(value)
    return MappingProxyType(limits)


def _sandboxes(found: Any) -> tuple[str, ...]:  # Any: parsed here
    if not isinstance(found, list) or not found:
        raise _wrong(f"competition.sandbox must list at least one of {', '.join(SANDBOXES)}")
    return tuple(_one_of(name, SANDBOXES, name="competition.sandbox") for name in found)


def identifier(value: object) -> str:
    """The value as a competition's id; `UsageError` for anything else."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise _wrong(f"competition.id is {value!r}; use a-z, 0-9 and -, at most 64 characters")
    return value


def _text(table: Mapping[str, Any], key: str, *, where: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value.strip() or len(value) > 200:
        raise _wrong(f"{where}.{key} is {value!r}; it must be a text of at most 200 characters")
    return value.strip()


def _count(value: object, *, name: str, least: int = 1, most: int = 2**31 - 1) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        upper = f" and at most {most}" if most < 2**31 - 1 else ""
        raise _wrong(f"{name} is {value!r}; it must be a whole number of at least {least}{upper}")
    return value


def _one_of(value: object, known_values: tuple[str, ...], *, name: str) -> str:
    if value not in known_values:
        raise _wrong(f"{name} is {value!r}; known: {', '.join(known_values)}")
    return str(value)


def _table(
    parent: Mapping[str, Any], key: str, known_keys: tuple[str, ...], *, where: str | None = None
) -> Mapping[str, Any]:
    table = parent.get(key, {})
    if not isinstance(table, dict):
        raise _wrong(f"{where or key} is not a table")
    _expect_keys(table, known_keys, where=f"in [{where or key}]")
    return table


def _expect_keys(table: Mapping[str, Any], known_keys: tuple[str, ...], *, where: str) -> None:
    for key in table:
        if key not in known_keys:
            near = difflib.get_close_matches(key, known_keys, n=1, cutoff=0.0)
            advice = f"; did you mean {near[0]!r}?" if near else ""
            raise _wrong(f"the key {key!r} {where} is unknown{advice}")


def _wrong(reason: str) -> UsageError:
    return UsageError(f"competition.toml: {reason}", code="bad_competition")
