"""What an OpenAI-compatible server answers, read strictly: the words, and the scores of the tokens they are made of."""

import math
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, Field

from worker.lvlm import Answer

LEAST_MASS = 0.05  # as in ``worker.lvlm.transformers``: with less, the model was about to say something else


class _Score(BaseModel):
    token: str
    logprob: float | None = None  # what has no probability at all is written as null by some


class _Position(BaseModel):
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


def read(content: bytes, choices: tuple[str, ...]) -> Answer:
    """The answer in a response's body. Raises pydantic's ValidationError where that is no chat completion.

    With ``choices`` it has their probabilities where the scores of the first token give them any.
    """
    choice = _Completion.model_validate_json(content).choices[0]
    text = (choice.message.content or "").strip()
    if not choices:
        return Answer(text)
    positions = choice.logprobs.content if choice.logprobs else None
    mass = _mass(positions[0].top_logprobs or [], choices) if positions else dict.fromkeys(choices, 0.0)
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
        if len(begun) == 1 and score.logprob is not None and not math.isnan(score.logprob):
            mass[begun[0]] += math.exp(min(0.0, score.logprob))
    return mass
