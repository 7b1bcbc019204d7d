"""Whom a reader is needed for most comes first."""

from uuid import UUID

from app.models import VerdictValue
from app.review.order import need

A, B = UUID(int=1), UUID(int=2)
SURE, UNSURE = VerdictValue.RELEVANT, VerdictValue.UNCERTAIN


def test_first_come_the_places_then_what_is_uncertain_then_doubt_times_influence():
    in_order = [
        need(1, SURE, 0.0, 0.0, B),
        need(2, SURE, 0.0, 0.0, A),
        need(None, UNSURE, 0.5, 0.9, A),
        need(None, UNSURE, 0.5, 0.2, A),
        need(None, UNSURE, 0.9, 0.3, A),
        need(None, SURE, 0.6, 1.0, A),
        need(None, SURE, 0.1, 1.0, A),
        need(None, SURE, 0.1, 1.0, B),
    ]
    mixed = [*in_order[4:], *in_order[:4]]
    assert sorted(mixed) == in_order
