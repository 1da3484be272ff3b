"""The way from received to queued: fetch, build, answer a few public dialogues, keep the logs.

No hidden byte is read here, and nothing is charged.
"""

from collections.abc import Mapping
from dataclasses import fields

from harness.agent import Track
from harness.evaluation import PUBLIC_SECRET
from harness.submission import CHAT_ORDER
from leaderboard import competition, datasets, hints, ledger
from leaderboard.states import Queue, State
from worker.entry import entered, entry_name
from worker.exam import Questions, Result, Seat, sit
from worker.fetch import Fetched
from worker.hold import Hold
from worker.house import house
from worker.images import prepare_environment
from worker.place import Place
from worker.sandbox import Limits
from worker.tree import commit_tree
from worker.workplace import Bench, Workplace

PUBLIC_ROLE = "valid"


def preflight(workplace: Workplace, hold: Hold) -> None:
    """Take a leased attempt (fetching) to the queue of those that wait to be scored.

    One of a monthly round ends here instead if its branch has not moved since it was scored.
    """
    rules = competition.get(workplace.db, hold.work.competition_id)
    fetched = fetched_tree(workplace, hold, rules.limits)
    with hold.stoppable():
        if ledger.passed_over(workplace.db, hold.work, commit=fetched.commit):
            return
    tracks = entered(fetched.path, offered=rules.tracks)
    name = entry_name(fetched.path, default=hold.work.team)
    hold.advance(State.BUILDING, commit=fetched.commit, tracks=tracks, entry=name)
    bench = workplace.benches.get(rules.sandbox[0])
    seat = taken_seat(workplace, hold, fetched, bench, rules.limits)
    hold.advance(
        State.PREFLIGHT,
        environment=seat.environment.name if seat.environment else None,
        image=bench.runtime.digest,
        sandbox=bench.sandbox.name,
    )
    questions = _public_questions(workplace, hold, rules)
    chat = next(track for track in CHAT_ORDER if track in tracks)
    can_chat = False
    for track in tracks:
        job = seat.job(hold, track, shard="preflight", keep_log=True)
        result = sit(hold, seat, job, track, questions, greet=track == chat)
        ledger.keep_log(workplace.db, hold.work, track=track, text=_log_text(track, result))
        result.checked()
        can_chat = can_chat or bool(result.talks)
    hold.advance(State.QUEUED, can_chat=can_chat)
    hints.send(Queue.EVALUATE, hold.work.attempt_id)


def fetched_tree(workplace: Workplace, hold: Hold, limits: Mapping[str, float | int]) -> Fetched:
    """The tree of the attempt's commit, fetched unless it stands here already."""
    work = hold.work
    return commit_tree(
        workplace.settings, work.repo_url, work.commit or work.ref, limits=limits, stop=hold.stop
    )


def taken_seat(
    workplace: Workplace,
    hold: Hold,
    fetched: Fetched,
    bench: Bench,
    limits: Mapping[str, float | int],
) -> Seat:
    """Where the tree is run, its requirements installed."""
    environment = prepare_environment(
        fetched.path / "requirements.txt",
        runtime=bench.runtime,
        place=Place.open(workplace.settings.sandbox_directory),
    )
    return Seat(
        sandbox=bench.sandbox,
        code=fetched.path,
        environment=environment,
        limits=cell_limits(limits),
        house=house(workplace.db, hold.work.competition_id, split=hold.work.split),
        worker=workplace.name,
    )


def cell_limits(limits: Mapping[str, float | int]) -> Limits:
    """The competition's limits, as far as they bound a cell."""
    return Limits(**{one.name: limits[one.name] for one in fields(Limits)})  # type: ignore[arg-type]  # competition.toml's types are checked where it is parsed


def _public_questions(
    workplace: Workplace, hold: Hold, rules: competition.Competition
) -> Questions:
    db, name = workplace.db, hold.work.competition_id
    dialogues = datasets.dialogues(db, name, PUBLIC_ROLE)[: rules.preflight_dialogues]
    return Questions(
        dialogues,
        datasets.vocabulary(db, name),
        rules.zero,
        PUBLIC_SECRET,
        datasets.hidden_name(db, name, PUBLIC_ROLE),
    )


def _log_text(track: Track, result: Result) -> str:
    """What the team reads: how the run ended, then what it printed."""
    ended = result.exit
    facts = [f"eval_{track}.py"]
    if result.error is None:
        facts.append("answered every public example")
    else:
        detail = f" ({result.error.detail})" if result.error.detail else ""
        facts.append(f"{result.error.code}{detail}")
    if ended.code is not None:
        facts.append(f"exit code {ended.code}")
    if ended.signal is not None:
        facts.append(f"ended by signal {ended.signal}")
    if ended.out_of_memory:
        facts.append("out of memory")
    return f"[rostrum] {', '.join(facts)}\n{ended.log}"
