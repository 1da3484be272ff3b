"""An agent written for ParlAI (`observe`, `act`, `batch_act`) as an agent of ours, unchanged.

ParlAI's agents remember: they are shown one utterance at a time and keep the talk themselves. Ours
are shown the whole context each time. So the adapter shows the talk anew for every question: it
resets the agent, lets it observe each earlier exchange together with the reply that was given
(as `eval_labels`, which is how ParlAI's agents learn what they are taken to have said), then the
last utterance, without any label. Nothing of ParlAI is imported.

The observations are ConvAI2's: the persona lines head the first text, candidates stand in
`label_candidates`, and perplexity is asked by `next_word_probability(partial_out)`, or by its
earlier form `next_word_probability(observation, partial_out)`; it answers with a dictionary.
"""

import copy
import inspect
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.agent import invalid
from harness.dialogue import SILENCE, Context
from harness.text import OWN_PERSONA, PARTNER_PERSONA, Vocabulary

Message = Mapping[str, Any]  # Any: ParlAI's messages hold what they like
Exchange = tuple[str, str | None]
"""What was said to the agent, and what it replied; None where that is still to come."""


class ParlaiAgent:
    """Answers our verbs by an agent that was written for ParlAI.

    >>> eval_hits(lambda: ParlaiAgent(MyAgent(opt)))                      # doctest: +SKIP

    `agent` is an instance. If it has `batch_act` and `share`, a batch is answered by copies of it
    that share its model, made as ParlAI makes them (`type(agent)(opt, shared)`, with `batchindex`
    in their opt), else one context after another. `keep` bounds how many contexts of the ppl
    track hold a copy that has already seen their talk.
    """

    def __init__(self, agent: Any, *, keep: int = 256) -> None:  # Any: an agent of ParlAI
        self._agent = agent
        self._copies: list[Any] = []  # Any: agents of ParlAI
        self._seen: OrderedDict[str, tuple[Context, Any, Message]] = OrderedDict()
        self._keep = keep

    def respond(self, contexts: Sequence[Context]) -> list[str]:
        """The `text` of each act; an act without one is an empty reply."""
        return [str(act.get("text") or "") for act in self._acts(contexts)]

    def score_candidates(
        self, contexts: Sequence[Context], candidates: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """Scores that put the candidates in the order of each act's `text_candidates`.

        What the act does not rank stands, all equal, below what it ranks.
        """
        acts = self._acts(contexts, candidates)
        return [_scores(act, texts) for act, texts in zip(acts, candidates, strict=True)]

    def next_word_probabilities(
        self,
        contexts: Sequence[Context],
        prefixes: Sequence[Sequence[str]],
        vocabulary: Vocabulary,
    ) -> NDArray[np.float32]:
        """Each dictionary as a row; words that it lacks have weight zero, as in ConvAI2."""
        rows = [
            self._row(context, prefix, vocabulary)
            for context, prefix in zip(contexts, prefixes, strict=True)
        ]
        return np.stack(rows) if rows else np.zeros((0, len(vocabulary)), np.float32)

    def _acts(
        self, contexts: Sequence[Context], candidates: Sequence[Sequence[str]] | None = None
    ) -> list[Message]:
        lists = candidates if candidates is not None else [None] * len(contexts)
        asked = zip(contexts, lists, strict=True)
        if not (callable(getattr(self._agent, "batch_act", None)) and self._shares()):
            return [self._act(self._agent, context, texts) for context, texts in asked]
        copies = self._some_copies(len(contexts))
        seen = [shown(agent, *item) for agent, item in zip(copies, asked, strict=True)]
        acts = list(self._agent.batch_act(seen))
        if len(acts) != len(contexts):
            raise invalid("wrong_count", f"{len(acts)} acts for {len(contexts)} observations")
        return [_message(act) for act in acts]

    @staticmethod
    def _act(agent: Any, context: Context, texts: Sequence[str] | None) -> Message:  # Any: ParlAI's
        shown(agent, context, texts)
        return _message(agent.act())

    def _shares(self) -> bool:
        return callable(getattr(self._agent, "share", None))

    def _some_copies(self, count: int) -> list[Any]:  # Any: agents of ParlAI
        while len(self._copies) < count:
            self._copies.append(self._copy(len(self._copies)))
        return self._copies[:count]

    def _copy(self, number: int) -> Any:  # Any: an agent of ParlAI
        """Another agent with the same model, as ParlAI's `create_agent_from_shared` makes it."""
        shared = self._agent.share()
        options = copy.deepcopy(shared.get("opt", getattr(self._agent, "opt", {})))
        options["batchindex"] = number
        return shared.get("class", type(self._agent))(options, shared)

    def _row(
        self, context: Context, prefix: Sequence[str], vocabulary: Vocabulary
    ) -> NDArray[np.float32]:
        agent, observation = self._watching(context)
        ask = agent.next_word_probability
        weights = ask(observation, list(prefix)) if _wants_both(ask) else ask(list(prefix))
        return _as_row(weights, vocabulary)

    def _watching(self, context: Context) -> tuple[Any, Message]:  # Any: an agent of ParlAI
        """An agent that has seen the context, and what it was shown last.

        Without `share` there is but one, which is shown the talk again unless it just saw it.
        """
        known = self._seen.get(context.id)
        if known is not None and known[0] == context:
            self._seen.move_to_end(context.id)
            return known[1:]
        agent = self._spare() if self._shares() else self._alone()
        observation = shown(agent, context, None)
        self._seen[context.id] = (context, agent, observation)
        return agent, observation

    def _spare(self) -> Any:  # Any: an agent of ParlAI
        if len(self._seen) < self._keep:
            return self._copy(len(self._seen))
        _, (_, agent, _) = self._seen.popitem(last=False)
        return agent

    def _alone(self) -> Any:  # Any: an agent of ParlAI
        self._seen.clear()
        return self._agent


def shown(
    agent: Any,  # Any: an agent of ParlAI
    context: Context,
    candidates: Sequence[str] | None,
) -> Message:
    """Reset the agent, show it the whole talk, and return what it made of the last message."""
    if callable(getattr(agent, "reset", None)):
        agent.reset()
    message: dict[str, Any] = {}  # Any: as in Message
    seen: Any = None  # Any: whatever observe returns
    for number, (text, reply) in enumerate(_exchanges(context)):
        head = "".join(f"{line}\n" for line in _persona(context)) if number == 0 else ""
        message = {"id": "rostrum", "text": head + text, "episode_done": False}
        if reply is not None:
            message["eval_labels"] = (reply,)
        elif candidates is not None:
            message["label_candidates"] = list(candidates)
        seen = agent.observe(message)
    return seen if isinstance(seen, Mapping) else message


def _persona(context: Context) -> Iterator[str]:
    for sentence in context.persona:
        yield OWN_PERSONA + sentence
    for sentence in context.partner_persona:
        yield PARTNER_PERSONA + sentence


def _exchanges(context: Context) -> list[Exchange]:
    """The talk as pairs; what one side says in several utterances is joined by line breaks."""
    found: list[Exchange] = []
    partner: list[str] = []
    for turn in context.turns:
        if turn.speaker == "partner":
            partner.append(turn.text)
        elif partner or not found:
            found.append(("\n".join(partner) or SILENCE, turn.text))
            partner = []
        else:
            text, reply = found[-1]
            found[-1] = (text, f"{reply}\n{turn.text}")
    return [*found, ("\n".join(partner) or SILENCE, None)]


def _scores(act: Message, candidates: Sequence[str]) -> list[float]:
    ranking = act.get("text_candidates") or ()
    if isinstance(ranking, str) or not isinstance(ranking, Sequence):
        ranking = ()
    places: dict[str, int] = {}
    for place, text in enumerate(ranking):
        places.setdefault(str(text), place)
    return [float(-places.get(text, len(places))) for text in candidates]


def _message(act: object) -> Message:
    if not isinstance(act, Mapping):
        raise invalid("not_text", f"act returned {type(act).__name__}, not a dictionary")
    return act


def _wants_both(ask: Callable[..., object]) -> bool:
    """Whether the method is of the earlier form, which is told the observation as well."""
    return len(inspect.signature(ask).parameters) > 1


def _as_row(weights: object, vocabulary: Vocabulary) -> NDArray[np.float32]:
    row = np.zeros(len(vocabulary), np.float32)
    if isinstance(weights, Mapping):
        for word, weight in weights.items():
            place = vocabulary.index.get(word)
            if place is not None:
                row[place] = weight
        return row
    get = getattr(weights, "get", None)
    if not callable(get):
        name = type(weights).__name__
        raise invalid("wrong_count", f"next_word_probability returned {name}, not a dictionary")
    row[:] = [get(word, 0.0) for word in vocabulary.words]
    return row
