"""What a submission's files call: one function per track, and a chat.

Run by hand, each evaluates in this process on public data and prints the score; started by an
evaluator, the same call serves the agent over the open session. A track file is four lines:

    from harness import eval_f1
    from agent import MyAgent
    if __name__ == "__main__":
        eval_f1(MyAgent)
"""

from collections.abc import Callable

from harness.agent import CandidateScorer, NextWordPredictor, Responder, Track
from harness.remote.session import current


def eval_hits(make_agent: Callable[[], CandidateScorer]) -> None:
    """Enter the hits track with the agent that `make_agent` builds."""
    _enter(make_agent, "hits")


def eval_f1(make_agent: Callable[[], Responder]) -> None:
    """Enter the f1 track with the agent that `make_agent` builds."""
    _enter(make_agent, "f1")


def eval_ppl(make_agent: Callable[[], NextWordPredictor]) -> None:
    """Enter the ppl track with the agent that `make_agent` builds."""
    _enter(make_agent, "ppl")


def interactive(make_agent: Callable[[], Responder]) -> None:
    """Talk to the agent in this terminal; `--help` lists the options."""
    from harness.cli.by_hand import chat  # click and rich are not in a sandbox

    chat(make_agent)


def _enter(
    make_agent: Callable[[], Responder | CandidateScorer | NextWordPredictor], track: Track
) -> None:
    session = current()
    if session is not None:
        session.serve(make_agent, track=track)
        return
    from harness.cli.by_hand import evaluate_by_hand  # click and rich are not in a sandbox

    evaluate_by_hand(make_agent, track)
