"""What an OpenAI-compatible server answers, read strictly: the words, and the scores of the tokens they are made of.

A choice is asked for as ``{"answer": "spurious"}`` under a JSON schema, the one constraint that vLLM, Ollama, OpenAI
and llama.cpp's server all enforce. Servers that ignore it answer with the bare word, which is read as well.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from worker.lvlm import Answer

LEAST_MASS = 0.05  # as in ``worker.lvlm.transformers``: with less, the model was about to say something else
SIGNS = ' \t\r\n{}:"'  # stand around a choice in JSON


class _Score(BaseModel):
    token: str
    logprob: float | None = None  # what has no probability at all is written as null by some


class _Position(BaseModel):
    token: str = ""
    top_logprobs: list[_Score] | None = None


class _Scores(BaseModel):
    content: list[_Position] | None = None


class _Message(BaseModel):
    content: str | None = None  # a model that ran out of room while it thought has none


class _Choice(BaseModel):
    message: _Message
    logprobs: _Scores | None = None


class _Completion(BaseModel):
    choices: Annotated[list[_Choice], Field(min_length=1)]
    usage: object = None  # counted by some; whatever it is, the answer counts


class _Chosen(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    answer: str


def structure(choices: tuple[str, ...]) -> dict[str, object]:
    """The ``response_format`` that leaves nothing to say but one of the choices."""
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "string", "enum": list(choices)}},
        "required": ["answer"],
        "additionalProperties": False,
    }
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}


def read(content: bytes, choices: tuple[str, ...]) -> Answer:
    """The answer in a response's body. Raises pydantic's ValidationError where that is no chat completion.

    With ``choices`` it has their probabilities where the token scores give them any. A choice that a server was made to
    write although its own scores speak of something else is no answer: its text then is the whole JSON.
    """
    completion = _Completion.model_validate_json(content)
    return replace(_answer(completion.choices[0], choices), tokens=_tokens(completion.usage))


def _answer(choice: _Choice, choices: tuple[str, ...]) -> Answer:
    text = (choice.message.content or "").strip()
    if not choices:
        return Answer(text)
    chosen = _chosen(text, choices)
    places = list(_places((choice.logprobs and choice.logprobs.content) or [], chosen))
    for scores in places:
        mass = _mass(scores, choices)
        total = sum(mass.values())
        if total >= LEAST_MASS:
            probabilities = {option: value / total for option, value in mass.items()}
            return Answer(max(probabilities, key=probabilities.__getitem__), probabilities)
    return Answer(text if any(places) else chosen or text)


def _tokens(usage: object) -> tuple[int, int] | None:
    """How many tokens the server says it read and wrote."""
    match usage:
        case {"prompt_tokens": int(read), "completion_tokens": int(written)}:
            return read, written
        case _:
            return None


def _chosen(text: str, choices: tuple[str, ...]) -> str:
    """The choice that stands in an answer of the form that was asked for; empty where it has another form."""
    try:
        answer = _Chosen.model_validate_json(text).answer
    except ValidationError:
        return ""
    return answer if answer in choices else ""


def _places(positions: Sequence[_Position], chosen: str) -> Iterator[list[_Score]]:
    """Scores of the tokens that could have begun the answer.

    First those of the first token: servers that give scores from before the constraint say there what the model would
    have said on its own, as ``worker.lvlm.transformers`` reads it. Then those where the choice begins in the JSON.
    """
    if positions:
        yield positions[0].top_logprobs or []
    begins = "".join(position.token for position in positions).rfind(chosen) if chosen else -1
    start = 0
    for position in positions:
        end = start + len(position.token)
        if start <= begins < end:
            yield position.top_logprobs or []
        start = end


def _mass(scores: Sequence[_Score], choices: tuple[str, ...]) -> dict[str, float]:
    """Probability of the tokens that begin exactly one of the choices, capitals, spaces and JSON's signs aside."""
    mass = dict.fromkeys(choices, 0.0)
    for score in scores:
        token = score.token.strip(SIGNS).lower()
        begun = [choice for choice in choices if token and choice.lower().startswith(token)]
        if len(begun) == 1 and score.logprob is not None and not math.isnan(score.logprob):
            mass[begun[0]] += math.exp(min(0.0, score.logprob))
    return mass
