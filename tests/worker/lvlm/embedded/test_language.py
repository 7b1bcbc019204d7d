import re
from collections import Counter
from itertools import chain, product
from string import Formatter
from typing import get_args

import pytest
from pydantic import ValidationError

from worker.lvlm.embedded import language
from worker.lvlm.embedded.language import KINDS, Part, ThingWords, clinical_words, nouns, phrases, templates

PARTS = get_args(Part)
DOMAINS = ("digits", "radiograph", "skin")
THINGS = ("artefact", "core", "background")
FAMILIES = {"for": 24, "against": 30, "only": 6, "rest": 6, "except": 6, "not": 6, "notes_against": 6}
PREPOSITIONS = "of|in|on|at|around|beside|behind|between|outside|inside|within|without|with|near|from|to"


def families(kind: str) -> dict[str, tuple[str, ...]]:
    return {name: said for part in PARTS for name, said in phrases(part)[kind].items()}


def things(domain: str) -> dict[str, ThingWords]:
    return {thing: getattr(nouns(domain), thing) for thing in THINGS}


def called(words: ThingWords) -> tuple[str, ...]:
    return words.nouns + words.held_out_nouns


def placeholders(text: str) -> list[str]:
    return sorted(field for _, field, _, _ in Formatter().parse(text) if field is not None)


def words_of(text: str) -> list[str]:
    """Lower-case words in the singular, as far as an s tells it."""
    found = re.findall(r"[a-z0-9{}]+", text.lower().replace("-", " "))
    return [word[:-1] if re.search(r"[^aius]s$", word) else word for word in found]


def head(noun: str) -> list[str]:
    """What a noun phrase is about: 'shape' of 'shape of the digit'."""
    return words_of(re.split(rf"\s(?:{PREPOSITIONS})\s", noun)[0])


def contains(longer: list[str], shorter: list[str]) -> bool:
    return f" {' '.join(shorter)} " in f" {' '.join(longer)} "


def test_there_are_many_phrases_in_many_families():
    for kind, fewest in FAMILIES.items():
        assert len(families(kind)) >= fewest
        assert all(5 <= len(said) <= 15 for said in families(kind).values())
    assert sum(len(templates(kind, part)) for kind, part in product(KINDS, PARTS)) >= 900


def test_some_families_of_each_kind_are_held_out():
    for kind in KINDS:
        assert len(phrases("held out")[kind]) >= (7 if kind in {"for", "against"} else 2), kind


def test_what_fits_probabilities_is_no_lesson_and_not_held_out():
    for kind in KINDS:
        names = [set(phrases(part)[kind]) for part in PARTS]
        assert sum(len(part) for part in names) == len(families(kind))
        assert phrases("calibration")[kind]
    for domain in DOMAINS:
        for words in things(domain).values():
            said = [set(words.of(part)) for part in PARTS]
            assert len(words.of("calibration")) >= 9
            assert sum(len(part) for part in said) == len(set(words.nouns) | set(words.held_out_nouns))


def test_no_phrase_stands_in_two_families():
    for kind in KINDS:
        counts = Counter(text.lower() for text in chain.from_iterable(families(kind).values()))
        assert [text for text, count in counts.items() if count > 1] == []


def test_nothing_held_out_is_shown_in_training_under_another_kind():
    held_out = {name for kind in KINDS for name in phrases("held out")[kind]}
    said = {text for kind in KINDS for text in templates(kind, "held out")}
    assert held_out.isdisjoint(name for kind in KINDS for name in phrases("training")[kind])
    assert said.isdisjoint(text for kind in KINDS for text in templates(kind, "training"))


def test_every_phrase_has_the_placeholders_of_its_kind():
    for kind, part in product(KINDS, PARTS):
        allowed = {"not": [["x", "y"]], "rest": [["x"], []]}.get(kind, [["x"]])
        wrong = [text for text in templates(kind, part) if placeholders(text) not in allowed]
        assert wrong == []


def test_what_is_meant_by_the_rest_is_said_with_and_without_naming_the_rest():
    named = [bool(placeholders(text)) for text in templates("rest", "training")]
    assert named.count(True) >= 15
    assert named.count(False) >= 15


def test_two_things_in_one_sentence_come_in_either_order():
    reversed_ = [text.index("{y}") < text.index("{x}") for text in templates("not", "training")]
    assert 0.25 <= sum(reversed_) / len(reversed_) <= 0.75


def test_few_phrases_fit_one_thing_but_not_several():
    said = list(chain.from_iterable(templates(kind, part) for kind, part in product(KINDS, PARTS)))
    agreeing = [text for text in said if re.search(r"^\{[xy]\} (is|are|has|have|does|do|was|were|says|say)\b", text)]
    assert len(agreeing) / len(said) < 0.03


def test_phrases_know_no_domain():
    single = {
        words_of(noun)[0]
        for domain in DOMAINS
        for words in things(domain).values()
        for noun in called(words)
        if len(words_of(noun)) == 1
    }
    single |= {word for name in ("digit", "knee", "skin", "lesion", "radiograph", "x-ray") for word in words_of(name)}
    for kind, part in product(KINDS, PARTS):
        for text in templates(kind, part):
            assert single.isdisjoint(words_of(re.sub(r"\{[xy]\}", " ", text))), text


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_thing_has_many_nouns_and_some_are_held_out(domain):
    for thing, words in things(domain).items():
        assert len(words.nouns) >= (90 if thing == "background" else 130)
        assert len(words.held_out_nouns) >= 9


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_held_out_noun_is_new_in_every_domain(domain):
    trained = {
        " ".join(words_of(noun))
        for other in DOMAINS
        for words in things(other).values()
        for noun in words.of("training")
    }
    for words in things(domain).values():
        assert trained.isdisjoint(" ".join(words_of(noun)) for noun in words.of("held out"))


@pytest.mark.parametrize("domain", DOMAINS)
def test_no_held_out_noun_holds_what_a_training_noun_is_about_nor_the_other_way_round(domain):
    for words in things(domain).values():
        for new, known in product(words.of("held out"), words.of("training")):
            assert not contains(words_of(new), head(known)), f"{new} holds {known}"
            assert not contains(words_of(known), head(new)), f"{known} holds {new}"


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_noun_means_one_thing(domain):
    of_each = [{" ".join(words_of(noun)) for noun in called(words)} for words in things(domain).values()]
    counts = Counter(chain.from_iterable(of_each))
    assert [noun for noun, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("domain", DOMAINS)
def test_no_noun_repeats_an_adjective_that_may_stand_before_it(domain):
    for words in things(domain).values():
        doubled = [
            (adjective, noun)
            for adjective, noun in product(words.adjectives, called(words))
            if not set(words_of(adjective)).isdisjoint(words_of(noun))
        ]
        assert doubled == []


@pytest.mark.parametrize("domain", DOMAINS)
def test_other_things_are_none_of_the_three(domain):
    others = nouns(domain).others
    named = {" ".join(words_of(noun)) for words in things(domain).values() for noun in called(words)}
    assert len(others) == len(set(others)) >= 40
    assert named.isdisjoint(" ".join(words_of(other)) for other in others)
    assert named.isdisjoint(head(other)[-1] for other in others), "the last word of one names a thing in the picture"


@pytest.mark.parametrize("domain", DOMAINS)
def test_only_the_strokes_of_a_digit_are_named_after_their_class(domain):
    for thing, words in things(domain).items():
        allowed = {"name", "label"} if (domain, thing) == ("digits", "core") else set()
        assert all(set(placeholders(noun)) <= allowed for noun in called(words) + words.adjectives + words.places)


@pytest.mark.parametrize("domain", DOMAINS)
def test_an_artefact_is_found_somewhere_and_notes_are_many(domain):
    assert len(nouns(domain).artefact.places) >= 15
    assert len(set(nouns(domain).notes)) >= 25


@pytest.mark.parametrize(("domain", "names"), [("radiograph", 2), ("skin", 2), ("digits", 0)])
def test_class_names_belong_to_one_class(domain, names):
    classes = nouns(domain).classes
    assert len(classes) == names
    said = list(chain.from_iterable(classes.values()))
    assert len(said) == len(set(said)) >= 10 * names


def test_clinical_words_are_single_lower_case_words_in_both_spellings():
    words = clinical_words()
    assert len(words) == len(set(words)) >= 400
    assert [word for word in words if not re.fullmatch(r"[a-z]+", word)] == []
    for british, american in (("tumour", "tumor"), ("colour", "color"), ("artefact", "artifact"), ("grey", "gray")):
        assert {british, american} <= set(words)


def test_a_family_that_is_held_out_must_exist(tmp_path, monkeypatch):
    path = tmp_path / "phrases.json"
    path.write_text(language.PHRASES.read_text().replace('"rest": ["apart from"', '"rest": ["apart form"'))
    monkeypatch.setattr(language, "PHRASES", path)
    with pytest.raises(ValueError, match="apart form"):
        phrases.__wrapped__("training")


def test_files_of_another_form_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "nouns.json"
    path.write_text(language.NOUNS.read_text().replace('"adjectives"', '"adjective"', 1))
    monkeypatch.setattr(language, "NOUNS", path)
    with pytest.raises(ValidationError, match="adjectives"):
        language._nouns.__wrapped__()
