"""Keep replies of the training set to draw from, as often as they were given."""

from harness.agent import MAX_REPLY_BYTES
from harness.cli.training import Run, main

MAX_REPLIES = 20_000  # spread evenly over the training set


def train(run: Run) -> None:
    """Keep the replies that may be said."""
    given = (example.replies[0] for dialogue in run.train for example in dialogue.examples)
    replies = [reply for reply in given if len(reply.encode("utf-8")) <= MAX_REPLY_BYTES]
    kept = replies[:: max(1, -(-len(replies) // MAX_REPLIES))]
    run.write({"config.json": {"replies": kept, "seed": run.seed}})


if __name__ == "__main__":
    main(train)
