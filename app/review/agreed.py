"""What the newest consensus of a critique has to tell a reader: where it differs from the judge, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, literal, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session, joinedload

from app.languages.stored import stored
from app.models import (
    AgreedVerdict,
    Cluster,
    Critique,
    Explanation,
    Kind,
    Review,
    Run,
    State,
    Verdict,
    VerdictValue,
)
from app.models.figures import Estimate
from app.review.standing import Said, by_cluster, newest_consensus, settle
from app.runs.queries import WITHOUT_RESULT, results_of, runs_on
from app.statistics import wilson

# A kind of region is to be read by people where at least so much of it differs for certain, until so many have been.
LARGE, ENOUGH = 0.1, 4


@dataclass(frozen=True)
class Difference:
    """How far the consensus is from the judge, over all regions or within one kind; the first has no kind."""

    kind: int | None
    name: str
    regions: int
    reviewed: int  # regions with a person's word
    judged_spurious: float  # share, by the judge
    found_spurious: float  # share, by similar regions and people
    differ: Estimate

    @property
    def is_large(self) -> bool:
        return self.differ.low is not None and self.differ.low >= LARGE

    @property
    def asks_for_reviews(self) -> bool:
        return self.is_large and self.reviewed < ENOUGH


@dataclass(frozen=True)
class Differences:
    """whole and kinds are those of the newest consensus done; ``whole`` is None where there is none."""

    whole: Difference | None
    kinds: Sequence[Difference]
    fell_back: str  # why verdicts on similar regions were not compared
    needed: str  # what people's words alone have to come to, where they have not
    under_way: bool
    error: str  # of the newest one, where it failed

    @property
    def to_read(self) -> Sequence[Difference]:
        return [kind for kind in self.kinds if kind.asks_for_reviews]


@dataclass(frozen=True)
class Similar:
    """A region of another picture that looks like the one asked about."""

    cluster: Cluster
    value: VerdictValue
    by_person: bool


def agreed_on(critique: Run, cluster_id: InstrumentedAttribute[UUID]) -> ColumnElement[bool]:
    """Joins what the newest consensus says of a cluster."""
    return and_(AgreedVerdict.cluster_id == cluster_id, AgreedVerdict.run_id == newest_consensus(critique.id))


def differences_of(session: Session, critique: Run) -> Differences:
    runs = session.scalars(runs_on(critique.id, Kind.CONSENSUS).options(*WITHOUT_RESULT)).all()
    done = next((run for run in runs if run.state is State.SUCCEEDED), None)
    parts = ("difference", "kinds", "fell_back", "needed")
    whole, kinds, fell_back, needed = results_of(session, done.id, *parts) if done else (None,) * len(parts)
    return Differences(
        whole=difference(whole) if whole else None,
        kinds=[difference(kind) for kind in kinds or []],
        fell_back=fell_back or "",
        needed=needed or "",
        under_way=bool(runs) and not runs[0].state.is_final,
        error=runs[0].error if runs and runs[0].state is State.FAILED else "",
    )


def difference(told: dict[str, Any]) -> Difference:
    """As the worker keeps it in the run's result."""
    return Difference(
        kind=told.get("kind"),
        name=in_words(told.get("name", "")),
        regions=told["clusters"],
        reviewed=told["reviewed"],
        judged_spurious=told["judged_spurious"],
        found_spurious=told["found_spurious"],
        differ=wilson(told["differ"], told["clusters"]),
    )


def similar_regions(
    session: Session, critique: Run, agreed: AgreedVerdict, closed: Select[UUID] | None
) -> list[Similar]:
    """Why it was agreed so: the review that decided first, where one did, then the nearest regions.

    closed: those that the reader is still to read a second time, of which people's word is not told.
    """
    chosen = [agreed.reason_id, *(UUID(each) for each in agreed.nearest)]
    ids = list(dict.fromkeys(each for each in chosen if each is not None))
    told = and_(Review.cluster_id == Cluster.id, true() if closed is None else Cluster.id.not_in(closed))
    rows = session.execute(
        select(Cluster, Verdict.value, Review)
        .select_from(Cluster)
        .outerjoin(Critique, and_(Critique.explanation_id == Cluster.explanation_id, Critique.run_id == critique.id))
        .outerjoin(Verdict, and_(Verdict.critique_id == Critique.id, Verdict.cluster_id == Cluster.id))
        .outerjoin(Review, told)
        .where(Cluster.id.in_(ids))
        .order_by(Review.created_at, Review.id)
        .options(joinedload(Cluster.explanation).joinedload(Explanation.image))
    ).all()
    said = by_cluster(review for _, _, review in rows if review is not None)
    found = {cluster.id: similar(cluster, value, said.get(cluster.id, Said())) for cluster, value, _ in rows}
    return [found[each] for each in ids if each in found]


def rests_on(session: Session, agreed: AgreedVerdict, closed: Select[UUID]) -> bool:
    """Whether it is somebody's word, carried over from a region that the reader is still to read: it would tell it."""
    return agreed.reason_id is not None and session.scalar(select(literal(agreed.reason_id).in_(closed))) is True


def similar(cluster: Cluster, judged: VerdictValue | None, said: Said) -> Similar:
    settled = settle(said)
    return Similar(cluster, settled or judged or VerdictValue.UNCERTAIN, by_person=settled is not None)


def in_words(name: str) -> str:
    """A kind's name as the worker stores it: what most of its regions are called, if anything, and where they lie."""
    called, comma, place = name.rpartition(", ")
    return f"{called}{comma}{stored(place)}"
