"""How far the judge's probabilities are borne out by people's answers, as a calibration stores it."""

from uuid import UUID

from app.models.figures import Estimate, Stored


class CurvePoint(Stored):
    """Regions of about the same probability: what was predicted on average, and the share that people called so."""

    predicted: float
    spurious: Estimate


class Curve(Stored):
    """Of one kind of probability: raw, as the judge gave it, or calibrated."""

    error: Estimate  # expected calibration error, without what chance adds
    by_chance: float | None  # what a perfectly calibrated judge would show on average
    points: tuple[CurvePoint, ...]


class ThresholdFigures(Stored):
    """Between which raw probabilities a verdict is uncertain; ``missing`` says why nothing better is known."""

    target: float
    certainty: float  # that the error rate is no higher than ``wrong.high``
    uncertain_from: float | None
    uncertain_to: float | None
    wrong: Estimate  # of the answered regions that would be decided
    wrong_spurious: Estimate  # of those that would be called spurious
    wrong_relevant: Estimate
    uncertain: float | None  # share of all the critique's regions that would be left uncertain
    uncertain_now: float  # share of them that is, under the thresholds the critique was asked with
    missing: str = ""


class Reliability(Stored):
    critique_id: UUID
    answers: int  # rows of answers when it was worked out: later ones make it old
    regions: int  # with a word of the judge
    answered: int  # of them, those that people agree on being spurious or relevant
    images: int  # with an answered region
    blind: Estimate  # calibration error on what was answered blind, a random sample
    method: str  # identity, temperature or isotonic
    temperature: float | None
    why: str  # why nothing was learned; empty where something was
    raw: Curve
    calibrated: Curve
    passes_agree: Estimate  # share of right verdicts where all passes agreed; missing where there was one pass
    passes_differ: Estimate
    thresholds: ThresholdFigures
