"""How figures, shares and moments are written."""

import math
from datetime import UTC, datetime

import pytest

from app.languages.catalogue import reading_in
from app.languages.figures import (
    NARROW_SPACE,
    NO_BREAK_SPACE,
    coefficient,
    decimal,
    duration,
    estimate_in_words,
    moment,
    percent,
    points,
    probability,
    significant,
    times,
)
from app.models.figures import Estimate


def plain(text: str) -> str:
    return text.replace(NARROW_SPACE, " ").replace(NO_BREAK_SPACE, " ")


def test_a_figure_carries_its_interval_and_its_n() -> None:
    assert "n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}1,000)" in estimate_in_words(Estimate(value=0.929, n=1000))
    assert plain(estimate_in_words(Estimate(value=0.929, low=0.911, high=0.943, n=1000))) == "93 % (91–94, n = 1,000)"
    assert plain(estimate_in_words(Estimate(value=0.5))) == "50 %"


def test_a_missing_figure_says_why() -> None:
    assert estimate_in_words(None) == "not measured yet"
    assert estimate_in_words(Estimate(missing="no group has ten images")) == "no group has ten images"


@pytest.mark.parametrize(("share", "written"), [(0.324, "+32"), (-0.041, "−4"), (0.0, "0"), (-0.001, "0"), (None, "–")])
def test_a_change_always_shows_its_sign(share: float | None, written: str) -> None:
    assert points(share) == written


@pytest.mark.parametrize(("value", "written"), [(0.97, ".97"), (1.0, "1.00"), (0.0, ".00"), (None, "–")])
def test_probabilities_are_written_as_in_the_literature(value: float | None, written: str) -> None:
    assert probability(value) == written


@pytest.mark.parametrize(
    ("seconds", "written"), [(0.2, "1 s"), (59, "59 s"), (61, "1 min"), (3599, "60 min"), (3700, "1 h 2 min")]
)
def test_times_are_no_more_exact_than_estimates_are(seconds: float, written: str) -> None:
    assert plain(duration(seconds)) == written


def test_shares_become_percent() -> None:
    assert plain(percent(0.625)) == "62 %"
    assert plain(percent(0.6251, 1)) == "62.5 %"
    assert percent(None) == "–"


def test_german_has_a_comma_and_points() -> None:
    with reading_in("de"):
        assert (
            plain(estimate_in_words(Estimate(value=0.929, low=0.911, high=0.943, n=1000))) == "93 % (91–94, n = 1.000)"
        )
        assert plain(percent(0.6251, 1)) == "62,5 %"
        assert points(-0.041, 1) == "−4,1"
        assert probability(0.97) == "0,97"
        assert significant(0.4) == "0,4"
        assert decimal(1234.5, 2) == "1.234,50"
        assert coefficient(Estimate(value=0.52, low=-0.21, high=0.78, n=20)) == "0,52 (−0,21 bis 0,78, n = 20)"
        assert estimate_in_words(Estimate(missing="No region stands as spurious yet.")).startswith("Noch gilt kein")


def test_moments_are_unmistakable_in_either_language() -> None:
    at = datetime(2026, 3, 5, 16, 7, tzinfo=UTC)
    english = "Mar~5,~2026, 16:07~UTC".replace("~", "\N{NO-BREAK SPACE}")
    assert moment(at) == f'<time datetime="2026-03-05T16:07+00:00">{english}</time>'
    with reading_in("de"):
        assert ">05.03.2026, 16:07\N{NO-BREAK SPACE}UTC<" in moment(at)


@pytest.mark.parametrize(
    ("nats", "written"),
    [(None, ""), (0.5, ""), (-0.5, ""), (math.log(12), "12"), (-math.log(2.5), "2.5"), (9.0, "more than 1,000")],
)
def test_a_change_of_odds_is_a_factor_where_it_is_worth_a_word(nats: float | None, written: str) -> None:
    assert times(nats) == written
