"""LVLMs over HTTP: any server that speaks OpenAI's chat completions (vLLM, Ollama, llama.cpp, a hospital's gateway).

Nothing leaves this machine unless the host is on the allow-list, and every request that does is told to ``on_call``.
"""

import base64
import copy
import io
import json
import math
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Self
from urllib.parse import urlsplit

import httpx2
from PIL.Image import Image
from pydantic import BaseModel, Field, ValidationError

from worker.lvlm import Answer, Call, Conversation, LVLMError, Patience, Turn

TOP_LOGPROBS = 20  # the most that servers give
LEAST_MASS = 0.05  # as in ``worker.lvlm.transformers``: with less, the model was about to say something else
CHOICE_TOKENS = 8
BUSY = 429
SERVER_ERROR = 500
LONGEST_WAIT = 60.0  # seconds


class _Score(BaseModel):
    token: str
    logprob: float


class _Position(BaseModel):
    top_logprobs: list[_Score] = []


class _Scores(BaseModel):
    content: list[_Position] | None = None


class _Message(BaseModel):
    content: str | None = None  # a model that ran out of room while it thought has none


class _Choice(BaseModel):
    message: _Message
    logprobs: _Scores | None = None


class _Completion(BaseModel):
    choices: Annotated[list[_Choice], Field(min_length=1)]


@dataclass
class _Pace:
    """Spaces the requests of all threads evenly."""

    per_minute: float
    next_start: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self) -> None:
        with self.lock:
            now = time.monotonic()
            start = max(now, self.next_start)
            self.next_start = start + (60 / self.per_minute if self.per_minute else 0)
        time.sleep(start - now)


class OpenAILVLM:
    def __init__(
        self,
        model: str,
        url: str,
        *,
        allowed_hosts: frozenset[str],
        key: str = "",
        on_call: Callable[[Call], None] | None = None,
        patience: Patience | None = None,
    ) -> None:
        """Raises LVLMError where ``url`` is none, or its host is not allowed."""
        parts = urlsplit(url)
        if not model or parts.scheme not in {"http", "https"} or not parts.hostname:
            raise LVLMError("Name an OpenAI-compatible LVLM as openai:<model>@<url>, the URL with http:// or https://.")
        self.host = parts.hostname
        if self.host not in allowed_hosts:
            raise LVLMError(
                f"Images may not be sent to {self.host}: it is not among the allowed hosts. Nothing was sent."
            )
        self.name = f"{model}@{self.host}"
        self.model = model
        self.patience = patience or Patience()
        self.on_call = on_call or (lambda _: None)
        self._recording = threading.Lock()
        self._pace = _Pace(self.patience.per_minute)
        self._client = httpx2.Client(
            base_url=url.rstrip("/") + "/",
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=self.patience.timeout,
            # A redirect could lead to a host that nobody allowed.
            follow_redirects=False,
            # A proxy from the environment would be one more host that sees the images.
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def telling(self, on_call: Callable[[Call], None]) -> Self:
        """The same client at the same pace, for somebody who wants to be told of every request."""
        told = copy.copy(self)
        told.on_call = on_call
        return told

    def ask(
        self, conversations: Sequence[Conversation], *, max_tokens: int = 256, choices: tuple[str, ...] = ()
    ) -> list[Answer]:
        """See ``worker.lvlm.LVLM``. Raises LVLMError where the server keeps failing or answers in another form."""
        # A server without token scores has to write the whole word.
        room = CHOICE_TOKENS if choices else max_tokens
        with ThreadPoolExecutor(max_workers=self.patience.at_once) as threads:
            asked = threads.map(lambda conversation: self._ask(conversation, room, choices), conversations)
            return list(asked)

    def _ask(self, conversation: Conversation, max_tokens: int, choices: tuple[str, ...]) -> Answer:
        body: dict[str, object] = {
            "model": self.model,
            "messages": [_message(turn) for turn in conversation],
            "max_tokens": max_tokens,
            "temperature": 0,
        }
        if choices:
            body |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
        images = sum(len(turn.images) for turn in conversation)
        return _answer(self._send(json.dumps(body).encode(), images), choices, self.name)

    def _send(self, body: bytes, images: int) -> bytes:
        """The server's answer to one request, after as many tries as patience allows."""
        wait = self.patience.first_wait
        failure = ""
        for attempt in range(self.patience.tries):
            if attempt:
                time.sleep(wait)
            self._pace.wait()
            self._record(Call(datetime.now(UTC), self.host, images, len(body)))
            # Half of each wait is random, so that many workers do not come back at once.
            wait = self.patience.first_wait * 2**attempt * random.uniform(0.5, 1.0)
            try:
                response = self._client.post(
                    "chat/completions", content=body, headers={"Content-Type": "application/json"}
                )
            except httpx2.TransportError as error:
                failure = f"{type(error).__name__}: {error}"
                continue
            if response.is_success:
                return response.content
            failure = f"status {response.status_code}"
            if response.status_code != BUSY and response.status_code < SERVER_ERROR:
                raise LVLMError(f"{self.name} refused the question with {failure}: {response.text[:300]}")
            wait = min(LONGEST_WAIT, _retry_after(response.headers) or wait)
        raise LVLMError(f"{self.name} gave no answer in {self.patience.tries} tries; the last ended with {failure}.")

    def _record(self, call: Call) -> None:
        with self._recording:
            self.on_call(call)


def _message(turn: Turn) -> dict[str, object]:
    if not turn.images:
        return {"role": turn.role, "content": turn.text}
    pictures = [{"type": "image_url", "image_url": {"url": _data_url(image)}} for image in turn.images]
    return {"role": turn.role, "content": [*pictures, {"type": "text", "text": turn.text}]}


def _data_url(image: Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait, given as a number or as a date."""
    value = headers.get("Retry-After", "").strip()
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def _answer(content: bytes, choices: tuple[str, ...], name: str) -> Answer:
    try:
        choice = _Completion.model_validate_json(content).choices[0]
    except ValidationError as error:
        raise LVLMError(f"{name} answered in a form that is no chat completion: {content[:200]!r}") from error
    text = (choice.message.content or "").strip()
    if not choices:
        return Answer(text)
    positions = choice.logprobs.content if choice.logprobs else None
    mass = _mass(positions[0].top_logprobs, choices) if positions else dict.fromkeys(choices, 0.0)
    total = sum(mass.values())
    if total < LEAST_MASS:
        return Answer(text)
    probabilities = {option: value / total for option, value in mass.items()}
    return Answer(max(probabilities, key=probabilities.__getitem__), probabilities)


def _mass(scores: Sequence[_Score], choices: tuple[str, ...]) -> dict[str, float]:
    """Probability of the tokens that begin exactly one of the choices, capitals and spaces aside."""
    mass = dict.fromkeys(choices, 0.0)
    for score in scores:
        token = score.token.strip().lower()
        begun = [choice for choice in choices if token and choice.lower().startswith(token)]
        if len(begun) == 1:
            mass[begun[0]] += math.exp(min(0.0, score.logprob))
    return mass
