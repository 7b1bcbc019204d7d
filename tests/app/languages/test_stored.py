"""What workers store in English is found again and said in the reader's language."""

import re
from collections.abc import Iterable
from itertools import product

import numpy as np
import pytest

from app.audit import chain
from app.languages.catalogue import reading_in
from app.languages.stored import sentence_of, stored
from app.languages.worker_words import SENTENCES
from app.models import Answer, Named, Origin, Role, Split, VerdictValue, consensus_record
from app.models.run import Kind
from app.review.agreed import in_words
from app.trust import agreement, figures, lock
from tests.trusted import overridden
from worker.lvlm.check.bar import BARS
from worker.lvlm.check.figures import lines
from worker.method import calibration, honeypots, judge, regions, thresholds
from worker.method.contradiction import contradiction
from worker.method.critic import ClassSpecification
from worker.method.looks import ANY_CORNER, CORNERS, EVERYWHERE, Look, kinds_by_look
from worker.method.summary import PLACES, Sentence, summarise
from worker.tasks import agree, calibrate, measure

STROKE, SQUARE = "digit strokes", "a grey square"


def in_german(text: str) -> str:
    with reading_in("de"):
        return stored(text).replace("\N{NARROW NO-BREAK SPACE}", " ")


def not_found(texts: Iterable[str]) -> list[str]:
    """Proper names and figures may be the same; a text of several words is not."""
    return [text for text in texts if text and in_german(text) == text]


def facts(
    image: int, number: int, share: float, words: str, place: str = "middle", effect: float = 0.0
) -> regions.ClusterFacts:
    look = Look(place, 0.5, 0.5, 0.05, 0.02, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    return regions.ClusterFacts(str(image), number, share, words, look, effect)


def told(clusters: list[regions.ClusterFacts], images: int) -> list[Sentence]:
    return summarise("healthy", regions.regions_of(clusters, [str(image) for image in range(images)], seed=0))


def german_of(sentence: Sentence) -> str:
    return "".join(in_german(part.text) if part.text.strip(" ,;.") else part.text for part in sentence.parts)


def test_the_sentences_of_behaviour_are_german_with_the_same_figures() -> None:
    square, stroke, rest = told(
        [
            *(facts(image, 1, 0.5, SQUARE, "upper left corner", effect=0.4) for image in range(10)),
            *(facts(image, 2, 0.25, STROKE, effect=-0.01) for image in range(5)),
            *(facts(image, 3, 0.125, "") for image in range(2)),
        ],
        images=10,
    )
    assert german_of(square) == (
        f"50 % (95-%-Intervall 50–50) der Evidenz für healthy entfallen auf: „{SQUARE}“, in 10 von 10 Bildern, "
        "10 von 10 Regionen in der Ecke links oben im Bild; eine solche Region abzudecken "
        "senkt die Wahrscheinlichkeit von healthy um 40 Punkte im Mittel (40 bis 40)."
    )
    assert "erhöht die Wahrscheinlichkeit von healthy um 1 Punkt im Mittel" in german_of(stroke)
    assert german_of(rest) == (
        "Weitere 2 % entfallen auf andere Dinge, in 2 von 10 Bildern; "
        "35 % liegen außerhalb aller Regionen, in 10 von 10 Bildern."
    )


def test_what_was_stored_when_regions_were_called_clusters_is_german_too() -> None:
    assert in_german("9 of 10 clusters in the middle") == in_german("9 of 10 regions in the middle")
    assert in_german("9 of 10 regions in the middle") == "9 von 10 Regionen in der Bildmitte"
    assert in_german("outside every cluster") == "außerhalb aller Regionen"
    assert in_german("a cluster of vessels") == "a cluster of vessels"


def test_words_of_an_lvlm_stay_and_their_quotation_marks_are_the_readers() -> None:
    assert in_german("“digit strokes”") == "„digit strokes“"
    assert stored("“digit strokes”") == "“digit strokes”"


def test_a_sentence_of_what_nobody_named_is_german_too() -> None:
    (only, *_) = told([facts(image, 1, 0.9, "", effect=0.001) for image in range(6)], images=6)
    assert "entfallen auf: kleiner heller Bereich in der Bildmitte, " in german_of(only)
    assert "ändert die Wahrscheinlichkeit von healthy um weniger als einen Punkt" in german_of(only)
    rare = "90 % (of one image) of the evidence for healthy lies on many things, "
    assert in_german(rare) == "90 % (von einem Bild) der Evidenz für healthy entfallen auf: viele Dinge, "


def test_every_look_and_every_place_is_said() -> None:
    places = [*(place for row in PLACES for place in row), *CORNERS, EVERYWHERE]
    assert not not_found(places)
    brown, orange, pink, grey, yellow = (0.5, 0.4, 0.3), (0.9, 0.6, 0.2), (0.8, 0.5, 0.7), (0.2,) * 3, (1.0, 1.0, 0.0)
    colours = [*np.eye(3).tolist(), brown, orange, pink, grey, yellow]
    looks = [
        Look(place, 0.5, 0.5, 0.1, area, tuple(colour), (0.5, 0.5, 0.5))
        for place, area, colour in product(places, (0.01, 0.1, 0.5), colours)
    ]
    kinds = {kind for look in looks for kind in kinds_by_look([look], [1.0], ["image"])}
    assert not not_found(kinds)
    for kind in kinds:
        assert " area" not in in_german(kind)
        assert " the " not in in_german(kind)
    assert in_german(f"a bright area in or near {ANY_CORNER}") == "heller Bereich, meist in einer der Ecken"
    assert in_german(f"an area mostly over a {EVERYWHERE}") == "Bereich, meist über einem großen Teil des Bildes"


def test_words_of_lists_are_said() -> None:
    enums = [each.value for names in (VerdictValue, Named, Split, Role, Origin) for each in names]
    same = {"relevant", "test"}
    assert not not_found(set(enums) - same | {Answer.CANT_TELL.value, Kind.ANALYSIS.value, Kind.CRITIQUE.value})
    assert not not_found((*honeypots.THINGS, honeypots.STAR))


def test_reasons_why_a_figure_is_missing_are_said() -> None:
    assert not not_found(
        (
            *(value for name, value in vars(agreement).items() if name.isupper() and isinstance(value, str)),
            *(value for name, value in vars(figures).items() if name.isupper() and isinstance(value, str)),
            calibrate.NOTHING,
            calibrate.ASKED_ONCE,
            calibration.TOO_FEW,
            *(value for name, value in vars(consensus_record).items() if name.isupper()),
            measure.TOO_SMALL,
            regions.TOO_NARROW,
            *(
                value
                for name, value in vars(agree).items()
                if name.isupper() and isinstance(value, str) and " " in value
            ),
            thresholds.choose_thresholds(np.array([0.9]), np.array([1.0]), lambda raw: raw).missing,
        )
    )


def test_the_check_of_an_lvlm_is_said() -> None:
    assert not not_found(text for bar in BARS.values() for text in (bar.asks, bar.why, bar.text))
    assert not not_found(line.asks for line in lines([]))
    assert in_german("at least 80 %") == "mindestens 80 %"


def test_the_reasons_of_verdicts_are_said_with_a_german_comma() -> None:
    doubt = judge.by_probability(0.5, (0.3, 0.7)).reason
    earlier = "The judge gives spurious a probability of 0.50, between 0.3 and 0.7."
    for stored_doubt in (doubt, earlier):
        assert in_german(stored_doubt) == (
            "Der Gutachter gibt „unwesentlich“ eine Wahrscheinlichkeit von 0,50, zwischen den Grenzen 0,3 und 0,7."
        )
    over = f"{doubt.rstrip('.')}, on average over 4 of 5 passes (0.41 to 0.62)."
    assert in_german(over).endswith("im Mittel über 4 von 5 Durchgängen (0,41 bis 0,62).")
    marker = ClassSpecification("healthy", relevant="the joint space", spurious="the marker")
    flag = contradiction("covers the marker", "relevant", marker)
    assert in_german(flag) == "Die Vorgabe nennt „the marker“ unwesentlich, das Urteil lautet aber relevant."
    assert not not_found([contradiction("It is named as spurious.", "relevant", marker)])


def test_what_the_audit_check_found_is_said() -> None:
    link = chain.Link(7, "0" * 64)
    assert in_german(chain.broken(link, "can’t be read: it was changed").broken).startswith(
        "Eintrag 8 ist nicht lesbar"
    )


def test_why_a_realignment_was_locked_is_kept_in_english_and_said_in_german() -> None:
    kept = overridden().locked
    assert kept
    assert not not_found([kept])
    with reading_in("de"):
        assert stored(lock.too_few(20, 3)) == lock.too_few(20, 3)  # said already


def test_a_kind_of_region_keeps_the_words_of_the_lvlm() -> None:
    with reading_in("de"):
        assert in_words("a side marker, upper left corner") == "a side marker, Ecke links oben im Bild"
        assert in_words("middle") == "Bildmitte"


def test_words_of_people_stay_as_they_are() -> None:
    for text in ("", "Knees", "the marker in the corner of healthy knees", "A kappa of 0.4"):
        assert in_german(text) == text
    with reading_in("en"):
        assert stored("spurious") == "spurious"


@pytest.mark.parametrize("message", SENTENCES)
def test_no_sentence_hides_behind_a_more_general_one(message: str) -> None:
    assert sentence_of(example(message))[0] == message


def example(message: str) -> str:
    """The sentence with something in each of its places, and words that are known where only those may stand."""
    known = {
        "change": "lowers the probability of xyz by 3 points",
        "look": "a small area",
        "place": "the middle",
        "where": "in the middle",
        "adjectives": "small",
    }
    return re.sub(r"%\((\w+)\)s", lambda place: known.get(place[1], "xyz"), message).replace("%%", "%")
