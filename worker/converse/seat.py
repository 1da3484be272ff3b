"""Where a finalist chats: the very runtime, packages, commit and track file that were scored."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from harness.agent import TRACKS, Track
from harness.errors import OperatorError, SubmissionError, UsageError
from harness.text import Vocabulary
from leaderboard import competition, datasets
from leaderboard.conversations import Chat
from worker.house import chat_house
from worker.images import Runtime, prepare_environment
from worker.place import Place
from worker.preflight import cell_limits
from worker.sandbox import Job, Limits, Sandbox
from worker.tree import commit_tree
from worker.workplace import Workplace

TALK_SECONDS = 24 * 3600.0
"""Longer than any talk lasts: the people's own limits end it long before."""

_SPARE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Seat:
    """A sandbox and the cell to start in it; `vocabulary` where the track file needs one."""

    sandbox: Sandbox
    job: Job
    track: Track
    vocabulary: Vocabulary | None

    @property
    def limits(self) -> Limits:
        """What the cell may use."""
        return self.job.limits


def seat_of(workplace: Workplace, chat: Chat, *, stop: Event) -> Seat:
    """The seat of this chat's finalist.

    `OperatorError` if anything of what was scored cannot be had any more: that is never the
    finalist's doing. `Stopped` if `stop` was set meanwhile.
    """
    rules = competition.get(workplace.db, chat.competition_id)
    track = _track(chat)
    bench = workplace.benches.stored(chat.sandbox or "", chat.image or "")
    tree = _tree(workplace, chat, rules.limits, stop=stop)
    limits = cell_limits(rules.limits)
    house = chat_house(workplace.db, chat.competition_id)
    job = Job(
        name=f"rostrum-chat-{chat.id}-{house}",
        fence=chat.fence,
        code=tree,
        track_file=f"eval_{track}.py",
        limits=limits,
        environment=_environment(workplace, chat, tree, runtime=bench.runtime),
        deadline_seconds=limits.start + limits.load + TALK_SECONDS + _SPARE_SECONDS,
        labels={
            "worker": workplace.name,
            "competition": chat.competition_id,
            "conversation": str(chat.id),
            "house": house,
        },
    )
    words = datasets.vocabulary(workplace.db, chat.competition_id) if track == "ppl" else None
    return Seat(bench.sandbox, job, track, words)


def _track(chat: Chat) -> Track:
    for track in TRACKS:
        if track == chat.track:
            return track
    raise OperatorError("evaluator_bug", message=f"no track {chat.track!r}")


def _tree(
    workplace: Workplace, chat: Chat, limits: Mapping[str, float | int], *, stop: Event
) -> Path:
    """The tree of the commit that was scored; locks keep it, so its absence is our doing."""
    try:
        return commit_tree(
            workplace.settings, chat.repo_url, chat.commit, limits=limits, stop=stop
        ).path
    except SubmissionError as error:
        raise OperatorError(
            "image_missing",
            message=f"the tree of {chat.commit} is gone and was not had again: {error.code}",
        ) from error


def _environment(workplace: Workplace, chat: Chat, tree: Path, *, runtime: Runtime) -> Path | None:
    """The packages of the attempt, by the name that was stored; made anew only under that name."""
    if chat.environment is None:
        return None
    place = Place.open(workplace.settings.sandbox_directory)
    stored = place.environments / chat.environment
    if stored.is_dir():
        return stored
    try:
        made = prepare_environment(tree / "requirements.txt", runtime=runtime, place=place)
    except (SubmissionError, UsageError) as error:
        raise _no_packages(chat.environment, error.code or "pip failed") from error
    if made != stored:
        raise _no_packages(chat.environment, "they would be others today")
    return stored


def _no_packages(name: str, why: str) -> OperatorError:
    return OperatorError("image_missing", message=f"the packages {name} are gone: {why}")
