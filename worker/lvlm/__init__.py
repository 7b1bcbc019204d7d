"""Large vision-language models behind one protocol: conversations in, answers with token scores out.

Three ways to serve one: ``transformers`` on this machine, ``openai_api`` over HTTP, and ``embedded``, the small one
that the repository ships, which is loaded by ``transformers`` too. What a model says is data: it is parsed strictly by
those who asked, and never interpreted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from PIL.Image import Image

DType = Literal["auto", "float32", "bfloat16", "float16"]
EMBEDDED = "embedded"
TRANSFORMERS = "transformers:"
OPENAI = "openai:"
WEIGHTS = Path(__file__).parent / "embedded" / "weights"


class LVLMError(Exception):
    """Why an LVLM could not be loaded or asked, as a sentence for people."""


@dataclass(frozen=True)
class Turn:
    role: Literal["system", "user", "assistant"]
    text: str
    images: tuple[Image, ...] = ()  # shown before the text, in this order


Conversation = tuple[Turn, ...]


@dataclass(frozen=True)
class Answer:
    """``choice_probabilities`` sum to 1 over the choices asked for.

    They are empty where no choices were asked for, and where the model gave none of them a score: then ``text`` is what
    it said instead.
    """

    text: str
    choice_probabilities: Mapping[str, float] = field(default_factory=dict)
    # How many were read and written, where whoever answered counted them; no part of what was answered.
    tokens: tuple[int, int] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Call:
    """One request that left this machine, retries counted singly: what the project's log keeps."""

    at: datetime  # UTC
    host: str
    images: int
    bytes: int  # of the request's body


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server, how often to try again, and how hard to press it."""

    timeout: float = 120.0  # seconds for one answer
    tries: int = 5
    first_wait: float = 1.0  # seconds before the second try; doubles each time, up to a minute
    at_once: int = 4  # requests under way
    per_minute: float = 0.0  # requests begun; 0: no limit


class LVLM(Protocol):
    @property
    def name(self) -> str:
        """What reports and pages call the model."""

    def ask(
        self, conversations: Sequence[Conversation], *, max_tokens: int = 256, choices: tuple[str, ...] = ()
    ) -> list[Answer]:
        """One answer per conversation, in order. Raises LVLMError.

        With ``choices`` each answer is the likeliest of them, with the probabilities of all, read from the token scores
        of one forward pass; ``max_tokens`` then plays no part. Without, the answer is decoded greedily.
        """


class Identified(LVLM, Protocol):
    """An LVLM that can be told from one that would answer differently."""

    @property
    def identity(self) -> str:
        """Names the weights and all else that decides an answer; empty where that is not known."""


def load(
    spec: str,
    *,
    device: str = "cpu",
    dtype: DType = "auto",
    allowed_hosts: frozenset[str] = frozenset(),
    key: str = "",
    patience: Patience | None = None,
) -> Identified:
    """The LVLM that ``spec`` names. Raises LVLMError.

    ``embedded``                           the small LVLM of this repository, offline;
    ``transformers:<folder or hub name>``  any chat model with pictures that Transformers knows; a folder: offline;
    ``openai:<model>@<base url>``          an OpenAI-compatible server, as ``openai:qwen2.5-vl@http://gpu:8000/v1``.
                                           Its host must be in ``allowed_hosts``; it alone needs ``patience``.
    """
    if spec == EMBEDDED:
        from worker.lvlm.transformers import load_transformers

        return load_transformers(str(WEIGHTS), device=device, dtype=dtype, name=EMBEDDED)
    if spec.startswith(TRANSFORMERS):
        from worker.lvlm.transformers import load_transformers

        return load_transformers(spec.removeprefix(TRANSFORMERS), device=device, dtype=dtype)
    if spec.startswith(OPENAI):
        from worker.lvlm.openai_api import OpenAILVLM

        model, _, url = spec.removeprefix(OPENAI).rpartition("@")
        return OpenAILVLM(model, url, allowed_hosts=allowed_hosts, key=key, patience=patience)
    raise LVLMError(f"There is no LVLM {spec!r}: say embedded, transformers:<folder or name> or openai:<model>@<url>.")
