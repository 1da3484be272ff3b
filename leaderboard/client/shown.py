"""A submission's document as lines for a terminal.

Every text passes `leaderboard.shown.one_line`: what the site says is outside text here.
"""

from collections.abc import Iterator
from typing import Any

from leaderboard.shown import lines, one_line

Document = dict[str, Any]  # Any: a JSON object

TRACK_NAMES = {"hits": "hits@1", "f1": "F1", "ppl": "ppl"}


def heading(document: Document) -> str:
    """One line: which submission, whose, of which commit, in which state."""
    commit = document.get("commit") or document.get("ref") or ""
    entry = document.get("entry") or document.get("team") or ""
    return (
        f"Submission {document.get('id')} · {one_line(str(entry))} · "
        f"{one_line(str(commit))[:40]} · {one_line(str(document.get('state')))}"
    )


def events(document: Document) -> list[str]:
    """One line per event of the timeline, oldest first."""
    return [_event(event) for event in document.get("timeline") or [] if isinstance(event, dict)]


def _event(event: Document) -> str:
    note = event.get("note")
    line = f"{one_line(str(event.get('at')))}  {one_line(str(event.get('state'))):<10}"
    return f"{line}  {one_line(str(note))}" if note else line.rstrip()


def standing(document: Document) -> list[str]:
    """Where a submission that waits stands in its queue, and when it may start; else nothing."""
    if document.get("final") or document.get("ahead") is None:
        return []
    found = [one_line(str(document.get("sentence")), limit=600)]
    expected = document.get("expected")
    if isinstance(expected, dict) and expected.get("text"):
        found.append(one_line(str(expected["text"]), limit=400))
    if document.get("waiting"):
        found.append(one_line(str(document["waiting"]), limit=400))
    return found


def outcome(document: Document) -> Iterator[str]:
    """The verdict of a failed attempt, or the scores of a scored one, then the quota."""
    verdict = document.get("verdict")
    if isinstance(verdict, dict):
        yield from _verdict(verdict)
    scores = document.get("scores")
    if isinstance(scores, dict):
        for track, score in scores.items():
            if isinstance(score, dict):
                yield _score(track, score)
    quota = document.get("quota")
    if isinstance(quota, dict) and quota.get("text"):
        yield one_line(str(quota["text"]), limit=400)


def logs(document: Document) -> Iterator[str]:
    """The preflight logs, where the document holds them; controls are shown, not obeyed."""
    for part in document.get("logs") or []:
        if isinstance(part, dict):
            yield f"--- log of {one_line(str(part.get('track')))}"
            yield lines(str(part.get("text")))


def _verdict(verdict: Document) -> Iterator[str]:
    detail = verdict.get("detail")
    code = one_line(str(verdict.get("code")))
    yield f"{code} ({one_line(str(detail))})" if detail else code
    yield f"  {one_line(str(verdict.get('title')), limit=400)}."
    yield f"  What to do: {one_line(str(verdict.get('hint')), limit=800)}"


def _score(track: str, score: Document) -> str:
    name = TRACK_NAMES.get(track, one_line(track))
    line = f"{name:<7} {one_line(str(score.get('text')))}"
    if interval := score.get("interval"):
        line += f"  95 % interval {one_line(str(interval))}"
    return f"{line}  n = {one_line(str(score.get('n')))}  {one_line(str(score.get('signature')))}"
