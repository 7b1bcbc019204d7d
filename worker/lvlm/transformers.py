"""LVLMs on this machine, through Transformers: any model with a chat template that takes several pictures in a turn."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import Any, cast

import torch
import transformers
from torch import Tensor
from transformers import AutoModelForImageTextToText, AutoProcessor, GenerationConfig, PreTrainedModel, ProcessorMixin

from worker.lvlm import TRANSFORMERS, Answer, Conversation, DType, LVLMError

# Where the choices together have less than this, the model is about to say something else: that is no answer.
LEAST_MASS = 0.05


def load_transformers(source: str, *, device: str = "cpu", dtype: DType = "auto", name: str = "") -> "TransformersLVLM":
    """Load a model from a folder, without any network, or by its hub name. Raises LVLMError.

    dtype: ``auto`` is bfloat16 on a GPU that computes in it, float16 on others, float32 on a processor.
    """
    folder = Path(source).is_dir()
    if not folder and source.startswith(("/", ".", "~")):
        raise LVLMError(f"There is no folder {source} with an LVLM.")
    place = torch.device(device)
    # Before the weights are read: should the folder change meanwhile, its answers are at worst not found again.
    identity = _folder_identity(Path(source)) if folder else ""
    try:
        processor = cast("Any", AutoProcessor).from_pretrained(source, local_files_only=folder)
        # Weights are read from safetensors only: a pickle can hold code.
        model: Any = AutoModelForImageTextToText.from_pretrained(
            source, local_files_only=folder, dtype=_dtype(dtype, place), use_safetensors=True
        )
    except (OSError, ValueError, KeyError, ImportError) as error:  # some families need a package of their own
        raise LVLMError(f"The LVLM {source} could not be loaded: {error}") from error
    if not hasattr(processor, "tokenizer") or not getattr(processor, "chat_template", None):
        raise LVLMError(f"{source} is no chat model with pictures: it has no chat template.")
    return TransformersLVLM(model.to(place), processor, name or source, source=identity or _hub_identity(model, source))


class TransformersLVLM:
    """Answers are decoded greedily, in batches padded on the left; the same question always gets the same answer."""

    def __init__(
        self, model: PreTrainedModel, processor: ProcessorMixin, name: str, batch_size: int = 16, source: str = ""
    ) -> None:
        """source: names the weights, the processor and the configuration that were loaded; empty: nobody knows."""
        # Typed loosely: what they have depends on the model.
        self.model: Any = model
        self.processor: Any = processor
        model.train(mode=False)
        self.name = name
        self.batch_size = batch_size
        self.source = source
        # A model that was calibrated says so in its configuration: its choices' log-odds are divided by this.
        self.temperature = float(getattr(model.config, "choice_temperature", 1.0))
        tokenizer = self.processor.tokenizer
        tokenizer.padding_side = "left"
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        self.model.generation_config = _greedy(self.model.generation_config, tokenizer.pad_token_id)
        # Where a model can be asked to think aloud first, it is asked not to: the answer is read where it begins.
        thinks = "enable_thinking" in str(self.processor.chat_template)
        self._template_options = {"enable_thinking": False} if thinks else {}
        self._special = _any_of([token.content for token in tokenizer.added_tokens_decoder.values() if token.special])

    @property
    def identity(self) -> str:
        """See ``worker.lvlm.Identified``. Precision and versions are in it: they decide where two words are close."""
        if not self.source:
            return ""
        computed = f"{self.model.dtype} on {self.model.device.type}, temperature {self.temperature}"
        return f"{self.source}, {computed}, transformers {transformers.__version__}, torch {torch.__version__}"

    def ask(
        self, conversations: Sequence[Conversation], *, max_tokens: int = 256, choices: tuple[str, ...] = ()
    ) -> list[Answer]:
        """See ``worker.lvlm.LVLM``. Raises LVLMError where a prompt is longer than the model's context."""
        tokens = self._first_tokens(choices)
        answers: dict[int, Answer] = {}
        for batch in self._batches(conversations):
            inputs = self._inputs([conversations[index] for index in batch], 1 if choices else max_tokens)
            found = self._choose(inputs, tokens) if choices else self._write(inputs, max_tokens)
            answers |= dict(zip(batch, found, strict=True))
        return [answers[index] for index in range(len(conversations))]

    def _batches(self, conversations: Sequence[Conversation]) -> Iterator[list[int]]:
        """Indices of conversations of about the same length, so that little is padded."""
        length = [
            (sum(len(turn.images) for turn in talk), sum(len(turn.text) for turn in talk)) for talk in conversations
        ]
        order = sorted(range(len(conversations)), key=length.__getitem__)
        for start in range(0, len(order), self.batch_size):
            yield order[start : start + self.batch_size]

    def _inputs(self, conversations: Sequence[Conversation], room: int) -> dict[str, Tensor]:
        inputs = self.processor.apply_chat_template(
            [as_messages(self._in_plain_words(conversation)) for conversation in conversations],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
            **self._template_options,
        )
        longest = inputs["input_ids"].shape[1]
        context = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        if context is not None and longest + room > context:
            raise LVLMError(
                f"The question has {longest} tokens and the answer up to {room}; {self.name} holds {context}."
            )
        ready: dict[str, Tensor] = dict(inputs.to(self.model.device, dtype=self.model.dtype))
        return ready

    def _in_plain_words(self, conversation: Conversation) -> Conversation:
        """Text from outside is data: a token of the model's own in it would end the turn or ask for another picture."""
        return tuple(
            replace(turn, text=self._special.sub(lambda token: f"{token[0][0]} {token[0][1:]}", turn.text))
            for turn in conversation
        )

    @torch.inference_mode()
    def _write(self, inputs: dict[str, Tensor], max_tokens: int) -> list[Answer]:
        written = self.model.generate(**inputs, max_new_tokens=max_tokens, **self._room())
        new = written[:, inputs["input_ids"].shape[1] :]
        read = inputs["attention_mask"].sum(dim=1).tolist()
        wrote = (new != self.processor.tokenizer.pad_token_id).sum(dim=1).tolist()
        texts = self.processor.batch_decode(new, skip_special_tokens=True)
        return [
            Answer(text.strip(), tokens=counted)
            for text, counted in zip(texts, zip(read, wrote, strict=True), strict=True)
        ]

    def _room(self) -> dict[str, str]:
        """On a processor, room for the whole answer from its start, where the model knows how: a cache that grows is
        copied at each token, a quarter of the time of a batch. On a GPU transformers would compile the model for it.
        """
        fixed = self.model.device.type == "cpu" and getattr(self.model, "_can_compile_fullgraph", False)
        return {"cache_implementation": "static"} if fixed else {}

    @torch.inference_mode()
    def _choose(self, inputs: dict[str, Tensor], tokens: dict[str, list[int]]) -> list[Answer]:
        scores = self.model(**inputs, logits_to_keep=1).logits[:, -1].float().softmax(dim=1)  # (B, vocabulary)
        mass = torch.stack([scores[:, ids].sum(dim=1) for ids in tokens.values()], dim=1)  # (B, choices)
        said = self.processor.batch_decode(scores.argmax(dim=1, keepdim=True), skip_special_tokens=True)
        read = inputs["attention_mask"].sum(dim=1).tolist()
        return [
            replace(_answer(list(tokens), row, word, self.temperature), tokens=(count, 1))
            for row, word, count in zip(mass.tolist(), said, read, strict=True)
        ]

    def _first_tokens(self, choices: tuple[str, ...]) -> dict[str, list[int]]:
        """The tokens with which each choice may begin: after a space or not, with a capital or not."""
        tokenizer = self.processor.tokenizer
        found: dict[str, list[int]] = {}
        for choice in choices:
            forms = [f"{space}{word}" for space in ("", " ") for word in (choice, choice.capitalize())]
            ids = {tokenizer(form, add_special_tokens=False)["input_ids"][0] for form in forms}
            # Some tokenizers cut the space off as a token of its own, which says nothing.
            found[choice] = sorted(token for token in ids if tokenizer.decode([token]).strip())
        every = [token for ids in found.values() for token in ids]
        if len(every) != len(set(every)) or not all(found.values()):
            raise LVLMError(f"{self.name} cannot tell {' and '.join(choices)} apart by their first token.")
        return found


def as_messages(conversation: Conversation) -> list[dict[str, object]]:
    """The form that chat templates take: pictures first, then the text."""
    return [
        {
            "role": turn.role,
            "content": [
                *({"type": "image", "image": image} for image in turn.images),
                {"type": "text", "text": turn.text},
            ],
        }
        for turn in conversation
    ]


def _greedy(published: GenerationConfig, padding: int | None) -> GenerationConfig:
    """Only the ends of an answer are taken from the checkpoint.

    A penalty on repetition, as some publish, would not be greedy, and by counting the padding of a batch it would let
    an answer depend on the other questions.
    """
    greedy = cast("Any", GenerationConfig)(do_sample=False, pad_token_id=padding, eos_token_id=published.eos_token_id)
    return cast("GenerationConfig", greedy)


def _any_of(tokens: Sequence[str]) -> re.Pattern[str]:
    """Matches each of the tokens that can be broken by a space; nothing where there is none."""
    return re.compile("|".join(re.escape(token) for token in tokens if len(token) > 1) or "(?!)")


def _answer(choices: Sequence[str], mass: Sequence[float], said: str, temperature: float) -> Answer:
    if sum(mass) < LEAST_MASS:
        return Answer(said.strip())
    cooled = [value ** (1 / temperature) for value in mass]
    probabilities = {choice: value / sum(cooled) for choice, value in zip(choices, cooled, strict=True)}
    return Answer(max(probabilities, key=probabilities.__getitem__), probabilities)


def _folder_identity(folder: Path) -> str:
    """A digest of every file in it: weights trained anew have the same size, and from a wheel the same date."""
    digest = blake2b(digest_size=32)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            content = file_digest(file, blake2b).hexdigest()
        digest.update(f"{path.relative_to(folder)}\n{content}\n".encode())
    return f"{TRANSFORMERS}{digest.hexdigest()}"


def _hub_identity(model: Any, source: str) -> str:  # noqa: ANN401 - what it has depends on the model
    commit = getattr(model.config, "_commit_hash", None)
    return f"{TRANSFORMERS}{source}@{commit}" if commit else ""


def _dtype(dtype: DType, device: torch.device) -> torch.dtype:
    if dtype != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[dtype]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.float32
