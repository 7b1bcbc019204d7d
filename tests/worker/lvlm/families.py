"""Chat models of every family that people bring, tiny and with random weights, saved as they come from a hub.

Each has the classes of its own family: configuration, model, image processor, processor and kind of tokenizer, and a
chat template shortened from the one it is published with. Nothing is downloaded.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3ImageProcessor,
    Gemma3Processor,
    Gemma3TextConfig,
    GenerationConfig,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessor,
    Idefics3Processor,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    LlavaOnevisionImageProcessor,
    LlavaOnevisionProcessor,
    LlavaOnevisionVideoProcessor,
    LlavaProcessor,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    ProcessorMixin,
    Qwen2Config,
    Qwen2Tokenizer,
    Qwen2VLImageProcessor,
    Qwen3_5Config,
    Qwen3_5ForConditionalGeneration,
    Qwen3_5Tokenizer,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
    SiglipVisionConfig,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
    SmolVLMImageProcessor,
    SmolVLMProcessor,
    SmolVLMVideoProcessor,
)

from tests.worker.lvlm.vocabularies import (
    ends,
    gemma_tokenizer,
    id_of,
    llama_tokenizer,
    qwen_tokenizer,
    tiles_tokenizer,
)

SIDE = 32  # pixels of a picture, or of a tile of one
PATCH = 8
WIDTH = 32
CONTEXT = 2048
SEED = 0  # with some, a model asks for a picture in its answer, which nobody can give it
LOUDNESS = 0.3  # of weights; published models start from 0.02, with which all that is said is alike
SQUARE = {"height": SIDE, "width": SIDE}
TEXT = {
    "hidden_size": WIDTH,
    "intermediate_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": CONTEXT,
    "tie_word_embeddings": False,
}
TOWER = {
    "hidden_size": WIDTH,
    "intermediate_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": PATCH,
}
QWEN_TOWER = {
    "depth": 2,
    "hidden_size": WIDTH,
    "intermediate_size": WIDTH,
    "num_heads": 2,
    "patch_size": PATCH,
    "out_hidden_size": WIDTH,
    "num_position_embeddings": 16,
}

Built = tuple[PreTrainedModel, ProcessorMixin]


def save_family(name: str, folder: Path) -> None:
    """Write a model of one family, with its processor, as ``save_pretrained`` leaves them."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(SEED)
        model, processor = FAMILIES[name]()
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(std=LOUDNESS)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def llava() -> Built:
    """LLaVA 1.5: CLIP's patches without its class token, before Llama."""
    tokenizer = llama_tokenizer()
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**TOWER),
        text_config=LlamaConfig(**TEXT, **ends(tokenizer)),
        image_token_index=id_of(tokenizer, "<image>"),
        image_seq_length=16,
    )
    processor = LlavaProcessor(
        CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=SQUARE),
        tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=(
            "{% for message in messages %}"
            "{% if message['role'] != 'system' %}{{ message['role'].upper() + ': ' }}{% endif %}"
            "{% for part in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
            "{% for part in message['content'] | selectattr('type', 'equalto', 'text') %}"
            "{{ part['text'] + ' ' }}{% endfor %}{% endfor %}"
            "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
        ),
    )
    return LlavaForConditionalGeneration(config), processor


def llava_onevision() -> Built:
    """LLaVA-OneVision: one picture in tiles with line ends, several whole, before Qwen2."""
    tokenizer = qwen_tokenizer(Qwen2Tokenizer, image_token="<image>", video_token="<video>")
    tiles = [[SIDE * rows, SIDE * columns] for rows in (1, 2) for columns in (1, 2)]
    config = LlavaOnevisionConfig(
        vision_config=SiglipVisionConfig(**TOWER, vision_use_head=False),
        text_config=Qwen2Config(**TEXT, **ends(tokenizer)),
        image_token_index=id_of(tokenizer, "<image>"),
        video_token_index=id_of(tokenizer, "<video>"),
        image_grid_pinpoints=tiles,
    )
    processor = LlavaOnevisionProcessor(
        LlavaOnevisionImageProcessor(size=SQUARE, image_grid_pinpoints=tiles),
        tokenizer,
        LlavaOnevisionVideoProcessor(size=SQUARE),
        num_image_tokens=16,
        vision_feature_select_strategy="full",
        chat_template=(
            "{% for message in messages %}{{ '<|im_start|>' + message['role'] + ' ' }}"
            "{% for part in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>' }}{% endfor %}"
            "{% for part in message['content'] | selectattr('type', 'equalto', 'text') %}"
            "{{ '\n' + part['text'] }}{% endfor %}{{ '<|im_end|>' }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
        ),
    )
    return LlavaOnevisionForConditionalGeneration(config), processor


def qwen3_vl() -> Built:
    """Qwen3-VL: as many tokens as a picture has pixels, places in three dimensions, deep features of the tower."""
    tokenizer = qwen_tokenizer(Qwen2Tokenizer)
    text = {**TEXT, "head_dim": 16, "rope_parameters": {"rope_type": "default", "mrope_section": [4, 2, 2]}}
    config = Qwen3VLConfig(
        vision_config={**QWEN_TOWER, "deepstack_visual_indexes": [0]},
        text_config={**text, **ends(tokenizer)},
        **_qwen_ids(tokenizer),
    )
    model = Qwen3VLForConditionalGeneration(config)
    # The published one samples, unless it is told not to.
    model.generation_config = GenerationConfig(do_sample=True, temperature=0.7, top_p=0.8, top_k=20, **ends(tokenizer))
    return model, _qwen_processor(tokenizer)


def qwen3_5() -> Built:
    """Qwen3.5: layers of linear attention before one of full attention; thinks aloud unless told not to."""
    tokenizer = qwen_tokenizer(Qwen3_5Tokenizer)
    config = Qwen3_5Config(
        vision_config=QWEN_TOWER,
        text_config={
            **TEXT,
            **ends(tokenizer),
            "head_dim": 32,
            "layer_types": ["linear_attention", "full_attention"],
            "linear_key_head_dim": 16,
            "linear_value_head_dim": 16,
            "linear_num_key_heads": 2,
            "linear_num_value_heads": 2,
            "rope_parameters": {"rope_type": "default", "mrope_section": [2, 1, 1], "partial_rotary_factor": 0.25},
        },
        **_qwen_ids(tokenizer),
    )
    processor = _qwen_processor(tokenizer)
    processor.chat_template += (
        "{% if add_generation_prompt %}{% if enable_thinking is defined and enable_thinking is false %}"
        "{{ '<think>\n\n</think>\n\n' }}{% else %}{{ '<think>\n' }}{% endif %}{% endif %}"
    )
    return Qwen3_5ForConditionalGeneration(config), processor


def idefics3() -> Built:
    """Idefics3: every picture in tiles and once whole, before Llama."""
    tokenizer = tiles_tokenizer()
    config = Idefics3Config(
        vision_config=TOWER,
        text_config=LlamaConfig(**TEXT, **ends(tokenizer)),
        image_token_id=id_of(tokenizer, "<image>"),
    )
    pictures = Idefics3ImageProcessor(size={"longest_edge": 2 * SIDE}, max_image_size={"longest_edge": SIDE})
    processor = Idefics3Processor(pictures, tokenizer, image_seq_len=4, chat_template=TILES_TEMPLATE)
    return Idefics3ForConditionalGeneration(config), processor


def smolvlm() -> Built:
    tokenizer = tiles_tokenizer()
    config = SmolVLMConfig(
        vision_config=TOWER,
        text_config=LlamaConfig(**TEXT, **ends(tokenizer)),
        image_token_id=id_of(tokenizer, "<image>"),
    )
    processor = SmolVLMProcessor(
        SmolVLMImageProcessor(size={"longest_edge": 2 * SIDE}, max_image_size={"longest_edge": SIDE}),
        tokenizer,
        SmolVLMVideoProcessor(size={"longest_edge": SIDE}, max_image_size={"longest_edge": SIDE}),
        image_seq_len=4,
        chat_template=TILES_TEMPLATE,
    )
    return SmolVLMForConditionalGeneration(config), processor


def gemma3() -> Built:
    """Gemma 3, which MedGemma is: pictures that see themselves whole, every other layer through a sliding window."""
    tokenizer = gemma_tokenizer()
    text = Gemma3TextConfig(
        **TEXT,
        **ends(tokenizer),
        head_dim=16,
        sliding_window=16,
        layer_types=["sliding_attention", "full_attention"],
    )
    config = Gemma3Config(
        text_config=text,
        vision_config=SiglipVisionConfig(**TOWER, vision_use_head=False),
        mm_tokens_per_image=4,
        boi_token_index=id_of(tokenizer, "<start_of_image>"),
        eoi_token_index=id_of(tokenizer, "<end_of_image>"),
        image_token_index=id_of(tokenizer, "<image_soft_token>"),
        # Tied, as in the published one, a model with random weights repeats its last word for ever.
        tie_word_embeddings=False,
    )
    processor = Gemma3Processor(
        Gemma3ImageProcessor(size=SQUARE),
        tokenizer,
        image_seq_length=4,
        chat_template=(
            "{{ bos_token }}"
            "{% if messages[0]['role'] == 'system' %}"
            "{% set first = messages[0]['content'][0]['text'] + '\n\n' %}{% set turns = messages[1:] %}"
            "{% else %}{% set first = '' %}{% set turns = messages %}{% endif %}"
            "{% for message in turns %}"
            "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
            "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
            "{{ '<start_of_turn>' + ('model' if message['role'] == 'assistant' else 'user') + '\n' }}"
            "{% if loop.first %}{{ first }}{% endif %}"
            "{% for part in message['content'] %}{% if part['type'] == 'image' %}{{ '<start_of_image>' }}"
            "{% else %}{{ part['text'] | trim }}{% endif %}{% endfor %}{{ '<end_of_turn>\n' }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
        ),
    )
    return Gemma3ForConditionalGeneration(config), processor


FAMILIES: dict[str, Callable[[], Built]] = {
    "LLaVA": llava,
    "LLaVA-OneVision": llava_onevision,
    "Qwen3-VL": qwen3_vl,
    "Qwen3.5": qwen3_5,
    "Idefics3": idefics3,
    "SmolVLM": smolvlm,
    "Gemma 3": gemma3,
}
TILES_TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{ message['role'] | capitalize }}"
    "{% if message['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}{{ ': ' }}{% endif %}"
    "{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}"
    "{% else %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
QWEN_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<|vision_start|><|image_pad|><|vision_end|>' }}"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def _qwen_ids(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    return {
        f"{name}_token_id": id_of(tokenizer, getattr(tokenizer, f"{name}_token"))
        for name in ("image", "video", "vision_start", "vision_end")
    }


def _qwen_processor(tokenizer: PreTrainedTokenizerBase) -> Qwen3VLProcessor:
    room = {"shortest_edge": SIDE * SIDE, "longest_edge": 2 * SIDE * SIDE}
    return Qwen3VLProcessor(
        Qwen2VLImageProcessor(patch_size=PATCH, size=room),
        tokenizer,
        Qwen3VLVideoProcessor(patch_size=PATCH, size=room),
        chat_template=QWEN_TEMPLATE,
    )
