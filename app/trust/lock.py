"""The trust bar: whether a project's realignment is locked, why, and what would unlock it.

A project without a bar is open, as are those of the command line until an owner sets one: nobody may be there to read.
Without an LVLM only people's words go into a training, so that there is no judge whose trust could be asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from app.languages.catalogue import ENGLISH, gettext, msgid, reading_in
from app.languages.figures import coefficient, significant
from app.languages.stored import stored
from app.models import Project, Role, Run, TrustBar, User
from app.models.trust_record import KEY, TrustRecord
from app.projects.lvlm import NONE, speaker_of
from app.realignment.doubts import Doubt, doubts, found_of
from app.review.blind import blind_cases_left
from app.runs.parameters import Parameters, RealignmentParameters
from app.trust.agreement import ONE_CATEGORY
from app.trust.figures import Agreement, whole_of

# Moderate agreement (Landis and Koch 1977), on nearly all of the 24 cases that a person reads blind.
LEAST_KAPPA, LEAST_CASES = 0.4, 20
TOLERANCE = 1e-9  # a bar of 0.4 is met by 0.4, whatever floats make of it
AFTER_READING = msgid("What is missing is shown once your own blind reading is done.")
OWNERS = msgid("Only who made the project, or an administrator, may start it all the same.")

UNCLEAR = msgid(
    "Say more clearly in the specification what to ignore and what to use, or choose another LVLM, "
    "and ask the critic again."
)
ALIKE = msgid(
    "Nearly all of these cases were called the same, so that kappa says little of the judge: "
    "explain more pictures, so that both kinds of region are read."
)
NOT_THEIRS = msgid("The trust bar is set by who made the project, or by an administrator.")


class LockedError(Exception):
    """The realignment may not start; the message is a sentence for a person."""


@dataclass(frozen=True)
class Lock:
    """``reason`` and ``unlock`` are empty where realignment is open."""

    reason: str = ""
    unlock: str = ""
    tells_judge: bool = False  # how well the judge does, which a blind reader must not learn
    has_bar: bool = True  # one that locks at all
    judged: bool = True  # whether an LVLM gave verdicts

    @property
    def is_open(self) -> bool:
        return not self.reason

    def told(self, *, blind: bool) -> "Lock":
        """As a person may read it who is still to read blind, or no longer."""
        if not (blind and self.tells_judge):
            return self
        return Lock(gettext("The judge is under the trust bar."), gettext(AFTER_READING))


def owns(user: User, project: Project) -> bool:
    """Whether to set the bar and to override it: administrators, and who made the project."""
    return user.role is Role.ADMIN or user.id == project.created_by_id


def bars_of(session: Session, project_id: UUID) -> Sequence[TrustBar]:
    """With who set them, the newest first: it is the one that counts."""
    mine = select(TrustBar).where(TrustBar.project_id == project_id).order_by(TrustBar.created_at.desc())
    return session.scalars(mine.options(joinedload(TrustBar.created_by))).all()


def newest_bar(session: Session, project_id: UUID) -> TrustBar | None:
    mine = select(TrustBar).where(TrustBar.project_id == project_id)
    return session.scalar(mine.order_by(TrustBar.created_at.desc()).limit(1))


def lock_of(session: Session, critique: Run) -> Lock:
    """Of a realignment from this critique; one statement where nothing can lock it."""
    bar, judged = bar_and_judge(session, critique)
    if bar is None or not bar.locks:
        return Lock(has_bar=False, judged=judged)
    return replace(lock_under(bar, whole_of(session, critique), judged=judged), judged=judged)


def bar_and_judge(session: Session, critique: Run) -> tuple[TrustBar | None, bool]:
    """The newest bar of its project, and whether an LVLM judged; one statement."""
    mine = select(TrustBar.id).where(TrustBar.project_id == critique.project_id)
    newest = mine.order_by(TrustBar.created_at.desc()).limit(1).scalar_subquery()
    bars = select(TrustBar, Run.result["lvlm"]).select_from(Run).outerjoin(TrustBar, TrustBar.id == newest)
    bar, lvlm = session.execute(bars.where(Run.id == critique.id)).one()
    return bar, speaker_of(lvlm or NONE) is not None


def lock_under(bar: TrustBar | None, found: Agreement, *, judged: bool) -> Lock:
    """found: over all classes; judged: whether an LVLM gave verdicts at all."""
    if bar is None or not bar.locks or not judged:
        return Lock()
    if found.cases < bar.least_cases:
        return Lock(
            too_few(bar.least_cases, found.cases),
            gettext(
                "Read the open cases of the first reading on the Review page. Where all of them are read and these are "
                "still too few, explain more pictures."
            ),
        )
    kappa = found.kappa
    if kappa.value is None:
        more = gettext("Explain more pictures, so that both kinds of region are read.")
        second = gettext("A second reader may settle more cases.")
        return Lock(
            gettext(
                "How far the judge agrees with blind readers beyond chance can’t be told: %(sentence)s.",
                sentence=stored(kappa.missing),
            ),
            f"{second} {more}" if kappa.missing == ONE_CATEGORY else second,
            tells_judge=True,
        )
    if kappa.value < bar.least_kappa - TOLERANCE:
        return Lock(
            gettext(
                "The judge agrees with blind readers to a kappa of %(kappa)s; the bar asks for at least %(least)s.",
                kappa=coefficient(kappa),
                least=significant(bar.least_kappa, 6),
            ),
            gettext(ALIKE if kappa.missing else UNCLEAR),
            tells_judge=True,
        )
    return Lock()


def too_few(least: int, cases: int) -> str:
    if not cases:
        return gettext("At least %(least)s cases have to be read blind, and nobody has read one yet.", least=least)
    if cases == 1:
        return gettext("At least %(least)s cases have to be read blind, and only 1 is.", least=least)
    return gettext("At least %(least)s cases have to be read blind, and only %(cases)s are.", least=least, cases=cases)


def at_start(session: Session, project_id: UUID, parameters: Parameters, user_id: UUID | None) -> dict[str, Any]:
    """What a run keeps of the trust in its judge and its verdicts; every way to start a realignment comes by here.

    Raises LockedError where the bar locks it, or something else speaks against it, and no owner of the project has
    given a reason to start all the same.
    """
    if not isinstance(parameters, RealignmentParameters):
        return {}
    critique = session.get_one(Run, parameters.critique_id)
    project, user = session.get_one(Project, project_id), session.get(User, user_id) if user_id else None
    (bar, judged), found = bar_and_judge(session, critique), whole_of(session, critique)
    lock, reason = lock_under(bar, found, judged=judged), parameters.override.strip()
    known = found_of(session, critique)
    against = doubts(known)
    is_free = lock.is_open and not against
    if not is_free and not (reason and user is not None and owns(user, project)):
        blind = user is not None and bool(blind_cases_left(session, critique, user))
        raise LockedError(sentences(lock.told(blind=blind), against, overriding=bool(reason), blind=blind))
    with reading_in(ENGLISH):  # as all that is kept, whoever starts it
        locked = lock_under(bar, found, judged=judged).reason
        kept = tuple(each.sentence for each in doubts(known))
    record = TrustRecord(
        judged=judged,
        least_kappa=bar.least_kappa if bar and bar.locks else None,
        least_cases=bar.least_cases if bar and bar.locks else None,
        cases=found.cases,
        kappa=found.kappa,
        locked=locked,
        doubts=kept,
        override="" if is_free else reason,
        overridden_by="" if is_free or user is None else user.display_name,
    )
    return {KEY: record.model_dump(mode="json")}


def sentences(lock: Lock, against: Sequence[Doubt], *, overriding: bool, blind: bool) -> str:
    """Why it may not start and what to do, or who may start it all the same."""
    told = dict.fromkeys([lock.reason, *(each.told(blind=blind) for each in against)])
    return " ".join([each for each in (*told, gettext(OWNERS) if overriding else lock.unlock) if each])


def record_of(run: Run) -> TrustRecord | None:
    """None where the realignment was started before this was kept."""
    return record_in(run.result.get(KEY))


def record_in(kept: dict[str, Any] | None) -> TrustRecord | None:
    """As ``record_of``, of that part of a run's result alone."""
    return TrustRecord.model_validate(kept) if kept else None
