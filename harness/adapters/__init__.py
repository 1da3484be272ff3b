"""Agents of other libraries as agents of ours: ParlAI's, and Hugging Face's causal language models.

Each is loaded on first use, so that importing this package loads neither torch nor transformers.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.adapters.huggingface import HuggingFaceCausalLM as HuggingFaceCausalLM
    from harness.adapters.parlai import ParlaiAgent as ParlaiAgent

_HOMES = {
    "HuggingFaceCausalLM": "harness.adapters.huggingface",
    "ParlaiAgent": "harness.adapters.parlai",
}
__all__ = ["HuggingFaceCausalLM", "ParlaiAgent"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'harness.adapters' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
