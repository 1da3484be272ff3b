"""One reply to everything, made of common words: what F1 gives for saying nothing.

On ConvAI2 such a constant beat every entrant's F1; a board that shows it is easier to read.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from harness import Context
from harness.errors import UsageError

CHECKPOINT = Path(__file__).parent / "checkpoint"


class ConstantAgent:
    """Says the words that train.py chose."""

    def __init__(self, folder: Path = CHECKPOINT) -> None:
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UsageError(
                f"no checkpoint in {folder}; make one with "
                f"`rostrum train constant-words --data DIR --out {folder}`",
                code="no_checkpoint",
            ) from None
        self.reply = str(config["reply"])

    def respond(self, contexts: Sequence[Context]) -> list[str]:
        """The same words every time."""
        return [self.reply for _ in contexts]
