"""Where a finalist chats: the very runtime, packages, commit and track file that were scored."""

import secrets
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from harness.agent import TRACKS, Track
from harness.errors import OperatorError, SubmissionError
from harness.remote.client import RemoteAgent
from harness.text import Vocabulary
from leaderboard import competition, datasets
from leaderboard.conversations import Chat, Partner
from worker.exam import cell_limits
from worker.gpu import turn
from worker.house import chat_house
from worker.packages import kept_packages
from worker.place import Place
from worker.sandbox import Job, Limits, Sandbox
from worker.tree import commit_tree
from worker.workplace import Workplace

TALK_SECONDS = 24 * 3600.0
"""Longer than any talk lasts: the people's own limits end it long before."""

_SPARE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Seat:
    """A sandbox and the cell to start in it; `vocabulary` where the track file needs one.

    `turns` is where the machine's accelerators are taken by turns.
    """

    sandbox: Sandbox
    job: Job
    track: Track
    vocabulary: Vocabulary | None
    turns: Path | None = None

    def turn(self, stop: Event) -> AbstractContextManager[None]:
        """The accelerator to itself while it lasts, where the cell is shown one; else nothing.

        `Stopped` if `stop` was set while it waited.
        """
        if self.job.gpu is None or self.turns is None:
            return nullcontext()
        return turn(self.job.gpu, self.turns, stop=stop)

    @property
    def limits(self) -> Limits:
        """What the cell may use."""
        return self.job.limits


def seat_of(workplace: Workplace, chat: Chat, *, stop: Event) -> Seat:
    """The seat of this chat's finalist.

    `OperatorError` if anything of what was scored cannot be had any more: that is never the
    finalist's doing. `Stopped` if `stop` was set meanwhile.
    """
    called = f"rostrum-chat-{chat.id}"
    return _seat(
        workplace,
        chat,
        called=called,
        fence=chat.fence,
        labels={"conversation": str(chat.id)},
        stop=stop,
    )


def spare_of(workplace: Workplace, partner: Partner, *, stop: Event) -> Seat:
    """As `seat_of`, for a cell that waits for a conversation; no two have the same name."""
    called = f"rostrum-spare-{partner.attempt_id}-{secrets.token_hex(4)}"
    labels = {"spare": str(partner.attempt_id)}
    return _seat(workplace, partner, called=called, fence=0, labels=labels, stop=stop)


def load(agent: RemoteAgent, seat: Seat, partner: Partner) -> None:
    """Have the agent of this seat built, with the deadlines of a chat."""
    agent.load(
        seat.track,
        vocabulary=seat.vocabulary,
        load_seconds=seat.limits.load,
        batch_seconds=partner.reply_seconds,
        bank_seconds=0.0,
        total_seconds=TALK_SECONDS,
    )


def _seat(
    workplace: Workplace,
    partner: Partner,
    *,
    called: str,
    fence: int,
    labels: Mapping[str, str],
    stop: Event,
) -> Seat:
    rules = competition.get(workplace.db, partner.competition_id)
    track = _track(partner)
    bench = workplace.benches.stored(partner.sandbox or "", partner.image or "")
    tree = _tree(workplace, partner, rules.limits, stop=stop)
    limits = cell_limits(rules.limits)
    house = chat_house(workplace.db, partner.competition_id)
    job = Job(
        name=f"{called}-{house}",
        fence=fence,
        code=tree,
        track_file=f"eval_{track}.py",
        limits=limits,
        environment=kept_packages(
            partner.environment,
            tree,
            place=Place.open(workplace.settings.sandbox_directory),
            bench=bench,
            rules=rules.build,
            stop=stop,
        ),
        deadline_seconds=limits.start + limits.load + TALK_SECONDS + _SPARE_SECONDS,
        labels={
            "worker": workplace.name,
            "competition": partner.competition_id,
            "house": house,
            **labels,
        },
        gpu=workplace.gpu if partner.gpu else None,
    )
    words = datasets.vocabulary(workplace.db, partner.competition_id) if track == "ppl" else None
    turns = Place.open(workplace.settings.sandbox_directory).slots
    return Seat(bench.sandbox, job, track, words, turns)


def _track(partner: Partner) -> Track:
    for track in TRACKS:
        if track == partner.track:
            return track
    raise OperatorError("evaluator_bug", message=f"no track {partner.track!r}")


def _tree(
    workplace: Workplace, partner: Partner, limits: Mapping[str, float | int], *, stop: Event
) -> Path:
    """The tree of the commit that was scored; locks keep it, so its absence is our doing."""
    try:
        return commit_tree(
            workplace,
            partner.repo_url,
            partner.commit,
            team_id=partner.team_id,
            limits=limits,
            stop=stop,
        ).path
    except SubmissionError as error:
        raise OperatorError(
            "image_missing",
            message=f"the tree of {partner.commit} is gone and was not had again: {error.code}",
        ) from error
