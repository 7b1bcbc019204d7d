"""Answers that were given before: the same model, asked the same about the same pictures, is not asked again."""

import math
from collections.abc import Iterator, Sequence
from hashlib import blake2b, sha256
from typing import Protocol

from PIL.Image import Image
from pydantic import BaseModel, ConfigDict, ValidationError

from worker.lvlm import LVLM, Answer, Conversation, Identified

FORM = "1"  # raise it when an answer would be read differently from the same scores, so that nothing old is given
DIGEST = 64  # characters before an entry's content


class Store(Protocol):
    """Where entries are kept; it may forget any of them at any time."""

    def get(self, key: str) -> bytes | None: ...

    def put(self, key: str, entry: bytes) -> None: ...


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    key: str
    text: str
    choice_probabilities: dict[str, float]


class CachedLVLM(LVLM):
    """An LVLM whose answers are kept. A model without an identity may change unnoticed: wrap none of those."""

    def __init__(self, lvlm: Identified, store: Store) -> None:
        self.lvlm = lvlm
        self.store = store

    @property
    def name(self) -> str:
        return self.lvlm.name

    def ask(
        self, conversations: Sequence[Conversation], *, max_tokens: int = 256, choices: tuple[str, ...] = ()
    ) -> list[Answer]:
        """See ``worker.lvlm.LVLM``. What stands twice among the questions is asked once."""
        keys = [key_of(self.lvlm.identity, talk, 0 if choices else max_tokens, choices) for talk in conversations]
        known = {key: self._known(key, choices) for key in dict.fromkeys(keys)}
        new = {key: talk for key, talk in zip(keys, conversations, strict=True) if known[key] is None}
        answers = self.lvlm.ask(list(new.values()), max_tokens=max_tokens, choices=choices) if new else []
        given = dict(zip(new, answers, strict=True))
        for key, answer in given.items():
            # An empty answer is a failure of some kind, and the next try may have more luck.
            if answer.text:
                self.store.put(key, entry_of(key, answer))
        return [known[key] or given[key] for key in keys]

    def _known(self, key: str, choices: tuple[str, ...]) -> Answer | None:
        entry = self.store.get(key)
        return None if entry is None else read_entry(entry, key, choices)


def key_of(identity: str, conversation: Conversation, max_tokens: int, choices: tuple[str, ...]) -> str:
    """A digest of all that decides an answer, in hexadecimal."""
    digest = blake2b(digest_size=32)
    for part in _parts(identity, conversation, max_tokens, choices):
        # With its length before it no part can pass for the end of another.
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def _parts(identity: str, conversation: Conversation, max_tokens: int, choices: tuple[str, ...]) -> Iterator[bytes]:
    yield from (text.encode() for text in (FORM, identity, str(max_tokens), str(len(choices)), *choices))
    for turn in conversation:
        yield from (turn.role.encode(), turn.text.encode(errors="surrogatepass"), str(len(turn.images)).encode())
        for image in turn.images:
            yield from _pixels(image)


def _pixels(image: Image) -> Iterator[bytes]:
    yield f"{image.mode} {image.width} {image.height} {image.getpalette()}".encode()
    yield image.tobytes()


def entry_of(key: str, answer: Answer) -> bytes:
    entry = _Entry(key=key, text=answer.text, choice_probabilities=dict(answer.choice_probabilities))
    content = entry.model_dump_json().encode()
    return sha256(content).hexdigest().encode() + content


def read_entry(entry: bytes, key: str, choices: tuple[str, ...]) -> Answer | None:
    """The answer in an entry; None where it is not exactly what was once written for this question."""
    content = entry[DIGEST:]
    if sha256(content).hexdigest().encode() != entry[:DIGEST]:
        return None
    try:
        found = _Entry.model_validate_json(content)
    except ValidationError:
        return None
    fits = found.key == key and found.text and _fits(found.choice_probabilities, found.text, choices)
    return Answer(found.text, found.choice_probabilities) if fits else None


def _fits(probabilities: dict[str, float], text: str, choices: tuple[str, ...]) -> bool:
    """Whether they are what an LVLM may give: none, or a distribution over the choices with the answer among them."""
    if not probabilities:
        return True
    return (
        set(probabilities) == set(choices)
        and text in probabilities
        and all(0 <= p <= 1 for p in probabilities.values())
        and math.isclose(sum(probabilities.values()), 1, abs_tol=1e-6)
    )
