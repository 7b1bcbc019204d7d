"""How far the judge of a critique agrees with what people said of its regions before they saw a verdict.

A case is one region. What its blind readers agree on is the reference; a region on which they differ, or which they
can't tell, is left out of every figure but those that count such regions. So is one that the judge leaves uncertain.
How an adjudicator settles a region is no blind answer, for they saw the others' first: it changes none of these.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Subquery, func, select
from sqlalchemy.orm import Session

from app.languages.catalogue import gettext
from app.models import Answer, Critique, Explanation, Image, Project, Review, Run, Verdict, VerdictValue
from app.models.figures import Estimate
from app.review.answers import is_judged
from app.statistics import wilson
from app.trust.agreement import cohens_kappa, fleiss_kappa, krippendorffs_alpha

DECIDED = {Answer.SPURIOUS, Answer.RELEVANT}
NOBODY = "nobody has read blind yet"
NONE_HERE = "nobody has read a case of this class blind"
ALONE = "only one person has read these cases blind; a second reader reads the same ones"
NONE_SPURIOUS = "readers called no judged region spurious"
NONE_RELEVANT = "readers called no judged region relevant"
TWO = 2


@dataclass(frozen=True)
class Case:
    """One region that somebody read blind: the judge's word and that of every reader."""

    class_id: UUID
    judged: VerdictValue
    answers: dict[UUID, Answer]

    @property
    def reference(self) -> Answer | None:
        """What its readers agree on: spurious or relevant, or none."""
        given = set(self.answers.values())
        return next(iter(given)) if len(given) == 1 and given <= DECIDED else None

    @property
    def pair(self) -> tuple[str, str] | None:
        """The judge's word and the readers', where both are spurious or relevant."""
        if self.reference is None or self.judged is VerdictValue.UNCERTAIN:
            return None
        return self.judged.value, self.reference.value

    @property
    def decided(self) -> dict[UUID, str]:
        return {reader: answer.value for reader, answer in self.answers.items() if answer in DECIDED}


@dataclass(frozen=True)
class Agreement:
    """Over the cases of one class, or over all: positive is spurious."""

    name: str
    cases: int  # that somebody has read blind
    readings: int  # answers given on them
    sensitivity: Estimate
    specificity: Estimate
    kappa: Estimate
    uncertain: Estimate  # cases that the judge left uncertain
    cant_tell: Estimate  # answers that were "can't tell"
    differ: Estimate  # cases on which several readers gave different answers, of those with several
    readers: int
    between: Estimate  # agreement of the readers among themselves: Cohen's kappa of two, Krippendorff's alpha of more
    fleiss: Estimate | None = None  # of three or more readers, on what each of them called one or the other


@dataclass(frozen=True)
class Trust:
    whole: Agreement
    classes: Sequence[Agreement]


def trust_in(session: Session, project: Project, critique: Run) -> Trust:
    """Of the judge of this critique, in all and by class: one statement."""
    cases = blind_cases(session, critique)
    by_class = [
        agreement_on(target.name, [case for case in cases if case.class_id == target.id], NONE_HERE)
        for target in project.classes
    ]
    return Trust(agreement_on(gettext("All classes"), cases, NOBODY), by_class)


def whole_of(session: Session, critique: Run) -> Agreement:
    return agreement_on(gettext("All classes"), blind_cases(session, critique), NOBODY)


def kappa_of(session: Session, critique: Run) -> Estimate:
    """That of ``whole_of`` alone: the intervals of the other figures take time."""
    return kappa_on(blind_cases(session, critique), NOBODY)


def kappa_on(cases: Sequence[Case], without: str) -> Estimate:
    """Of the judge with its readers."""
    return cohens_kappa([pair for case in cases if (pair := case.pair)]) if cases else Estimate(missing=without)


def blind_cases(session: Session, critique: Run) -> list[Case]:
    blind = blind_answers(critique)
    rows = session.execute(
        select(Verdict.cluster_id, Image.class_id, Verdict.value, blind.c.user_id, blind.c.answer)
        .join(Critique, Critique.id == Verdict.critique_id)
        .join(Explanation, Explanation.id == Critique.explanation_id)
        .join(Image, Image.id == Explanation.image_id)
        .join(blind, blind.c.cluster_id == Verdict.cluster_id)
        .where(Critique.run_id == critique.id)
        .order_by(Verdict.cluster_id, blind.c.user_id)
    )
    cases: dict[UUID, Case] = {}
    for cluster_id, class_id, judged, reader, answer in rows:
        cases.setdefault(cluster_id, Case(class_id, judged, {})).answers[reader] = answer
    return list(cases.values())


def blind_answers(critique: Run) -> Subquery:
    """The newest blind answer of every reader that was not taken back: what is said after it, it outlasts."""
    newest = func.row_number().over(
        partition_by=(Review.cluster_id, Review.user_id), order_by=(Review.created_at.desc(), Review.id)
    )
    ranked = (
        select(Review.cluster_id, Review.user_id, Review.answer, newest.label("place"))
        .where(Review.blind.is_(True), is_judged(critique, Review.cluster_id))
        .subquery()
    )
    return select(ranked).where(ranked.c.place == 1, ranked.c.answer != Answer.WITHDRAWN).subquery()


def agreement_on(name: str, cases: Sequence[Case], without: str) -> Agreement:
    """without: what a figure says where there is no case at all."""
    pairs = [pair for case in cases if (pair := case.pair)]
    answers = [answer for case in cases for answer in case.answers.values()]
    several = [case for case in cases if len(case.answers) > 1]
    return Agreement(
        name=name,
        cases=len(cases),
        readings=len(answers),
        sensitivity=found(pairs, Answer.SPURIOUS, NONE_SPURIOUS if cases else without),
        specificity=found(pairs, Answer.RELEVANT, NONE_RELEVANT if cases else without),
        kappa=kappa_on(cases, without),
        uncertain=share([case.judged is VerdictValue.UNCERTAIN for case in cases], without),
        cant_tell=share([answer is Answer.CANT_TELL for answer in answers], without),
        differ=share([len(set(case.answers.values())) > 1 for case in several], ALONE if cases else without),
        readers=len({reader for case in cases for reader in case.answers}),
        between=between(cases, without),
        fleiss=among_all(cases),
    )


def found(pairs: Sequence[tuple[str, str]], truth: Answer, without: str) -> Estimate:
    """Share of what readers called so that the judge called so too."""
    return share([judged == truth.value for judged, reference in pairs if reference == truth.value], without)


def share(hits: Sequence[bool], without: str) -> Estimate:
    return wilson(sum(hits), len(hits)) if hits else Estimate(missing=without)


def among_all(cases: Sequence[Case]) -> Estimate | None:
    """Fleiss' kappa, which is defined where every reader has answered; None where there are not three of them."""
    readers = {reader for case in cases for reader in case.answers}
    if len(readers) <= TWO:
        return None
    return fleiss_kappa([list(case.decided.values()) for case in cases if len(case.decided) == len(readers)])


def between(cases: Sequence[Case], without: str) -> Estimate:
    """How far the readers agree, on cases that at least two of them called spurious or relevant."""
    readers = sorted({reader for case in cases for reader in case.answers})
    if len(readers) < TWO:
        return Estimate(missing=ALONE if cases else without)
    if len(readers) > TWO:
        return krippendorffs_alpha([list(case.decided.values()) for case in cases])
    one, other = readers
    both = [case.decided for case in cases if len(case.decided) == TWO]
    return cohens_kappa([(decided[one], decided[other]) for decided in both])
