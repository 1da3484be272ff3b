"""The evaluation harness: what a participant imports to describe, run and score a dialogue agent.

Names are loaded on first use, so `import harness` costs nothing and loads neither numpy nor torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.agent import Agent as Agent
    from harness.comparison import compare as compare
    from harness.dialogue import Context as Context
    from harness.dialogue import Dialogue as Dialogue
    from harness.dialogue import Example as Example
    from harness.dialogue import Turn as Turn
    from harness.evaluation import evaluate as evaluate
    from harness.report import Report as Report
    from harness.report import Score as Score
    from harness.rows import SparseRows as SparseRows
    from harness.scripts import eval_f1 as eval_f1
    from harness.scripts import eval_hits as eval_hits
    from harness.scripts import eval_ppl as eval_ppl
    from harness.scripts import interactive as interactive
    from harness.text import Vocabulary as Vocabulary

__version__ = "0.1.0"

_HOMES = {
    "Agent": "harness.agent",
    "Context": "harness.dialogue",
    "Dialogue": "harness.dialogue",
    "Example": "harness.dialogue",
    "Turn": "harness.dialogue",
    "Report": "harness.report",
    "Score": "harness.report",
    "SparseRows": "harness.rows",
    "Vocabulary": "harness.text",
    "compare": "harness.comparison",
    "evaluate": "harness.evaluation",
    "eval_f1": "harness.scripts",
    "eval_hits": "harness.scripts",
    "eval_ppl": "harness.scripts",
    "interactive": "harness.scripts",
}
__all__ = [
    "Agent",
    "Context",
    "Dialogue",
    "Example",
    "Report",
    "Score",
    "SparseRows",
    "Turn",
    "Vocabulary",
    "__version__",
    "compare",
    "eval_f1",
    "eval_hits",
    "eval_ppl",
    "evaluate",
    "interactive",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'harness' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
