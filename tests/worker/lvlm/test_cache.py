import json
from collections.abc import Sequence
from hashlib import sha256

import pytest
from PIL import Image

from worker.lvlm import Answer, Conversation, Turn
from worker.lvlm.cache import CachedLVLM, entry_of, key_of, read_entry

CHOICES = ("spurious", "relevant")


class Asked:
    """Says a number that grows with every question, and counts what it is asked."""

    name = "asked"

    def __init__(self, identity: str = "weights 1") -> None:
        self.identity = identity
        self.questions: list[Conversation] = []

    def ask(
        self, conversations: Sequence[Conversation], *, max_tokens: int = 256, choices: tuple[str, ...] = ()
    ) -> list[Answer]:
        answers = []
        for conversation in conversations:
            self.questions.append(conversation)
            p = 1 / (1 + len(self.questions))
            answers.append(Answer(choices[0], {choices[0]: 1 - p, choices[1]: p}) if choices else Answer(f"{p}"))
        return answers


class Kept(dict[str, bytes]):
    """A store in memory."""

    def put(self, key: str, entry: bytes) -> None:
        self[key] = entry


def picture(shade: int, mode: str = "RGB", size: tuple[int, int] = (4, 2)) -> Image.Image:
    return Image.new("L", size, shade).convert(mode)


def talk(text: str, *shades: int) -> Conversation:
    return (Turn("user", text, tuple(picture(shade) for shade in shades)),)


def test_the_same_question_is_asked_once_in_a_batch_and_never_again() -> None:
    lvlm, store = Asked(), Kept()
    cached = CachedLVLM(lvlm, store)
    first = cached.ask([talk("a"), talk("b"), talk("a")])
    assert lvlm.questions == [talk("a"), talk("b")]
    assert first[0] == first[2] != first[1]
    assert CachedLVLM(lvlm, store).ask([talk("b"), talk("c"), talk("a")])[::2] == [first[1], first[0]]
    assert lvlm.questions == [talk("a"), talk("b"), talk("c")]
    assert cached.name == "asked"


def test_where_all_is_known_the_model_is_not_even_called() -> None:
    store = Kept()
    answers = CachedLVLM(Asked(), store).ask([talk("a")], choices=CHOICES)
    mute = Asked()
    mute.ask = None  # type: ignore[method-assign,assignment]
    assert CachedLVLM(mute, store).ask([talk("a")], choices=CHOICES) == answers
    assert CachedLVLM(mute, store).ask([]) == []


def test_probabilities_come_back_to_the_last_digit() -> None:
    store = Kept()
    (given,) = CachedLVLM(Asked(), store).ask([talk("a")], choices=CHOICES)
    key = key_of("weights 1", talk("a"), 0, CHOICES)
    odd = Answer("relevant", {"spurious": 0.1 + 0.2, "relevant": 1 - (0.1 + 0.2)})
    store[key] = entry_of(key, odd)
    assert CachedLVLM(Asked(), store).ask([talk("a")], choices=CHOICES) == [odd] != [given]


QUESTIONS: list[tuple[str, Conversation, int, tuple[str, ...]]] = [
    ("weights 1", talk("a", 1, 2), 8, ()),
    ("weights 2", talk("a", 1, 2), 8, ()),
    ("weights 1", talk("a", 1, 2), 9, ()),
    ("weights 1", talk("a", 1, 2), 0, CHOICES),
    ("weights 1", talk("a", 1, 2), 0, CHOICES[::-1]),
    ("weights 1", talk("a", 1, 2), 0, ("spurious", "relevan", "t")),
    ("weights 1", talk("a", 2, 1), 8, ()),
    ("weights 1", talk("a", 1), 8, ()),
    ("weights 1", talk("a", 1, 3), 8, ()),
    ("weights 1", talk("b", 1, 2), 8, ()),
    ("weights 1", talk("\ud800", 1, 2), 8, ()),
    ("weights 1", (Turn("system", "a", talk("", 1, 2)[0].images),), 8, ()),
    ("weights 1", (*talk("a", 1), *talk("a", 2)), 8, ()),
    ("weights 1", (*talk("a", 1, 2), Turn("assistant", "")), 8, ()),
    ("weights 1", (Turn("user", "a", (picture(1, size=(2, 4)), picture(2))),), 8, ()),
    ("weights 1", (Turn("user", "a", (picture(1, "L"), picture(2))),), 8, ()),
    ("weights 1", (Turn("user", "a", (picture(1).quantize(), picture(2))),), 8, ()),
    ("weights 1", (Turn("user", "a", (picture(9).quantize(), picture(2))),), 8, ()),
]


def test_whatever_decides_an_answer_is_in_the_key() -> None:
    keys = [key_of(*question) for question in QUESTIONS]
    assert len(set(keys)) == len(keys)
    assert [key_of(*question) for question in QUESTIONS] == keys
    again = (Turn("user", "a", (picture(1), picture(2))),)
    assert key_of("weights 1", again, 8, ()) == keys[0], "the pixels count, not the object that holds them"


def test_the_room_for_words_plays_no_part_in_a_choice() -> None:
    lvlm = Asked()
    cached = CachedLVLM(lvlm, Kept())
    for room in (8, 9):
        cached.ask([talk("a")], max_tokens=room, choices=CHOICES)
    assert len(lvlm.questions) == 1


def test_an_empty_answer_is_not_kept() -> None:
    lvlm, store = Asked(), Kept()
    lvlm.ask = lambda asked, **_: [Answer("")] * len(asked)  # type: ignore[method-assign]
    assert CachedLVLM(lvlm, store).ask([talk("a")]) == [Answer("")]
    assert store == {}


KEY = key_of("weights 1", talk("a"), 0, CHOICES)
GOOD = {"key": KEY, "text": "spurious", "choice_probabilities": {"spurious": 0.75, "relevant": 0.25}}


def sealed(content: object) -> bytes:
    """An entry whose digest is right, whatever it holds."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return sha256(raw).hexdigest().encode() + raw


SPOILT = {
    "nothing": b"",
    "half": sealed(GOOD)[:100],
    "no digest": json.dumps(GOOD).encode(),
    "another digest": b"0" * 64 + json.dumps(GOOD).encode(),
    "a bit": sealed(GOOD).replace(b"0.75", b"0.74"),
    "no JSON": sealed(b"spurious"),
    "bytes": sealed(b"\xff\x00"),
    "a list": sealed([GOOD]),
    "a field too few": sealed({"key": KEY, "text": "spurious"}),
    "a field too many": sealed(GOOD | {"more": 1}),
    "another question's": sealed(GOOD | {"key": "0" * 64}),
    "an empty text": sealed(GOOD | {"text": ""}),
    "a number as text": sealed(GOOD | {"text": 7}),
    "other choices": sealed(GOOD | {"choice_probabilities": {"yes": 0.5, "no": 0.5}}),
    "a choice too few": sealed(GOOD | {"choice_probabilities": {"spurious": 1.0}}),
    "another text": sealed(GOOD | {"text": "maybe"}),
    "a sum above 1": sealed(GOOD | {"choice_probabilities": {"spurious": 0.75, "relevant": 0.75}}),
    "below 0": sealed(GOOD | {"choice_probabilities": {"spurious": 1.5, "relevant": -0.5}}),
    "no number": sealed(GOOD | {"choice_probabilities": {"spurious": float("nan"), "relevant": 0.25}}),
}


@pytest.mark.parametrize("entry", SPOILT.values(), ids=SPOILT.keys())
def test_a_spoilt_entry_is_ignored_and_written_again(entry: bytes) -> None:
    assert read_entry(entry, KEY, CHOICES) is None
    lvlm, store = Asked(), Kept({KEY: entry})
    cached = CachedLVLM(lvlm, store)
    answers = cached.ask([talk("a")], choices=CHOICES)
    assert store[KEY] != entry
    assert cached.ask([talk("a")], choices=CHOICES) == answers
    assert len(lvlm.questions) == 1


def test_an_entry_as_it_was_written_is_read() -> None:
    assert read_entry(sealed(GOOD), KEY, CHOICES) == Answer("spurious", {"spurious": 0.75, "relevant": 0.25})
    wordy = Answer("I cannot say")
    assert read_entry(entry_of(KEY, wordy), KEY, CHOICES) == wordy
