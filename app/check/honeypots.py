"""How critic and judge did on what was planted in copies of a project's own pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Honeypot, Kind, Named, Project, Run, State
from app.models.figures import Estimate
from app.statistics import wilson

SHOWN = 6


@dataclass(frozen=True)
class Score:
    """caught: of what was named spurious, how much was judged so; spared: the same of what was named relevant."""

    pots: Sequence[Honeypot]
    caught: Estimate
    spared: Estimate

    @property
    def shown(self) -> Sequence[Honeypot]:
        """A few, what was judged wrongly first."""
        return sorted(self.pots, key=lambda pot: pot.value.value == pot.named.value)[:SHOWN]


def newest_score(session: Session, project: Project) -> Score | None:
    """Of the newest honeypots that the LVLM which the project has now was asked about; None where there are none."""
    newest = (
        select(Run.id)
        .where(
            Run.project_id == project.id,
            Run.kind == Kind.HONEYPOT,
            Run.state == State.SUCCEEDED,
            Run.result["lvlm"].as_string() == project.lvlm,
        )
        .order_by(Run.created_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    pots = session.scalars(select(Honeypot).where(Honeypot.run_id == newest).order_by(Honeypot.id)).all()
    return Score(pots, share(pots, Named.SPURIOUS), share(pots, Named.RELEVANT)) if pots else None


def share(pots: Sequence[Honeypot], named: Named) -> Estimate:
    mine = [pot.value.value == named.value for pot in pots if pot.named is named]
    return wilson(sum(mine), len(mine))
