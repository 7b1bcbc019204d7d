"""LVLMs over HTTP: any server that speaks OpenAI's chat completions (vLLM, Ollama, llama.cpp, a hospital's gateway).

Nothing leaves this machine unless the host is on the allow-list, and every request that does is told to ``on_call``.
"""

import base64
import copy
import io
import json
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Self
from urllib.parse import urlsplit

import httpx2
from PIL.Image import Image
from pydantic import ValidationError

from worker.lvlm import OPENAI, Answer, Call, Conversation, LVLMError, Patience, Turn
from worker.lvlm.completion import read, structure

TOP_LOGPROBS = 20  # the most that servers give
CHOICE_TOKENS = 32  # room for a choice in JSON, in small tokens and with spaces
BUSY = 429
SERVER_ERROR = 500
UNKNOWN_FIELD = frozenset({400, 422})  # how servers answer to what they do not know
LONGEST_WAIT = 60.0  # seconds
LARGEST_ANSWER = 4 * 2**20  # bytes
SHOWN = 300  # characters of what a server said


# What is asked for with a choice beside the words, from most to least: a structure, token scores.
EXTRAS = ((True, True), (False, True), (True, False), (False, False))


class _RefusedError(LVLMError):
    def __init__(self, why: str, status: int) -> None:
        super().__init__(why)
        self.status = status


class _FailedError(Exception):
    """One try gave no answer; the next one may, after as many seconds as the server asked for, if it did."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


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


@dataclass
class _Known:
    """Which of ``EXTRAS`` the server takes, as far as it has shown; kept by all who ask through one client."""

    level: int = 0


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
        # Who runs the server may exchange the weights behind a model's name: nobody here can know.
        self.identity = f"{OPENAI}{model}@{url}"
        self.model = model
        self.patience = patience or Patience()
        self.on_call = on_call or (lambda _: None)
        self._recording = threading.Lock()
        self._pace = _Pace(self.patience.per_minute)
        self._known = _Known()
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
        ask = partial(self._choose, choices=choices) if choices else partial(self._write, max_tokens=max_tokens)
        with ThreadPoolExecutor(max_workers=self.patience.at_once) as threads:
            return list(threads.map(ask, conversations))

    def _write(self, conversation: Conversation, max_tokens: int) -> Answer:
        return self._send(conversation, {"max_tokens": max_tokens}, ())

    def _choose(self, conversation: Conversation, choices: tuple[str, ...]) -> Answer:
        """Ask with as much as the server takes; less is remembered only where it was what made the difference."""
        level = self._known.level
        while True:
            try:
                answer = self._send(conversation, _extras(level, choices), choices)
            except _RefusedError as error:
                level += 1
                if error.status not in UNKNOWN_FIELD or level == len(EXTRAS):
                    raise
            else:
                self._known.level = level
                return answer

    def _send(self, conversation: Conversation, fields: Mapping[str, object], choices: tuple[str, ...]) -> Answer:
        """The server's answer to one request, after as many tries as patience allows.

        Half an answer, and one that is no chat completion, count as none: a gateway on the way may have sent it.
        """
        messages = [_message(turn) for turn in conversation]
        images = sum(len(turn.images) for turn in conversation)
        body = json.dumps({"model": self.model, "messages": messages, "temperature": 0, **fields}).encode()
        failure = _FailedError("")
        for attempt in range(self.patience.tries):
            if attempt:
                time.sleep(self._wait(attempt, failure))
            self._pace.wait()
            self._record(Call(datetime.now(UTC), self.host, images, len(body)))
            try:
                return _read(self._post(body), choices)
            except _FailedError as error:
                failure = error
        raise LVLMError(f"{self.name} gave no answer in {self.patience.tries} tries; the last ended with {failure}.")

    def _wait(self, attempt: int, failure: _FailedError) -> float:
        """Seconds before the next try. Half of them are random, so that many workers do not come back at once."""
        own = self.patience.first_wait * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)
        return min(LONGEST_WAIT, failure.wait or own)

    def _post(self, body: bytes) -> bytes:
        """The body of the response to one request. Raises LVLMError where asking again would not help."""
        headers = {"Content-Type": "application/json"}
        late = time.monotonic() + self.patience.timeout
        try:
            with self._client.stream("POST", "chat/completions", content=body, headers=headers) as response:
                content = self._whole(response, late)
        except httpx2.RequestError as error:
            raise _FailedError(f"{type(error).__name__}: {error}") from error
        if response.is_success:
            return content
        status = response.status_code
        if status == BUSY or status >= SERVER_ERROR:
            raise _FailedError(f"status {status}", _retry_after(response.headers))
        said = content.decode(errors="replace")[:SHOWN]
        raise _RefusedError(f"{self.name} refused the question with status {status}: {said}", status)

    def _whole(self, response: httpx2.Response, late: float) -> bytes:
        """All of a response's body. The client's own time-out begins anew with every byte that comes."""
        content = bytearray()
        for part in response.iter_bytes():
            content += part
            if time.monotonic() > late:
                raise _FailedError(f"an answer that took longer than {self.patience.timeout:g} seconds")
            if len(content) > LARGEST_ANSWER:
                raise _FailedError(f"an answer of more than {LARGEST_ANSWER} bytes")
        return bytes(content)

    def _record(self, call: Call) -> None:
        with self._recording:
            self.on_call(call)


def _extras(level: int, choices: tuple[str, ...]) -> dict[str, object]:
    structured, scored = EXTRAS[level]
    fields: dict[str, object] = {"max_tokens": CHOICE_TOKENS}
    if structured:
        fields["response_format"] = structure(choices)
    return fields | {"logprobs": True, "top_logprobs": TOP_LOGPROBS} if scored else fields


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
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def _read(body: bytes, choices: tuple[str, ...]) -> Answer:
    try:
        return read(body, choices)
    except ValidationError as error:
        said = body.decode(errors="replace")[:SHOWN]
        raise _FailedError(f"an answer in a form that is no chat completion: {said!r}") from error
