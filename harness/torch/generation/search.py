"""Replies for a batch of contexts, by whatever kind of inference the options name."""

from harness.torch.generation.beam import Beam, beam_search
from harness.torch.generation.decoder import Decoder, S
from harness.torch.generation.options import SearchOptions, Task
from harness.torch.generation.stepwise import stepwise


def search(
    decoder: Decoder[S], state: S, *, task: Task, options: SearchOptions, trace: bool = False
) -> list[Beam]:
    """One beam for each row of the state; greedy search and sampling give one hypothesis each.

    What is found for a context does not hang on the others of the batch, but for the rounding of
    the model's own arithmetic. `trace` keeps what a drawing needs (beam search only).
    """
    if options.inference == "beam":
        return beam_search(decoder, state, task=task, options=options, trace=trace)
    found = stepwise(decoder, state, task=task, options=options)
    return [Beam((hypothesis,)) for hypothesis in found]
