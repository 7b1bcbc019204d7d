import json
from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from worker.benchmarks.hand_written import PATH, HandWritten, Truth, hand_written

DOMAINS = {"digits", "radiograph", "skin"}


@pytest.fixture
def entry() -> dict[str, object]:
    found: dict[str, object] = json.loads(PATH.read_text(encoding="utf-8"))[0]
    return found


def load(folder: Path, entry: dict[str, object]) -> list[HandWritten]:
    path = folder / "hand_written.json"
    path.write_text(json.dumps([entry]), encoding="utf-8")
    return hand_written(path)


def test_there_are_twenty_of_each_domain():
    assert Counter(entry.domain for entry in hand_written()) == dict.fromkeys(DOMAINS, 20)


def test_no_id_and_no_text_comes_twice():
    entries = hand_written()
    texts = [text for entry in entries for text in (entry.relevant, entry.spurious, entry.notes) if text]
    assert Counter(entry.id for entry in entries).most_common(1)[0][1] == 1
    assert Counter(text.casefold().rstrip(".") for text in texts).most_common(1)[0][1] == 1


def test_every_entry_says_something_in_one_of_the_two_fields():
    for entry in hand_written():
        assert entry.class_name, entry.id
        assert entry.relevant or entry.spurious, entry.id
        for text in (entry.relevant, entry.spurious, entry.notes):
            assert text == text.strip(), entry.id


def test_every_domain_has_enough_inverted_entries_that_always_saying_the_core_is_relevant_is_often_wrong():
    inverted = Counter(entry.domain for entry in hand_written() if entry.is_inverted)
    assert inverted.keys() == DOMAINS
    assert min(inverted.values()) >= 5


def test_neither_the_artefact_nor_the_background_has_one_answer_in_a_domain():
    for domain in DOMAINS:
        truths = [entry.truth for entry in hand_written() if entry.domain == domain]
        assert {truth.artefact for truth in truths} == {"spurious", "relevant"}
        assert {truth.background for truth in truths} == {"spurious", "relevant"}


def test_only_an_entry_that_wants_the_artefact_and_not_the_core_is_inverted():
    for artefact, core, inverted in (
        ("relevant", "spurious", True),
        ("relevant", "relevant", False),
        ("spurious", "spurious", False),
        ("spurious", "relevant", False),
    ):
        truth = Truth(artefact, core, "relevant")
        assert HandWritten("x", "skin", "benign", "a", "b", "", truth).is_inverted is inverted


def test_the_fields_of_the_file_arrive_where_they_belong(tmp_path: Path):
    truth = {"artefact": "spurious", "core": "relevant", "background": "spurious"}
    fields = {"id": "a", "domain": "skin", "class": "benign", "relevant": "b", "spurious": "c", "notes": "d"}
    expected = HandWritten("a", "skin", "benign", "b", "c", "d", Truth("spurious", "relevant", "spurious"))
    assert load(tmp_path, {**fields, "truth": truth}) == [expected]


@pytest.mark.parametrize(
    "wrong",
    [
        {"truth": {"artefact": "uncertain", "core": "relevant", "background": "relevant"}},
        {"truth": {"artefact": "spurious", "core": "relevant"}},
        {"truth": {"artefact": "spurious", "core": "relevant", "background": "relevant", "marker": "spurious"}},
        {"domain": "retina"},
        {"class": 3},
        {"comment": "not a field"},
    ],
)
def test_a_wrong_entry_is_refused(tmp_path: Path, entry: dict[str, object], wrong: dict[str, object]):
    assert load(tmp_path, entry)
    with pytest.raises(ValidationError):
        load(tmp_path, entry | wrong)


@pytest.mark.parametrize("field", ["id", "domain", "class", "relevant", "spurious", "notes", "truth"])
def test_an_entry_without_one_of_its_fields_is_refused(tmp_path: Path, entry: dict[str, object], field: str):
    del entry[field]
    with pytest.raises(ValidationError, match=field):
        load(tmp_path, entry)
