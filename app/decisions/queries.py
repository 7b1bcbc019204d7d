"""What the Compare page shows: a realigned checkpoint beside its parent and its control, on the same pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session, aliased, joinedload

from app.decisions import acceptance
from app.languages.catalogue import gettext
from app.models import Checkpoint, Decision, Image, Origin, Prediction, Project, Report, Run, Split
from app.models.figures import Figures, Settling
from app.models.guard_record import KEY as GUARD
from app.models.guard_record import GuardRecord
from app.models.trust_record import KEY as TRUST
from app.models.trust_record import TrustRecord
from app.projects.known import Made, known_of, standing_before, unapproved_rounds
from app.runs.parameters import AcceptanceBar, AnalysisParameters, RealignmentParameters
from app.statistics import mcnemar
from app.trust.lock import record_in

PICTURES = 12


@dataclass(frozen=True)
class Measured:
    report: Report
    figures: Figures


@dataclass(frozen=True)
class Paired:
    """The same images answered by both checkpoints."""

    both_right: int
    both_wrong: int
    newly_right: int
    newly_wrong: int

    @property
    def n(self) -> int:
        return self.both_right + self.both_wrong + self.newly_right + self.newly_wrong

    @property
    def p(self) -> float:
        return mcnemar(self.newly_right, self.newly_wrong)


@dataclass(frozen=True)
class Pair:
    """One image with both answers."""

    image: Image
    before: Prediction
    after: Prediction

    @property
    def change(self) -> str:
        if self.before.correct == self.after.correct:
            return "unchanged"
        return "newly right" if self.after.correct else "newly wrong"


@dataclass(frozen=True)
class Settled:
    """What one change of the spurious regions does to the answers, before and after."""

    operation: str
    regions: str
    before: Settling | None
    after: Settling

    @property
    def way(self) -> str:
        """After: answers that change when the spurious thing is."""
        told = {
            "remove": gettext("taken away"),
            "add": gettext("added"),
            "cover": gettext("not added, but its place filled in from around it"),
            "move": gettext("moved to another class"),
        }
        return told.get(self.operation, self.operation)


@dataclass(frozen=True)
class Comparison:
    after: Checkpoint
    before: Checkpoint
    control: Checkpoint | None
    parameters: RealignmentParameters
    split: Split
    measured_before: Measured | None
    measured_after: Measured | None
    measured_control: Measured | None
    standing: Checkpoint | None  # that was given or approved last, where ``before`` is neither
    measured_standing: Measured | None
    trust: TrustRecord | None  # in the judge, as it stood when the realignment was started
    guard: GuardRecord | None  # which epoch this is; none where its training was not guarded yet
    guards: Sequence[GuardRecord]  # of all trainings since ``standing``, where there is one, this among them

    @property
    def is_measured(self) -> bool:
        return self.measured_before is not None and self.measured_after is not None

    def rests_on(self, before_report_id: UUID, after_report_id: UUID) -> bool:
        """Whether these are the reports of its figures: a signature is for what the signer saw."""
        measured = (self.measured_before, self.measured_after)
        return [each.report.id for each in measured if each] == [before_report_id, after_report_id]

    @property
    def lines(self) -> list[acceptance.Line]:
        if self.measured_before is None or self.measured_after is None:
            return []
        bar, before, after = self.parameters.bar, self.measured_before.figures, self.measured_after.figures
        owed = acceptance.Owed.of([self.guard] if self.guard else [], bar.owed_at_most)
        return acceptance.lines(
            bar, before, after, owed, earlier(self.standing, self.measured_standing, self.guards, bar)
        )

    @property
    def may_be_approved(self) -> bool:
        """Whether the bar is met, as far as it was measured, now and while it was trained."""
        is_kept = self.guard is None or self.guard.keeps
        return self.is_measured and is_kept and all(line.met is not False for line in self.lines)

    @property
    def settled(self) -> list[Settled]:
        if self.measured_after is None:
            return []
        earlier = self.measured_before.figures.settling if self.measured_before else []
        known = {(each.operation, each.regions): each for each in earlier}
        return [
            Settled(each.operation, each.regions, known.get((each.operation, each.regions)), each)
            for each in self.measured_after.figures.settling
        ]


def compare(session: Session, after: Checkpoint, made: Sequence[Made] = ()) -> Comparison:
    """The figures are those of ``Reports.of_both``, on test images, else on validation images.

    Two statements; one more where the checkpoint before was realigned itself, one where its project's are not given.
    made: all checkpoints of the project, where they are known.
    """
    rows = session.execute(
        select(Checkpoint, Run.parameters, Run.result[TRUST], Run.result[GUARD])
        .select_from(Run)
        .join(Checkpoint, (Checkpoint.run_id == Run.id) | (Checkpoint.id == after.parent_id))
        .where(Run.id == after.run_id)
    ).all()
    family, (_, parameters, trust, guard) = [row[0] for row in rows], rows[0]
    before = next(each for each in family if each.id == after.parent_id)
    control = next((each for each in family if each.origin is Origin.CONTROL and each.run_id == after.run_id), None)
    standing, guards = None, [guard_in(guard)]
    if before.origin is Origin.REALIGNED:
        made = made or all_made(session, before.project_id)
        standing = standing_before(made, before.id)
        guards += guards_of(session, unapproved_rounds(made, before.id))
    reports = reports_of(session, [each.id for each in (*family, standing) if each])
    split, run_id = reports.of_both(before.id, after.id)
    return Comparison(
        after=after,
        before=before,
        control=control,
        parameters=RealignmentParameters.model_validate(parameters),
        split=split,
        measured_before=reports.measured(before.id, split, run_id),
        measured_after=reports.measured(after.id, split, run_id),
        measured_control=reports.measured(control.id, split, run_id) if control else None,
        standing=standing,
        measured_standing=reports.measured(standing.id, split, run_id) if standing else None,
        trust=record_in(trust),
        guard=guards[0],
        guards=[each for each in guards if each],
    )


def guard_in(stored: dict[str, Any] | None) -> GuardRecord | None:
    return GuardRecord.model_validate(stored) if stored else None


def guards_of(session: Session, realigned: Sequence[Checkpoint]) -> list[GuardRecord | None]:
    """Of the runs that made them, in no order."""
    if not realigned:
        return []
    runs = [each.run_id for each in realigned]
    return [guard_in(stored) for stored in session.scalars(select(Run.result[GUARD]).where(Run.id.in_(runs)))]


def all_made(session: Session, project_id: UUID) -> Sequence[Made]:
    project = session.get_one(Project, project_id)
    return known_of(session, [project])[project.id].made


def explained_like_before(session: Session, comparison: Comparison) -> AnalysisParameters:
    """To explain the realigned checkpoint as the one before was explained for this realignment."""
    critique = session.get_one(Run, comparison.parameters.critique_id)
    analysis = session.get_one(Run, UUID(critique.parameters["analysis_id"]))
    asked = AnalysisParameters.model_validate(analysis.parameters)
    return asked.model_copy(update={"checkpoint_id": comparison.after.id})


def earlier(
    standing: Checkpoint | None, measured: Measured | None, guards: Sequence[GuardRecord], bar: AcceptanceBar
) -> acceptance.Earlier | None:
    """guards: of all trainings since."""
    if standing is None or measured is None:
        return None
    return acceptance.Earlier(standing.number, measured.figures, acceptance.Owed.of(guards, bar.owed_at_most))


@dataclass(frozen=True)
class Reports:
    """All that were made of some checkpoints, the newest first."""

    rows: Sequence[Report]

    def of_both(self, before_id: UUID, after_id: UUID) -> tuple[Split, UUID | None]:
        """The split, and the newest run that measured both on it: on the same pictures, by the same verdicts.

        Where each was measured by itself alone there is no such run. A parent is measured anew with each of its
        children, which must not change what stands beside an older child, signed or not.
        """
        is_tested = any(each.checkpoint_id == after_id and each.split is Split.TEST for each in self.rows)
        split = Split.TEST if is_tested else Split.VALIDATION
        of_before = {each.run_id for each in self.rows if each.checkpoint_id == before_id and each.split is split}
        of_after = [each.run_id for each in self.rows if each.checkpoint_id == after_id and each.split is split]
        return split, next((run_id for run_id in of_after if run_id in of_before), None)

    def measured(self, checkpoint_id: UUID, split: Split, run_id: UUID | None) -> Measured | None:
        """The newest of that run, or of any where it has none."""
        mine = [each for each in self.rows if each.checkpoint_id == checkpoint_id and each.split is split]
        found = next((each for each in mine if each.run_id == run_id), mine[0] if mine else None)
        return Measured(found, Figures.model_validate(found.figures)) if found else None


def reports_of(session: Session, checkpoint_ids: Sequence[UUID]) -> Reports:
    mine = select(Report).where(Report.checkpoint_id.in_(checkpoint_ids))
    return Reports(session.scalars(mine.order_by(Report.created_at.desc(), Report.id)).all())


def newest_reports(session: Session, checkpoint_ids: Sequence[UUID]) -> dict[tuple[UUID, Split], Measured]:
    newest = (
        func.row_number()
        .over(partition_by=(Report.checkpoint_id, Report.split), order_by=(Report.created_at.desc(), Report.id))
        .label("place")
    )
    ranked = select(Report.id, newest).where(Report.checkpoint_id.in_(checkpoint_ids)).subquery()
    reports = session.scalars(select(Report).join(ranked, ranked.c.id == Report.id).where(ranked.c.place == 1))
    return {
        (report.checkpoint_id, report.split): Measured(report, Figures.model_validate(report.figures))
        for report in reports
    }


def paired(session: Session, comparison: Comparison, limit: int = PICTURES) -> tuple[Paired | None, list[Pair]]:
    """How the answers on the same images changed, and some of them: newly wrong ones first, then newly right ones.

    None and no pair where the single answers of one of the two were not kept.
    """
    if comparison.measured_before is None or comparison.measured_after is None:
        return None, []
    before, after = aliased(Prediction), aliased(Prediction)
    kinds = [(was, now) for was in (True, False) for now in (True, False)]
    numbers = [func.count().filter(before.correct.is_(was), after.correct.is_(now)).over() for was, now in kinds]
    order = case((before.correct & ~after.correct, 0), (after.correct & ~before.correct, 1), else_=2)
    rows = session.execute(
        select(before, after, Image, *numbers)
        .join(after, after.image_id == before.image_id)
        .join(Image, Image.id == before.image_id)
        .where(
            before.run_id == comparison.measured_before.report.run_id,
            before.checkpoint_id == comparison.before.id,
            after.run_id == comparison.measured_after.report.run_id,
            after.checkpoint_id == comparison.after.id,
            Image.split == comparison.split,
        )
        .order_by(order, Image.position)
        .limit(limit)
    ).all()
    if not rows:
        return None, []
    counts = dict(zip(kinds, rows[0][3:], strict=True))  # of all pairs, on each of the rows
    found = Paired(
        both_right=counts[True, True],
        both_wrong=counts[False, False],
        newly_right=counts[False, True],
        newly_wrong=counts[True, False],
    )
    return found, [Pair(image, was, now) for was, now, image, *_ in rows]


def decisions_on(session: Session, checkpoint: Checkpoint) -> Sequence[Decision]:
    """The newest first: it is the one that counts."""
    return session.scalars(
        select(Decision)
        .where(Decision.checkpoint_id == checkpoint.id)
        .order_by(Decision.created_at.desc())
        .options(joinedload(Decision.user))
    ).all()
