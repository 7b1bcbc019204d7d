"""Two servers that serve a folder's LVLM over HTTP, as people run them.

``transformers serve`` is the real thing, but it gives no token scores and enforces no structure. ``scoring`` does both:
the scores are of the same forward passes as the model writes with, from before the structure is enforced, as vLLM and
llama.cpp give them, or from after.
"""

import base64
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, Thread
from typing import Literal

import httpx2
import torch
import uvicorn
from fastapi import FastAPI, HTTPException
from PIL import Image
from pydantic import BaseModel, ConfigDict

from tests.servers import free_port
from worker.lvlm import Turn
from worker.lvlm.transformers import TransformersLVLM

START_SECONDS = 120.0


@contextmanager
def transformers_serve(folder: Path, log: Path) -> Iterator[str]:
    """``transformers serve``, offline and in a process of its own; yields the base URL."""
    port = free_port()
    program = Path(sys.executable).with_name("transformers")
    options = ["--device", "cpu", "--dtype", "float32", "--host", "127.0.0.1", "--port", str(port)]
    offline = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with (
        log.open("wb") as out,
        subprocess.Popen(
            [program, "serve", str(folder), *options], stdout=out, stderr=subprocess.STDOUT, env=offline
        ) as server,
    ):
        try:
            _wait_until_healthy(server, port, log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()


def _wait_until_healthy(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            httpx2.get(f"http://127.0.0.1:{port}/health", trust_env=False).raise_for_status()
        except httpx2.HTTPError:
            if server.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(errors="replace")[-2000:]
                raise RuntimeError(f"transformers serve did not start: {said}") from None
            time.sleep(0.2)
        else:
            return


class Url(BaseModel):
    url: str


class Part(BaseModel):
    type: Literal["text", "image_url"]
    text: str = ""
    image_url: Url | None = None


class Message(BaseModel):
    role: Literal["system", "user", "assistant"]
    content: str | list[Part]


class Question(BaseModel):
    model_config = ConfigDict(extra="forbid")

    model: str
    messages: list[Message]
    max_tokens: int
    temperature: Literal[0]
    logprobs: bool = False
    top_logprobs: int = 0
    response_format: dict | None = None


@contextmanager
def scoring(lvlm: TransformersLVLM, scores: Literal["before", "after"] = "before") -> Iterator[str]:
    """A server of one model, one question at a time; yields the base URL."""
    app = FastAPI()
    lock = Lock()

    @app.post("/v1/chat/completions")
    def complete(question: Question) -> dict:
        with lock:
            return answered(lvlm, question, scores)

    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", lifespan="off"))
    thread = Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.should_exit = True
        thread.join()


@torch.inference_mode()
def answered(lvlm: TransformersLVLM, question: Question, scores: str) -> dict:
    """A chat completion, token by token from the model's own ``generate``."""
    inputs = lvlm._inputs([tuple(as_turn(message) for message in question.messages)], question.max_tokens)
    ahead = inputs["input_ids"].shape[1]
    written = lvlm.model.generate(
        **inputs,
        max_new_tokens=question.max_tokens,
        return_dict_in_generate=True,
        output_logits=True,
        output_scores=True,
        prefix_allowed_tokens_fn=only(lvlm, question.response_format, ahead) if question.response_format else None,
    )
    tokens = written.sequences[0, ahead:].tolist()
    choice: dict = {
        "index": 0,
        "message": {"role": "assistant", "content": lvlm.processor.decode(tokens, skip_special_tokens=True)},
        "finish_reason": "length" if len(tokens) == question.max_tokens else "stop",
    }
    if question.logprobs:
        given = written.logits if scores == "before" else written.scores
        steps = [step[0].float().log_softmax(dim=0) for step in given]
        choice["logprobs"] = {"content": [position(lvlm, *pair, question) for pair in zip(tokens, steps, strict=True)]}
    return {"object": "chat.completion", "model": question.model, "choices": [choice]}


def only(lvlm: TransformersLVLM, form: dict, ahead: int) -> Callable[[int, torch.Tensor], list[int]]:
    """The tokens that may come next, so that the answer becomes one of those that the schema allows."""
    schema = form["json_schema"]["schema"]
    ((name, values),) = schema["properties"].items()
    allowed = [json.dumps({name: value}) for value in values["enum"]]
    tokenizer = lvlm.processor.tokenizer
    for text in allowed:
        if tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) != text:
            raise HTTPException(400, "This model's vocabulary cannot write JSON.")
    pieces = [tokenizer.decode([token]) for token in range(len(tokenizer))]

    def following(_: int, tokens: torch.Tensor) -> list[int]:
        said = tokenizer.decode(tokens[ahead:])
        if said in allowed:
            return [tokenizer.eos_token_id]
        return [
            token
            for token, piece in enumerate(pieces)
            if piece and any(text.startswith(said + piece) for text in allowed)
        ]

    return following


def position(lvlm: TransformersLVLM, token: int, scores: torch.Tensor, question: Question) -> dict:
    """One token that was written, with those that stood beside it."""
    best = scores.topk(min(question.top_logprobs, len(scores))).indices.tolist()
    return score(lvlm, token, scores) | {"top_logprobs": [score(lvlm, other, scores) for other in best]}


def score(lvlm: TransformersLVLM, token: int, scores: torch.Tensor) -> dict:
    # Minus infinity has no form in JSON.
    return {"token": lvlm.processor.tokenizer.decode([token]), "logprob": max(-9999.0, float(scores[token]))}


def as_turn(message: Message) -> Turn:
    if isinstance(message.content, str):
        return Turn(message.role, message.content)
    pictures = tuple(picture(part.image_url.url) for part in message.content if part.image_url)
    return Turn(message.role, "".join(part.text for part in message.content), pictures)


def picture(url: str) -> Image.Image:
    kind, _, data = url.partition(",")
    assert kind == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(data, validate=True)))
