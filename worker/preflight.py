"""The way from received to queued: fetch, build, answer a few public dialogues, keep the logs.

No hidden byte is read here, and nothing is charged.
"""

from collections.abc import Mapping

from harness.evaluation import PUBLIC_SECRET
from harness.submission import CHAT_ORDER
from leaderboard import competition, datasets, hints, ledger
from leaderboard.states import Queue, State
from worker import canary
from worker.entry import device_wanted, entered, entry_name
from worker.exam import Questions, Seat, cell_limits, log_text, sit
from worker.fetch import Fetched
from worker.hold import Hold
from worker.house import house
from worker.packages import built_packages, kept_packages
from worker.place import Place
from worker.tree import commit_tree
from worker.workplace import Bench, Workplace

PUBLIC_ROLE = "valid"


def preflight(workplace: Workplace, hold: Hold) -> None:
    """Take a leased attempt (fetching) to the queue of those that wait to be scored.

    One of a monthly round ends here instead if its branch has not moved since it was scored, and
    one that asks for a device which this worker has not waits for another worker.
    """
    rules = competition.get(workplace.db, hold.work.competition_id)
    fetched = fetched_tree(workplace, hold, rules.limits)
    with hold.stoppable():
        if ledger.passed_over(workplace.db, hold.work, commit=fetched.commit):
            return
    tracks = entered(fetched.path, offered=rules.tracks)
    name = entry_name(fetched.path, default=hold.work.team)
    gpu = device_wanted(fetched.path, allowed=rules.gpu)
    if gpu and workplace.gpu is None:
        with hold.stoppable():
            ledger.needs_gpu(workplace.db, hold.work)
        hints.send(Queue.PREFLIGHT, hold.work.attempt_id, gpu=True)
        return
    hold.advance(State.BUILDING, commit=fetched.commit, tracks=tracks, entry=name, gpu=gpu)
    bench = workplace.benches.get(rules.sandbox[0])
    seat = taken_seat(workplace, hold, fetched, bench, rules)
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
        ledger.keep_log(workplace.db, hold.work, name=track, text=log_text(track, result))
        result.checked()
        can_chat = can_chat or bool(result.talks)
    hold.advance(State.QUEUED, can_chat=can_chat)
    hints.send(Queue.EVALUATE, hold.work.attempt_id, gpu=hold.work.gpu)


def fetched_tree(workplace: Workplace, hold: Hold, limits: Mapping[str, float | int]) -> Fetched:
    """The tree of the attempt's commit, fetched unless it stands here already."""
    work = hold.work
    return commit_tree(
        workplace,
        work.repo_url,
        work.commit or work.ref,
        team_id=work.team_id,
        limits=limits,
        stop=hold.stop,
    )


def taken_seat(
    workplace: Workplace,
    hold: Hold,
    fetched: Fetched,
    bench: Bench,
    rules: competition.Competition,
) -> Seat:
    """Where the tree is run, its requirements installed: once built, the same from then on."""
    place = Place.open(workplace.settings.sandbox_directory)
    if hold.work.state is State.BUILDING:
        made = built_packages(workplace, hold, fetched.path, bench, rules=rules.build)
        environment = made.path if made else None
    else:
        environment = kept_packages(
            hold.work.environment,
            fetched.path,
            place=place,
            bench=bench,
            rules=rules.build,
            stop=hold.stop,
        )
    return Seat(
        sandbox=bench.sandbox,
        code=fetched.path,
        environment=environment,
        limits=cell_limits(rules.limits),
        house=house(workplace.db, hold.work.competition_id, split=hold.work.split),
        worker=workplace.name,
        gpu=workplace.gpu if hold.work.gpu else None,
        turns=place.slots,
        canary=canary.tree(place),
    )


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
