"""A causal language model of transformers in all three tracks, on tiny models made here."""

import math
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
)

from harness.adapters import HuggingFaceCausalLM
from harness.adapters.huggingface import chat_template, plain_template
from harness.adapters.past import Reader
from harness.adapters.pieces import piece_bytes
from harness.adapters.word_mass import Search, word_masses
from harness.adapters.word_tree import WordTree
from harness.agent import check_probabilities
from harness.dialogue import SILENCE, Context, Dialogue, Example, Turn
from harness.errors import UsageError
from harness.evaluation import evaluate
from harness.text import Vocabulary, split_words

LINES = ("i like dogs . do you like cats ?", "i don't know , carpets are nice", "tea is nice !")
VOCABULARY = Vocabulary.from_counts(
    {word: 3 for line in LINES for word in split_words(line)} | {"rare": 1}
)
CONTEXTS = [
    Context("a", ("i like tea .",), (), (Turn("partner", "do you like dogs ?"),)),
    Context("b", (), (), (Turn("partner", SILENCE),)),
    Context(
        "c",
        ("i like cats .", "i know carpets ."),
        (),
        (Turn("partner", "hi"), Turn("self", "nice"), Turn("partner", "and you ?")),
    ),
]


@cache
def byte_level() -> PreTrainedTokenizerFast:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=290,
        special_tokens=["<eos>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(LINES, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<eos>")


@cache
def space_marked() -> PreTrainedTokenizerFast:
    """In the manner of SentencePiece, with bytes for what it has no piece for."""
    made = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    made.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    trainer = trainers.BpeTrainer(
        vocab_size=340,
        special_tokens=["<unk>", "<eos>", *(f"<0x{byte:02X}>" for byte in range(256))],
        show_progress=False,
    )
    made.train_from_iterator(LINES, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<eos>", unk_token="<unk>")


def gpt2(seed: int = 0, *, window: int = 256) -> GPT2LMHeadModel:
    torch.manual_seed(seed)
    size = len(byte_level())
    model = GPT2LMHeadModel(
        GPT2Config(vocab_size=size, n_positions=window, n_embd=32, n_layer=2, n_head=2)
    )
    model.generation_config.eos_token_id = 0
    return sharpened(model)


def llama(kind: Any = LlamaForCausalLM, config: Any = LlamaConfig, **more: Any) -> Any:
    torch.manual_seed(1)
    made = config(
        vocab_size=len(byte_level()),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        eos_token_id=0,
        bos_token_id=0,
        **more,
    )
    return sharpened(kind(made))


def sharpened(model: Any) -> Any:
    """Weights large enough that the distributions are not all alike."""
    for weight in model.parameters():
        weight.data *= 3
    return model


def windowed() -> Any:
    """A model that keeps only a window of its past: the adapter reads it anew each time."""
    return llama(MistralForCausalLM, MistralConfig, sliding_window=8)


MODELS = {"gpt2": gpt2, "llama": llama, "windowed": windowed}


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest) -> Any:
    return MODELS[request.param]()


def agent(model: Any, **options: Any) -> HuggingFaceCausalLM:
    return HuggingFaceCausalLM(model, byte_level(), **options)


def plainly(model: Any, pieces: Sequence[int]) -> torch.Tensor:
    """Log-probabilities of the next piece by one plain call of the model."""
    with torch.no_grad():
        logits = model.eval()(input_ids=torch.tensor([list(pieces)])).logits[0, -1]
    return torch.log_softmax(logits.float(), dim=-1)


def encoded(text: str) -> list[int]:
    found: list[int] = byte_level().encode(text, add_special_tokens=False)
    return found


def test_candidates_are_ranked_by_the_models_own_probabilities(model: Any) -> None:
    candidates = [["i like dogs .", "nice", ""], ["tea"], ["do you know ?", "carpets are nice"]]

    rows = agent(model, rank_by="sum").score_candidates(CONTEXTS, candidates)

    for context, texts, row in zip(CONTEXTS, candidates, rows, strict=True):
        for text, score in zip(texts, row, strict=True):
            pieces = encoded(plain_template(context))
            total = 0.0
            for piece in encoded(f" {text}"):
                total += float(plainly(model, pieces)[piece])
                pieces.append(piece)
            assert score == pytest.approx(total, abs=1e-3)


def test_the_mean_divides_by_the_number_of_pieces() -> None:
    model = gpt2()
    (sums,) = agent(model, rank_by="sum").score_candidates(CONTEXTS[:1], [["i like dogs ."]])
    (means,) = agent(model).score_candidates(CONTEXTS[:1], [["i like dogs ."]])

    assert means[0] == pytest.approx(sums[0] / len(encoded(" i like dogs .")))


SPELLING: tuple[bytes | None, ...] = (
    b" a", b" b", b"a", b"b", b"ab", b" AB", b"b.", b".", b"ba c", None, b" c?"
)  # fmt: skip
LETTERS = Vocabulary.from_counts({"a": 4, "b": 3, "ab": 3, "aba": 2, "bab": 1, ".": 9, "bb": 1})


def every_path(model: Any, text: Sequence[int]) -> dict[str, float]:
    """The first official word of every sequence of pieces that closes one within four pieces."""
    masses = dict.fromkeys(LETTERS.words, 0.0)

    def follow(path: tuple[int, ...], said: str, mass: float) -> None:
        for piece, chance in enumerate(plainly(model, [*text, *path]).exp().tolist()):
            data = SPELLING[piece]
            longer = said + (data.decode() if data else "")
            if data is None or re.match(r"\s*([.?]|[^\s.?]+[\s.?])", longer):
                if (words := split_words(longer)) and words[0] in masses:
                    masses[words[0]] += mass * chance
            elif any(word.startswith(longer.strip().lower()) for word in LETTERS.words):
                follow((*path, piece), longer, mass * chance)

    follow((), "", 1.0)
    return masses


def test_words_have_the_mass_of_every_path_of_pieces() -> None:
    torch.manual_seed(7)
    shape = GPT2Config(
        vocab_size=len(SPELLING),
        n_positions=32,
        n_embd=16,
        n_layer=2,
        n_head=2,
        bos_token_id=9,
        eos_token_id=9,
    )
    model = sharpened(GPT2LMHeadModel(shape)).eval()
    texts = [[0, 7], [1, 2, 5, 8]]
    reader = Reader(model, keep=4)
    tree = WordTree(LETTERS, SPELLING, ends=[9])
    pasts = reader.read(["x", "y"], texts)

    def go_on(rows: Sequence[int], paths: Sequence[tuple[int, ...]]) -> Any:
        after = reader.branch([pasts[row] for row in rows], paths)
        return np.stack([scores[-1].exp().numpy() for scores in after])

    first = np.stack([past.shares for past in pasts])
    found = word_masses(tree, first, go_on, search=Search(least=0.0, widest=10_000))

    for row, text in zip(found, texts, strict=True):
        wanted = every_path(model, text)
        assert row == pytest.approx([wanted[word] for word in LETTERS.words], abs=1e-6)
        assert row.sum() > 0.3


def test_what_is_kept_between_prefixes_changes_nothing(model: Any) -> None:
    search = Search(least=1e-3)
    keeps = agent(model, search=search)
    reply = ("i", "don't", "know", ",", "cats", "!")

    for length in range(len(reply) + 1):
        prefixes = [reply[:length], reply[:length][::-1], ("nice",) * length]
        rows = keeps.next_word_probabilities(CONTEXTS, prefixes, VOCABULARY).copy()
        fresh = [
            agent(model, search=search).next_word_probabilities([context], [prefix], VOCABULARY)[0]
            for context, prefix in zip(CONTEXTS, prefixes, strict=True)
        ]
        assert rows == pytest.approx(np.stack(fresh), abs=1e-5)
        check_probabilities(rows, count=3, vocabulary_size=len(VOCABULARY))


def test_it_reads_on_from_what_it_knows_and_forgets_what_is_oldest() -> None:
    read: list[int] = []
    model = gpt2()
    model.register_forward_pre_hook(
        lambda module, args, kwargs: read.append(len(kwargs["input_ids"][0])), with_kwargs=True
    )
    reader = Reader(model.eval(), keep=1)
    text = encoded("i like dogs . do you like cats ?")

    reader.read(["a"], [text])
    reader.read(["a"], [[*text, *encoded(" i")]])
    assert read[-1] == len(encoded(" i"))
    (again,) = reader.read(["a"], [text])
    assert read[-1] == 1
    reader.read(["b"], [text])
    reader.read(["a"], [text])
    assert read[-1] == len(text)
    assert again.shares == pytest.approx(plainly(model, text).exp().numpy(), abs=1e-6)


def test_the_same_context_may_stand_twice_in_a_batch() -> None:
    model, twice = gpt2(), [CONTEXTS[0], CONTEXTS[0]]

    rows = agent(model).next_word_probabilities(twice, [("i",), ("tea", "is")], VOCABULARY)

    alone = agent(model).next_word_probabilities(twice[:1], [("i",)], VOCABULARY)
    assert rows[0] == pytest.approx(alone[0], abs=1e-6)


def test_no_word_has_probability_zero_and_specials_have_none() -> None:
    row = agent(gpt2()).next_word_probabilities(CONTEXTS[:1], [()], VOCABULARY)[0]

    assert (row[4:] > 0).all()
    assert (row[:4] == 0).all()


def test_replies_are_one_line_and_hang_on_the_context_alone() -> None:
    model = gpt2(5)
    several = agent(model).respond(CONTEXTS)

    assert several == [agent(model).respond([context])[0] for context in CONTEXTS]
    assert all("\n" not in reply for reply in several)
    short = agent(model, generation={"max_new_tokens": 1}).respond(CONTEXTS)
    assert all(len(reply) <= max(map(len, byte_level().get_vocab())) for reply in short)


@pytest.mark.parametrize("make", [byte_level, space_marked])
def test_pieces_spell_what_they_encode(make: Any) -> None:
    tokenizer = make()
    spelled = piece_bytes(tokenizer)

    for text in ("i like d\u00f6gs .", "tea \u2019 is nice", "don't"):
        ids = tokenizer.encode(text, add_special_tokens=False)
        assert b"".join(spelled[number] or b"?" for number in ids) == text.encode()
    assert spelled[tokenizer.eos_token_id] is None


def test_a_tokenizer_that_does_not_spell_is_refused_with_what_to_do() -> None:
    made = Tokenizer(models.WordLevel({"hi": 0, "<unk>": 1}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, eos_token="hi")
    with pytest.raises(UsageError, match="give their bytes with `pieces`"):
        piece_bytes(tokenizer)


def test_a_space_marked_tokenizer_enters_ppl_too() -> None:
    torch.manual_seed(2)
    size = len(space_marked())
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=size,
            n_positions=128,
            n_embd=16,
            n_layer=1,
            n_head=2,
            bos_token_id=1,
            eos_token_id=1,
        )
    )
    made = HuggingFaceCausalLM(model, space_marked())

    rows = made.next_word_probabilities(CONTEXTS, [("i",)] * 3, VOCABULARY)

    assert check_probabilities(rows, count=3, vocabulary_size=len(VOCABULARY)).max() <= 1.001


def test_a_context_longer_than_the_window_loses_its_beginning() -> None:
    turns = tuple(Turn("partner", "do you like cats ? " * 20) for _ in range(4))
    long = Context("long", turns=turns)
    made = agent(gpt2(window=128))

    assert len(made.respond([long])) == 1
    assert made.next_word_probabilities([long], [("i",)], VOCABULARY).shape == (
        1,
        len(VOCABULARY),
    )


def test_templates_write_contexts_as_texts() -> None:
    assert plain_template(CONTEXTS[2]) == (
        "i like cats .\ni know carpets .\nYou: hi\nMe: nice\nYou: and you ?\nMe:"
    )
    assert plain_template(CONTEXTS[1]) == "Me:"
    tokenizer = byte_level()
    tokenizer.chat_template = (
        "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[assistant]"
    )
    assert chat_template(tokenizer)(CONTEXTS[0]) == (
        "[system] i like tea .\n[user] do you like dogs ?\n[assistant]"
    )


def test_a_saved_folder_is_read_back_and_another_is_refused(tmp_path: Path) -> None:
    model = gpt2()
    model.save_pretrained(tmp_path / "lm")
    byte_level().save_pretrained(tmp_path / "lm")

    made = HuggingFaceCausalLM.from_pretrained(tmp_path / "lm")

    assert made.respond(CONTEXTS[:1]) == agent(model).respond(CONTEXTS[:1])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="does not hold a causal language model"):
        HuggingFaceCausalLM.from_pretrained(tmp_path / "empty")


def test_a_wrong_option_is_refused() -> None:
    with pytest.raises(UsageError, match="known: mean, sum"):
        agent(gpt2(), rank_by="best")


def test_it_enters_all_three_tracks_and_learns() -> None:
    """Trained for a moment on one line, it prefers it, says it, and is little surprised by it."""
    model = gpt2(1)
    context = CONTEXTS[0]
    text = plain_template(context) + " tea is nice !\n"
    ids = torch.tensor([encoded(text)])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    model.train()
    for _ in range(60):
        optimizer.zero_grad()
        model(ids, labels=ids).loss.backward()
        optimizer.step()
    example = Example(("do you like dogs ?",), ("tea is nice !",), ("i know", "tea is nice !"))
    dialogues = [Dialogue("1", context.persona, (), (example,))]
    made = agent(model)

    assert evaluate(made, dialogues, "hits").score.value == 1.0
    assert evaluate(made, dialogues, "f1").score.value == 1.0
    ppl = evaluate(made, dialogues, "ppl", vocabulary=VOCABULARY).score.value
    assert ppl < 1.5 < math.inf
