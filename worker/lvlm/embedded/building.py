"""The untrained model and its processor: a real LLaVA (SigLIP tower, projector, Llama), only small.

The words it knows are frequent English words and the words of its domain, each with the sentence embedding that MiniLM
gives it, reduced to the width of the model and frozen. So it can follow a noun that no training specification had. It
says only the few words that answers are made of: those alone are learned at the output, all others score 0 for good.

Finding a cluster in a picture by its name is what small models fail to learn from answers alone: they take to guessing
from the text. So the model starts as one that looks up (a start that mimics what training would find, Trockman & Kolter
2023): pictures are to speak the words' language turned once, and one head of the first layer asks in it.
"""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from torch import Tensor
from transformers import (
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    SiglipImageProcessor,
    SiglipVisionConfig,
)

from worker.lvlm.embedded import tints, wording
from worker.lvlm.embedded.language import clinical_words
from worker.method.marks import PALETTE

PICTURE = 84  # pixels a side: 3 for each pixel of a digit
PATCH = 12  # so that a grey square in a corner fills one patch
PICTURE_TOKENS = (PICTURE // PATCH) ** 2
WIDTH = 192
FREQUENT_PIECES = 16000  # MiniLM's vocabulary is sorted by frequency from FIRST_WORD on
FIRST_WORD = 1996
FREQUENT_WORDS = 25000  # of English as a whole: MiniLM's are an encyclopaedia's, and cut "atypical" and "hinge"
SPECIAL = ("[PAD]", "[UNK]", "<image>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
# The opening of a line is one token, so that looking for a cluster is looking for one thing.
HEADERS = tuple(f"{number} {colour.name}:" for number, colour in enumerate(PALETTE, start=1))
THING_WORDS = tuple(dict.fromkeys(" ".join(" ".join(said.values()) for said in wording.WORDS.values()).split()))
PLACE_WORDS = ("upper", "lower", "left", "right", "middle", "corner", "part")
TINT_WORDS = tuple(dict.fromkeys(" ".join(tints.TINTS).split()))
SPOKEN_WORDS = tuple(dict.fromkeys((*THING_WORDS, *PLACE_WORDS, *TINT_WORDS)))  # by pictures; at most one head's size
PAD, IMAGE, ASSISTANT, END = 0, 2, 5, 6
UNKNOWN = SPECIAL[1]
HEADS = 3
NAME_LENGTH = 14.0  # of a header's embedding; other words have about half of it
SHARPNESS = 0.8  # of the head that looks up: at this it reads all patches of a cluster, not only one
MATCHING, MATCHED = (1, 2), 2.0  # layers whose first head compares words, and how sharply
SPOKEN = 0.3  # length of the output's vectors at the start
NEW_LINE = "\n"
TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}"
    "{% if message['role'] == 'assistant' %}<|end|>{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def build_processor(words: Sequence[str]) -> LlavaProcessor:
    """Tokenizer, chat template and picture processor for a vocabulary that starts with SPECIAL."""
    tokenizer = Tokenizer(models.WordPiece({word: index for index, word in enumerate(words)}, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens([AddedToken(word, normalized=False, special=True) for word in SPECIAL])
    tokenizer.add_tokens([AddedToken(word, normalized=False) for word in (NEW_LINE, *HEADERS)])
    marks = [decoders.Replace(f" {mark}", mark) for mark in (";", ":")]
    tokenizer.decoder = decoders.Sequence(
        [decoders.WordPiece(), decoders.Fuse(), *marks, decoders.Replace(" \n ", "\n"), decoders.Replace(" \n", "\n")]
    )
    fast = cast("Any", PreTrainedTokenizerFast)(
        tokenizer_object=tokenizer,
        padding_side="left",
        pad_token=SPECIAL[PAD],
        unk_token=UNKNOWN,
        eos_token=SPECIAL[END],
        extra_special_tokens={"image_token": "<image>"},
        model_max_length=2048,
        clean_up_tokenization_spaces=False,
    )
    pictures = SiglipImageProcessor(size={"height": PICTURE, "width": PICTURE})
    processor: LlavaProcessor = cast("Any", LlavaProcessor)(
        pictures,
        fast,
        patch_size=PATCH,
        vision_feature_select_strategy="full",
        num_additional_image_tokens=0,
        chat_template=TEMPLATE,
    )
    return processor


def build_model(words: Sequence[str], embeddings: Tensor, seed: int) -> LlavaForConditionalGeneration:
    """The untrained model. embeddings: (words, WIDTH), see ``word_embeddings``."""
    tower = SiglipVisionConfig(
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=PICTURE,
        patch_size=PATCH,
        vision_use_head=False,
    )
    text = LlamaConfig(
        vocab_size=len(words),
        hidden_size=WIDTH,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=HEADS,
        max_position_embeddings=2048,
        pad_token_id=PAD,
        bos_token_id=None,
        eos_token_id=END,
        tie_word_embeddings=False,
    )
    config = LlavaConfig(
        vision_config=tower,
        text_config=text,
        image_token_index=IMAGE,
        image_seq_length=PICTURE_TOKENS,
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        tie_word_embeddings=False,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlavaForConditionalGeneration(config)
    _start(model, words, embeddings)
    return model


@cache
def turn() -> Tensor:
    """(WIDTH, WIDTH), orthogonal: pictures say words turned by it, so that no word is taken for a patch."""
    turned: Tensor = torch.linalg.qr(torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(0)))[0]
    return turned


@torch.no_grad()
def _start(model: LlavaForConditionalGeneration, words: Sequence[str], embeddings: Tensor) -> None:
    """Known words in, the words of answers out; one head finds patches by header and says what they say, others find
    words of a kind.

    The first head of the first layer is the one for patches. Those of the MATCHING layers look from a word to what is
    like it: a specification is heeded by finding its word for what is seen, and gradients find that only where some
    head already half does.
    """
    language, size = model.model.language_model, WIDTH // HEADS
    language.embed_tokens.weight.copy_(embeddings)
    index = {word: number for number, word in enumerate(words)}
    said = [index[word] for word in answer_words() if word in index]
    model.lm_head.weight.zero_()
    model.lm_head.weight[said] = SPOKEN * torch.nn.functional.normalize(embeddings[said], dim=1)
    names = _basis(embeddings[[index[header] for header in HEADERS]])
    told = _basis(embeddings[[index[word] for word in SPOKEN_WORDS if word in index]])
    look = language.layers[0].self_attn
    asked = torch.zeros(size, WIDTH)
    # The positions that RoPE turns least: a cluster is found from any distance. Each stands for a pair.
    for half in (size // 2, size):
        asked[half - len(names) : half] = SHARPNESS * names
    look.q_proj.weight[:size] = asked
    look.k_proj.weight[:size] = asked @ turn()
    look.v_proj.weight[:size].zero_()
    look.v_proj.weight[: len(told)] = told @ turn()
    look.o_proj.weight[:, :size].zero_()
    look.o_proj.weight[:, : len(told)] = told.T
    for number in MATCHING:
        alike = language.layers[number].self_attn
        directions = torch.linalg.qr(torch.randn(WIDTH, size // 2, generator=torch.Generator().manual_seed(number)))[
            0
        ].T
        compared = torch.zeros(size, WIDTH)
        for half, part in zip((size // 2, size), directions.chunk(2), strict=True):
            compared[half - len(part) : half] = MATCHED * part
        alike.q_proj.weight[:size] = compared
        alike.k_proj.weight[:size] = compared


def _basis(vectors: Tensor) -> Tensor:
    """(n, WIDTH) -> (n, WIDTH): an orthonormal basis of what the vectors span."""
    basis: Tensor = torch.linalg.qr(vectors.T)[0].T
    return basis


def vocabulary(minilm: Path) -> list[str]:
    """SPECIAL, then single letters, the frequent words and word pieces of MiniLM and of English, every word of the
    domain.

    Raises ImportError where the package wordfreq is missing.
    """
    import wordfreq

    theirs = (minilm / "vocab.txt").read_text(encoding="utf-8").split("\n")
    frequent = [word for word in theirs[FIRST_WORD : FIRST_WORD + FREQUENT_PIECES] if word.isascii()]
    english = [word for word in wordfreq.top_n_list("en", FREQUENT_WORDS) if re.fullmatch("[a-z]+", word)]
    letters = [word for word in theirs if len(word.removeprefix("##")) == 1 and word.isascii()]
    known = dict.fromkeys([*SPECIAL, NEW_LINE, *HEADERS, *letters, *frequent, *english, *domain_words()])
    return [word for word in known if word]


def answer_words() -> list[str]:
    """The words, signs and headers that answers are made of."""
    said = re.findall(r"[a-z]+|[;,]", " ".join(wording.every_answer()))
    return [*dict.fromkeys(said), NEW_LINE, *HEADERS, SPECIAL[END]]


def spoken(model: LlavaForConditionalGeneration) -> Tensor:
    """Ids of the words that the model can say, in their order."""
    said: Tensor = model.lm_head.weight.any(dim=1).nonzero().flatten()
    return said


def domain_words() -> list[str]:
    """Every word that training can show, so that none is cut into pieces."""
    found = re.findall(r"[a-z]+|\d", " ".join([*clinical_words(), *wording.every_word(), _written_words()]).lower())
    return sorted(set(found))


def word_embeddings(words: Sequence[str], minilm: Path) -> Tensor:
    """(words, WIDTH): MiniLM's sentence embedding of each word, its principal components, with standard deviation 1/2.

    To MiniLM all HEADERS are much alike, and all places too. Here they and the SPECIAL words name different things, so
    each gets a random vector besides, and the headers nothing else.
    """
    from sentence_transformers import SentenceTransformer

    encoder = SentenceTransformer(str(minilm), device="cpu")
    vectors = encoder.encode(
        [word.strip("#<|>[]") or word for word in words],
        batch_size=256,
        convert_to_tensor=True,
        show_progress_bar=False,
    )
    centred = vectors.float().cpu() - vectors.float().cpu().mean(dim=0)
    _, _, directions = torch.linalg.svd(centred, full_matrices=False)
    reduced = centred @ directions[:WIDTH].T
    names = {*SPECIAL, NEW_LINE, *HEADERS, *PLACE_WORDS, *TINT_WORDS}
    apart = torch.tensor([word in names for word in words])
    random = torch.randn(reduced.shape, generator=torch.Generator().manual_seed(0)) * reduced.std()
    reduced += random * apart[:, None]
    scaled: Tensor = reduced / reduced.std() / 2
    headers = [index for index, word in enumerate(words) if word in HEADERS]
    scaled[headers] = NAME_LENGTH * torch.nn.functional.normalize(random[headers], dim=1)
    return scaled


def _written_words() -> str:
    """What stands between quotes in the modules whose words reach the model."""
    from worker.method import critic, judge, marks, summary

    sources = [
        Path(str(module.__file__)).read_text(encoding="utf-8") for module in (critic, judge, marks, summary, wording)
    ]
    return " ".join(re.findall(r'"([^"\n]*)"', " ".join(sources)))
