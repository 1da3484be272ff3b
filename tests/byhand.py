"""A submission whose track files are run by hand, and the data that they find."""

import os
from pathlib import Path

from harness.data import fbdialog
from harness.dialogue import Dialogue, Example

SUBMISSION = """
import numpy as np
from harness import {call}

class Agent:
    def respond(self, contexts):
        return ["tea\\x1b[31m for " + (c.persona[0] if c.persona else "me") for c in contexts]
    def score_candidates(self, contexts, candidates):
        return [[float(len(text)) for text in texts] for texts in candidates]
    def next_word_probabilities(self, contexts, prefixes, vocabulary):
        return np.ones((len(contexts), len(vocabulary)), np.float32)

if __name__ == "__main__":
    {call}(Agent)
"""


def dialogue(name: str) -> Dialogue:
    first = Example(("hi",), ("i like green tea",), ("coffee", "no", "i like green tea"))
    second = Example(("why ?",), ("it is hot",), ("it is hot", "it is terribly hot", "x"))
    return Dialogue(name, persona=(f"i am {name} .",), examples=(first, second))


def data_folder(tmp_path: Path) -> Path:
    """A set of two files, where a track file looks first."""
    folder = tmp_path / "data"
    folder.mkdir()
    fbdialog.write(folder / "train_self_original.txt", [dialogue("one"), dialogue("two")])
    fbdialog.write(folder / "valid_self_original.txt", [dialogue("three"), dialogue("four")])
    return folder


def environment(tmp_path: Path) -> dict[str, str]:
    """Without the data of whoever runs the tests, and with journals and caches of its own."""
    own = {"XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    return {key: value for key, value in os.environ.items() if key != "ROSTRUM_DATA"} | own
