"""How far the judge's probabilities of a critique are borne out by what people answered.

The judge's verdicts and probabilities stay as they are: what its P(spurious) has come to stands beside it.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.db import reading
from app.languages.messages import Message
from app.models import Cluster, Critique, Explanation, Image, Run, Verdict, VerdictValue
from app.models.figures import Estimate
from app.models.reliability import Curve, CurvePoint, Reliability, ThresholdFigures
from app.review.answers import standing_on
from app.review.reliability import KEY, answers_given
from app.review.standing import newest_answers, settle
from app.runs.parameters import CalibrationParameters, CritiqueParameters
from app.statistics import wilson
from worker.method.calibration import CrossFitted, Floats, Indices, Temperature, cross_fit
from worker.method.reliability import calibration_error, reliability_curve
from worker.method.thresholds import CERTAINTY, Side, Thresholds, choose_thresholds, share_uncertain
from worker.tasks.job import Job, Plan, RefusedError, Write

NO_WORD = 0.5  # P(spurious) where the judge had nothing to go by, or could not be read
TRUTHS = {VerdictValue.SPURIOUS: 1.0, VerdictValue.RELEVANT: 0.0}
NOTHING = "nothing was answered yet"
ASKED_ONCE = "each picture was asked about once"


@dataclass(frozen=True)
class Known:
    """The M regions of a critique with a word of the judge, and what people say of them.

    p: (M,); images: (M,) numbered, pictures of one patient alike; truth: (M,) 1 spurious, 0 relevant, NaN where nobody
    or not everybody says so; blind: (M,) whether all answers were given blind; agreement: (M,) of the passes, or NaN.
    """

    verdicts: list[UUID]
    p: Floats
    images: Indices
    truth: Floats
    blind: np.ndarray[Any, np.dtype[np.bool_]]
    agreement: Floats
    answers: int
    thresholds: tuple[float, float]

    @property
    def answered(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        return ~np.isnan(self.truth)


def plan(session: Session, run: Run) -> Plan:
    del session, run
    return Plan(1, 1)


def work(job: Job) -> Write:
    parameters = job.parameters(CalibrationParameters)
    with reading() as session:
        known = known_of(session, session.get_one(Run, parameters.critique_id))
    if not known.verdicts:
        raise RefusedError(
            Message("The judge gave no probability in this critique, so that there is nothing to compare.")
        )
    mine = known.answered
    made = cross_fit(known.p[mine], known.truth[mine], known.images[mine], parameters.seed)
    calibrated = made(known.p, known.images)
    found = reliability(parameters, known, made, calibrated)
    # Each rests on the answers on other images only; where too few were given, on none.
    elsewhere = [sum(known.images[mine] != image) for image in known.images]
    rows = [
        {
            "id": verdict,
            "p_calibrated": None if made.whole.why else float(q),
            "calibrated_on": None if made.whole.why else int(n),
        }
        for verdict, q, n in zip(known.verdicts, calibrated, elsewhere, strict=True)
    ]

    def write(session: Session, run: Run) -> dict[str, Any]:
        session.execute(update(Verdict), rows)
        run.result = {**run.result, KEY: found.model_dump(mode="json")}
        return {}

    return write


def known_of(session: Session, critique: Run) -> Known:
    rows = session.execute(
        select(Verdict.id, Verdict.cluster_id, Verdict.p_spurious, Verdict.agreement, Image.id, Image.patient)
        .join(Critique, Critique.id == Verdict.critique_id)
        .join(Cluster, Cluster.id == Verdict.cluster_id)
        .join(Explanation, Explanation.id == Cluster.explanation_id)
        .join(Image, Image.id == Explanation.image_id)
        .where(Critique.run_id == critique.id, Verdict.p_spurious != NO_WORD)
        .order_by(Explanation.position, Cluster.number)
    ).all()
    truths, blind = answers_of(session, critique)
    parameters = CritiqueParameters.model_validate(critique.parameters)
    pictures = [patient or str(image) for *_, image, patient in rows]
    number = {picture: place for place, picture in enumerate(dict.fromkeys(pictures))}
    return Known(
        verdicts=[row[0] for row in rows],
        p=np.array([row[2] for row in rows], dtype=np.float64),
        images=np.array([number[picture] for picture in pictures], dtype=np.int64),
        truth=np.array([truths.get(row[1], np.nan) for row in rows], dtype=np.float64),
        blind=np.array([row[1] in blind for row in rows], dtype=np.bool_),
        agreement=np.array([np.nan if row[3] is None else row[3] for row in rows], dtype=np.float64),
        answers=answers_given(session, critique.id),
        thresholds=(parameters.uncertain_from, parameters.uncertain_to),
    )


def answers_of(session: Session, critique: Run) -> tuple[dict[UUID, float], set[UUID]]:
    """The truth of each region by people's word, where they know it; and which were answered blind only."""
    given = newest_answers(session, critique.id)
    settled = {cluster_id: settle(said) for cluster_id, said in given.items()}
    truths = {cluster_id: TRUTHS[value] for cluster_id, value in settled.items() if value in TRUTHS}
    standing = standing_on(critique)
    seen = set(session.scalars(select(standing.c.cluster_id).where(standing.c.blind.is_(False))))
    seen |= {cluster_id for cluster_id, said in given.items() if said.settled is not None}
    return truths, truths.keys() - seen


def reliability(parameters: CalibrationParameters, known: Known, made: CrossFitted, calibrated: Floats) -> Reliability:
    mine, fitted = known.answered, made.whole.map
    p, q, truth, images = known.p[mine], calibrated[mine], known.truth[mine], known.images[mine]
    chosen = choose_thresholds(q, truth, fitted, parameters.target_error)
    on_blind = known.blind[mine]
    return Reliability(
        critique_id=parameters.critique_id,
        answers=known.answers,
        regions=len(known.p),
        answered=len(p),
        images=made.whole.images,
        blind=error_of(p[on_blind], truth[on_blind], images[on_blind], parameters.seed)[0],
        method=fitted.name,
        temperature=1 / fitted.slope if isinstance(fitted, Temperature) and fitted.slope else None,
        why=made.whole.why,
        raw=curve(p, truth, images, parameters.seed),
        calibrated=curve(q, truth, images, parameters.seed),
        passes_agree=right(known, known.agreement == 1),
        passes_differ=right(known, known.agreement < 1),
        thresholds=thresholds_of(chosen, parameters.target_error, known),
    )


def curve(p: Floats, truth: Floats, images: Indices, seed: int) -> Curve:
    error, by_chance = error_of(p, truth, images, seed)
    points = tuple(
        CurvePoint(
            predicted=each.predicted, spurious=Estimate(value=each.observed, low=each.low, high=each.high, n=each.n)
        )
        for each in reliability_curve(p, truth)
    )
    return Curve(error=error, by_chance=by_chance, points=points)


def error_of(p: Floats, truth: Floats, images: Indices, seed: int) -> tuple[Estimate, float | None]:
    if not len(p):
        return Estimate(missing=NOTHING), None
    found = calibration_error(p, truth, images, seed=seed)
    return Estimate(value=found.value, low=found.low, high=found.high, n=found.n), found.by_chance


def right(known: Known, among: np.ndarray[Any, np.dtype[np.bool_]]) -> Estimate:
    """Share of the answered regions, among some, of which the judge's side is people's."""
    if np.isnan(known.agreement).all():
        return Estimate(missing=ASKED_ONCE)
    here = known.answered & among
    agrees = (known.p[here] > NO_WORD) == (known.truth[here] > NO_WORD)
    return wilson(int(agrees.sum()), int(here.sum()))


def thresholds_of(chosen: Thresholds, target: float, known: Known) -> ThresholdFigures:
    low, high = chosen.uncertain_from, chosen.uncertain_to
    rate = chosen.wrong / chosen.decided if chosen.decided else None
    return ThresholdFigures(
        target=target,
        certainty=CERTAINTY,
        uncertain_from=low,
        uncertain_to=high,
        wrong=Estimate(value=rate, low=None if rate is None else 0.0, high=chosen.most, n=chosen.decided)
        if rate is not None
        else Estimate(missing=NOTHING),
        wrong_spurious=wrong(chosen.spurious),
        wrong_relevant=wrong(chosen.relevant),
        uncertain=None if low is None or high is None else share_uncertain(known.p, low, high),
        uncertain_now=share_uncertain(known.p, *known.thresholds),
        missing=chosen.missing,
    )


def wrong(side: Side) -> Estimate:
    return wilson(side.wrong, side.decided) if side.decided else Estimate(missing="none would be")
