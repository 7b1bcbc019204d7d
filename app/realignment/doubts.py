"""Do no harm: what speaks against a realignment before it is trained, and what to do about it.

The page tells it, every way to start one asks for an owner's reason where there is something, and the run itself looks
once more before it trains. The figures below are floors: over them a realignment may still fail its acceptance bar.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, aliased

from app.languages.catalogue import gettext
from app.languages.figures import coefficient, percent
from app.languages.messages import Message, told
from app.models import Explanation, Image, Run, TargetClass
from app.models.consensus_record import NO_PATTERN
from app.models.figures import Estimate
from app.realignment.ingredients import Ingredients, ingredients_after
from app.review.standing import newest_consensus
from app.statistics import wilson
from app.trust.figures import kappa_of

# One in five is held out to choose the epoch by: with fewer not even one could be, beside five to learn from.
LEAST_PICTURES = 6
# A judge that errs in 45 of 100 cases has about this kappa; with fewer cases a good one may have it by chance.
CHANCE, LEAST_CASES = 0.1, 12
# Of the regions, those on which the consensus says otherwise than the judge. With independent errors it is the judge's
# error rate: at .40 the consensus is still right (METHOD, stage 8), towards .50 nothing is left to agree on.
FAR = 0.45


@dataclass(frozen=True)
class Found:
    """What there is before the training.

    kappa: of the judge's verdicts with blind readers; fell_back, differ: of the newest consensus, why it compared
    nothing, and the share of the regions on which it says otherwise than the judge; without: classes of which no
    picture is explained.
    """

    ingredients: Ingredients
    kappa: Estimate
    fell_back: str
    differ: Estimate
    without: Sequence[str]


@dataclass(frozen=True)
class Doubt:
    """A sentence that says what is wrong and what to do."""

    sentence: Message
    tells_judge: bool = False  # how well the judge does, which a blind reader must not learn

    def told(self, *, blind: bool) -> str:
        if not (blind and self.tells_judge):
            return told(self.sentence)
        return gettext("The verdicts look doubtful: why is shown once your own blind reading is done.")


def found_of(session: Session, critique: Run) -> Found:
    """Three statements."""
    consensus, analysis = aliased(Run), UUID(critique.parameters["analysis_id"])
    explained = exists().where(
        Explanation.run_id == analysis, Explanation.image_id == Image.id, Image.class_id == TargetClass.id
    )
    rows = session.execute(
        select(TargetClass.name, explained, consensus.id)
        .add_columns(consensus.result["fell_back"].as_string(), consensus.result["difference"])
        .outerjoin(consensus, consensus.id == newest_consensus(critique.id))
        .where(TargetClass.project_id == critique.project_id)
        .order_by(TargetClass.position)
    ).all()
    consensus_id, fell_back, difference = rows[0][2:] if rows else (None, None, None)
    return Found(
        ingredients=ingredients_after(session, critique, consensus_id),
        kappa=kappa_of(session, critique),
        fell_back=fell_back or "",
        differ=differ(difference),
        without=[name for name, is_explained, *_ in rows if not is_explained],
    )


def differ(found: dict[str, Any] | None) -> Estimate:
    return wilson(found["differ"], found["clusters"]) if found else Estimate(missing="not measured")


def doubts(found: Found) -> list[Doubt]:
    """What speaks against training on this; nothing speaks against what was not measured."""
    return [*too_few(found.ingredients.with_spurious), *judge_doubts(found), *missing_classes(found.without)]


def too_few(pictures: int) -> list[Doubt]:
    if pictures == 0 or pictures >= LEAST_PICTURES:  # none at all is refused with words of its own
        return []
    if pictures == 1:
        sentence = Message(
            "Only 1 picture has a spurious region, too few to learn from: at least %(least)s are needed. "
            "Review more regions, or explain more pictures.",
            least=LEAST_PICTURES,
        )
    else:
        sentence = Message(
            "Only %(number)s pictures have a spurious region, too few to learn from: at least %(least)s are needed. "
            "Review more regions, or explain more pictures.",
            number=pictures,
            least=LEAST_PICTURES,
        )
    return [Doubt(sentence)]


def judge_doubts(found: Found) -> list[Doubt]:
    sentences = []
    if is_noise(found):
        sentences.append(
            Message(
                "The judge’s verdicts look like noise: similar regions have nothing in common in them. "
                "Review more regions, or say more clearly in the specification what to ignore."
            )
        )
    if is_far(found):
        sentences.append(
            Message(
                "Similar regions say otherwise than the judge on %(share)s of the regions (n = %(n)s). "
                "Review more regions, or say more clearly in the specification what to ignore.",
                share=percent(found.differ.value),
                n=found.differ.n,
            )
        )
    if is_chance(found):
        sentences.append(
            Message(
                "The judge agrees with blind readers hardly more than by chance: kappa %(kappa)s. "
                "Review more regions, or say more clearly in the specification what to ignore.",
                kappa=coefficient(found.kappa),
            )
        )
    return [Doubt(sentence, tells_judge=True) for sentence in sentences]


def is_noise(found: Found) -> bool:
    return found.fell_back == NO_PATTERN


def is_far(found: Found) -> bool:
    return found.differ.value is not None and found.differ.value > FAR


def is_chance(found: Found) -> bool:
    """Whether the judge agrees with people hardly more than by chance; for certain, where similar regions bear it out.

    Of 24 cases a judge that errs in 40 of 100 has such a kappa in every third draw, and the consensus puts its errors
    right; of noise the consensus compares nothing (``rightreasons benchmark doubts``).
    """
    kappa, is_borne_out = found.kappa, found.differ.value is not None and not found.fell_back
    if kappa.value is None or kappa.n < LEAST_CASES:
        return False
    return (kappa.high if is_borne_out and kappa.high is not None else kappa.value) < CHANCE


def missing_classes(names: Sequence[str]) -> list[Doubt]:
    sentence = Message(
        "No picture of these classes is explained, so that nobody has seen what the model goes by there: %(names)s. "
        "Explain pictures of every class.",
        names=", ".join(names),
    )
    return [Doubt(sentence)] if names else []
