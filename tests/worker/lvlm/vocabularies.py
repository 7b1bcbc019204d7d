"""Tokenizers of the kinds that the families have, made on the spot: a few whole words, and characters for the rest."""

from collections.abc import Sequence
from string import ascii_letters, digits, punctuation

from tokenizers.pre_tokenizers import ByteLevel
from transformers import GemmaTokenizer, GPT2Tokenizer, LlamaTokenizer, PreTrainedTokenizerBase

# Of the judge's words one is cut in two, as large vocabularies cut it, and one is whole.
PIECES = ("sp", "urious", "relevant", "what", "is", "here", "picture", "cluster", "blue", "orange", "the", "digit")
CHARACTERS = (*ascii_letters, *digits, *punctuation, "\n")


def llama_tokenizer() -> PreTrainedTokenizerBase:
    return LlamaTokenizer(
        **_vocabulary("▁", ["<unk>", "<s>", "</s>", *CHARACTERS]),
        pad_token="<pad>",
        extra_special_tokens={"image_token": "<image>"},
    )


def qwen_tokenizer(kind: type[PreTrainedTokenizerBase], **tokens: str) -> PreTrainedTokenizerBase:
    vision = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
    return kind(
        **_vocabulary("Ġ", sorted(ByteLevel.alphabet())),
        eos_token="<|im_end|>",
        extra_special_tokens=tokens
        or dict(zip(("vision_start_token", "vision_end_token", "image_token", "video_token"), vision, strict=True)),
        additional_special_tokens=["<|im_start|>"],
    )


def gemma_tokenizer() -> PreTrainedTokenizerBase:
    return GemmaTokenizer(
        **_vocabulary("▁", ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *CHARACTERS]),
        extra_special_tokens={
            "boi_token": "<start_of_image>",
            "eoi_token": "<end_of_image>",
            "image_token": "<image_soft_token>",
            "turn_token": "<start_of_turn>",
            "end_token": "<end_of_turn>",
        },
    )


def tiles_tokenizer() -> PreTrainedTokenizerBase:
    places = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    return GPT2Tokenizer(
        **_vocabulary("Ġ", sorted(ByteLevel.alphabet())),
        bos_token="<|im_start|>",
        eos_token="<end_of_utterance>",
        pad_token="<|im_end|>",
        additional_special_tokens=["<fake_token_around_image>", "<image>", "<global-img>", *places],
    )


def _vocabulary(space: str, first: Sequence[str]) -> dict[str, object]:
    """What a byte pair encoding knows: characters, and the pieces with and without a space before them."""
    characters = [space, *sorted({letter for piece in PIECES for letter in piece})]
    merges = [(piece[:end], piece[end]) for piece in PIECES for end in range(1, len(piece))]
    merges += [(space, piece) for piece in PIECES]
    known = dict.fromkeys([*first, *characters, *(left + right for left, right in merges)])
    return {"vocab": {token: index for index, token in enumerate(known)}, "merges": list(dict.fromkeys(merges))}


def id_of(tokenizer: PreTrainedTokenizerBase, token: str) -> int:
    found = tokenizer.convert_tokens_to_ids(token)
    assert isinstance(found, int)
    return found


def ends(tokenizer: PreTrainedTokenizerBase) -> dict[str, object]:
    return {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": tokenizer.bos_token_id,
    }
