"""The tasks by whose names the site and the beat send hints."""

from leaderboard.states import Queue
from worker.app import app
from worker.converse import host
from worker.slots import current


@app.task(name="rostrum.preflight")  # type: ignore[untyped-decorator]  # celery has no types
def preflight(attempt_id: int) -> None:
    """An attempt waits to be fetched, built and tried on public data."""
    current().serve(Queue.PREFLIGHT, attempt_id)


@app.task(name="rostrum.evaluate")  # type: ignore[untyped-decorator]  # celery has no types
def evaluate(attempt_id: int) -> None:
    """An attempt waits to be scored."""
    current().serve(Queue.EVALUATE, attempt_id)


@app.task(name="rostrum.converse")  # type: ignore[untyped-decorator]  # celery has no types
def converse(_conversation_id: int) -> None:
    """A rater waits for a partner; the host asks the database who waits."""
    host.current().wake()
