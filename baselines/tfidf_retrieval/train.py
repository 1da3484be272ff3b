"""Keep the training dialogues to retrieve from: nothing is learned."""

from harness.agent import MAX_REPLY_BYTES
from harness.cli.training import Run, main
from harness.dialogue import Dialogue

MAX_PAIRS = 50_000  # of what was heard and what was replied, spread evenly over the dialogues


def train(run: Run) -> None:
    """Keep whole dialogues, at most MAX_PAIRS replies."""
    pairs = sum(len(dialogue.examples) for dialogue in run.train)
    every = max(1, -(-pairs // MAX_PAIRS))
    run.write({"config.json": {"talks": [talk(dialogue) for dialogue in run.train[::every]]}})


def talk(dialogue: Dialogue) -> dict[str, object]:
    """A dialogue as the agent reads it, with those of its replies that are short enough to say."""
    pairs = [(example.partner[-1], example.replies[0]) for example in dialogue.examples]
    turns = [turn for turn in pairs if len(turn[1].encode("utf-8")) <= MAX_REPLY_BYTES]
    return {"persona": dialogue.persona, "turns": turns}


if __name__ == "__main__":
    main(train)
