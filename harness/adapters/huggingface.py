"""A causal language model of Hugging Face's transformers as an agent of all three tracks.

A context becomes a text (`template`), which the model goes on with. f1 generates; hits ranks a
candidate by the mean log-probability of its pieces; ppl sums pieces into official words
(`harness.adapters.word_mass`), with the keys and values of each context kept between prefixes.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from harness.adapters.past import Past, Reader
from harness.adapters.pieces import piece_bytes
from harness.adapters.word_mass import Search, word_masses
from harness.adapters.word_tree import WordTree
from harness.agent import MAX_REPLY_BYTES
from harness.dialogue import SILENCE, Context
from harness.errors import UsageError
from harness.text import SPECIALS, Vocabulary

Template = Callable[[Context], str]

RESERVED = 96
"""Pieces of the model's window that are left for the reply."""


def plain_template(context: Context) -> str:
    """Persona sentences, then the turns as lines of two speakers, then the agent's own mark.

    The reply follows after one space.
    """
    lines = [*context.persona]
    lines += [
        f"{'Me' if turn.speaker == 'self' else 'You'}: {turn.text}"
        for turn in context.turns
        if turn.text != SILENCE
    ]
    return "\n".join([*lines, "Me:"])


def chat_template(tokenizer: Any) -> Template:  # Any: a tokenizer of transformers
    """The tokenizer's own chat format: the persona as system message, the partner as user."""

    def template(context: Context) -> str:
        persona = " ".join(context.persona)
        messages = [{"role": "system", "content": persona}] if persona else []
        for turn in context.turns:
            role = "assistant" if turn.speaker == "self" else "user"
            messages.append({"role": role, "content": turn.text})
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return str(text)

    return template


class HuggingFaceCausalLM:
    """Answers the three verbs by one causal language model.

    `model` and `tokenizer` are transformers' (`from_pretrained` reads both from a folder; nothing
    is downloaded). `template` makes the text that the reply follows; what is longer than the
    model's window loses its beginning. `generation` goes to the model's own `generate`; without
    it replies are greedy, of at most 40 pieces, and end with the line. `rank_by` is the mean
    log-probability per piece, as the original baselines ranked, or their sum. `search` says how
    far words are followed piece by piece; `floor` is the share of each ppl row that goes to the
    words by how often they were counted, so that no word has probability zero. `pieces` are the
    bytes of each piece, for tokenizers that `piece_bytes` does not know.
    """

    def __init__(
        self,
        model: Any,  # Any: a causal LM of transformers
        tokenizer: Any,  # Any: its tokenizer
        *,
        template: Template = plain_template,
        generation: dict[str, Any] | None = None,  # Any: options of `generate`
        rank_by: Literal["mean", "sum"] = "mean",
        search: Search | None = None,
        floor: float = 1e-6,
        keep: int = 512,
        pieces: Sequence[bytes | None] | None = None,
    ) -> None:
        if rank_by not in ("mean", "sum"):
            raise UsageError(f"rank_by {rank_by!r} is unknown; known: mean, sum")
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._template = template
        self._generation = {"do_sample": False, "max_new_tokens": 40, **(generation or {})}
        self._rank_by = rank_by
        self._search = search or Search()
        self._floor = floor
        self._pieces = pieces
        self._reader = Reader(model, keep=keep)
        self._tree: WordTree | None = None
        self._window = int(getattr(model.config, "max_position_embeddings", 0) or 1 << 20)

    @classmethod
    def from_pretrained(cls, folder: Path | str, **options: Any) -> "HuggingFaceCausalLM":
        """The model and tokenizer in a folder, without a network; `options` as in the class.

        Any: options of the class, and `device` (a name of torch's; the processor by default).
        """
        from transformers import AutoModelForCausalLM, AutoTokenizer

        device = options.pop("device", "cpu")
        try:
            model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{folder} does not hold a causal language model and its tokenizer as "
                f"`save_pretrained` writes them: {str(error).splitlines()[0]}"
            ) from error
        return cls(model.to(device), tokenizer, **options)

    @torch.inference_mode()
    def respond(self, contexts: Sequence[Context]) -> list[str]:
        """What the model goes on with, up to the end of the line."""
        prompts = [self._prompt(context) for context in contexts]
        width = max(map(len, prompts), default=0)
        filler = self._filler()
        ids = torch.tensor([[filler] * (width - len(p)) + p for p in prompts])
        mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
        device = self._model.device
        made = self._model.generate(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            pad_token_id=filler,
            **self._generation,
        )
        texts = self._tokenizer.batch_decode(made[:, width:], skip_special_tokens=True)
        return [_first_line(text) for text in texts]

    def score_candidates(
        self, contexts: Sequence[Context], candidates: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """The log-probability of each candidate's pieces after its context, mean or sum."""
        pasts = self._reader.read(
            [context.id for context in contexts], [self._prompt(context) for context in contexts]
        )
        return [
            self._likelihoods(past, texts) for past, texts in zip(pasts, candidates, strict=True)
        ]

    def next_word_probabilities(
        self,
        contexts: Sequence[Context],
        prefixes: Sequence[Sequence[str]],
        vocabulary: Vocabulary,
    ) -> NDArray[np.float32]:
        """The model's mass of every official word; the specials get nothing."""
        tree = self._word_tree(vocabulary)
        texts = [
            self._prompt(context) + self._encoded("".join(f" {word}" for word in prefix))
            for context, prefix in zip(contexts, prefixes, strict=True)
        ]
        pasts = self._reader.read([context.id for context in contexts], texts)

        def go_on(rows: Sequence[int], paths: Sequence[tuple[int, ...]]) -> NDArray[np.float32]:
            after = self._reader.branch([pasts[row] for row in rows], paths)
            return np.stack([scores[-1].exp().cpu().numpy() for scores in after])

        first = np.stack([past.shares for past in pasts])
        masses = word_masses(tree, first, go_on, search=self._search)
        rows: NDArray[np.float32] = (masses + self._floor * self._usual).astype(np.float32)
        return rows

    def _likelihoods(self, past: Past, candidates: Sequence[str]) -> list[float]:
        paths = [self._encoded(f" {text}")[:RESERVED] or [self._filler()] for text in candidates]
        first = np.log(np.maximum(past.shares, np.finfo(np.float32).tiny))
        after = self._reader.branch([past] * len(paths), paths)
        sums = []
        for path, scores in zip(paths, after, strict=True):
            told = scores[torch.arange(len(path) - 1), torch.tensor(path[1:], dtype=torch.long)]
            sums.append(float(first[path[0]]) + float(told.sum()))
        if self._rank_by == "sum":
            return sums
        return [total / len(path) for total, path in zip(sums, paths, strict=True)]

    def _prompt(self, context: Context) -> list[int]:
        """The template's pieces, with the beginning cut off where the window is too small."""
        ids: list[int] = self._tokenizer.encode(self._template(context)) or [self._filler()]
        room = self._window - RESERVED
        return ids[-room:] if room > 0 else ids[-1:]

    def _encoded(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids

    def _filler(self) -> int:
        """A piece for padding, which is masked."""
        tokenizer = self._tokenizer
        for number in (tokenizer.pad_token_id, tokenizer.eos_token_id):
            if number is not None:
                return int(number)
        return 0

    def _word_tree(self, vocabulary: Vocabulary) -> WordTree:
        if self._tree is None or self._tree.vocabulary is not vocabulary:
            pieces = self._pieces if self._pieces is not None else piece_bytes(self._tokenizer)
            size = int(self._model.get_output_embeddings().weight.shape[0])
            ends = [number for number in self._ends() if number < size]
            self._tree = WordTree(vocabulary, pieces[:size], ends=ends)
            usual = np.array(vocabulary.counts, dtype=np.float64) + 1.0
            usual[: len(SPECIALS)] = 0.0
            self._usual = usual / usual.sum()
        return self._tree

    def _ends(self) -> list[int]:
        """The pieces that end a text."""
        configured = getattr(self._model.generation_config, "eos_token_id", None)
        known = configured if isinstance(configured, list) else [configured]
        own = self._tokenizer.eos_token_id
        return sorted({int(number) for number in (*known, own) if number is not None})


def _first_line(text: str) -> str:
    """The reply: the first line that says something, bounded in bytes."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line.encode("utf-8")[:MAX_REPLY_BYTES].decode("utf-8", errors="ignore")
