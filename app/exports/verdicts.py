"""Every region of a critique as a row: what the critic called it, what the judge said, and what stands."""

from collections.abc import Iterator
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import spreadsheet
from app.languages.catalogue import gettext
from app.languages.stored import stored
from app.models import AgreedVerdict, Cluster, Critique, Explanation, Image, Run, Source, TargetClass, Verdict
from app.review.agreed import agreed_on
from app.review.standing import standings

Row = tuple[str | int | float | None, ...]


def verdicts_as_csv(session: Session, critique: Run, closed: frozenset[UUID]) -> bytes:
    """closed: clusters of which people's word is not to be told, as in ``standings``."""
    head = (
        gettext("Picture"),
        gettext("Class"),
        gettext("Region"),
        gettext("Share of the evidence"),
        gettext("The critic’s words"),
        gettext("The judge’s verdict"),
        gettext("The judge’s probability of spurious"),
        gettext("Corrected by people’s answers"),
        gettext("Similar regions say"),
        gettext("What stands"),
        gettext("By whom"),
    )
    return spreadsheet.as_csv(head, rows(session, critique, closed))


def rows(session: Session, critique: Run, closed: frozenset[UUID]) -> Iterator[Row]:
    """In the order of the alignment set."""
    by_whom = {
        Source.REVIEW: gettext("a person"),
        Source.PROBE: gettext("similar regions"),
        Source.JUDGE: gettext("the judge"),
    }
    standing = {each.cluster_id: each for each in standings(session, critique.id, closed)}
    found = session.execute(
        select(Image.path, TargetClass.name, Cluster.id, Cluster.number, Cluster.share, Verdict, AgreedVerdict)
        .select_from(Verdict)
        .join(Critique, Critique.id == Verdict.critique_id)
        .join(Cluster, Cluster.id == Verdict.cluster_id)
        .join(Explanation, Explanation.id == Cluster.explanation_id)
        .join(Image, Image.id == Explanation.image_id)
        .join(TargetClass, TargetClass.id == Image.class_id)
        .outerjoin(AgreedVerdict, agreed_on(critique, Cluster.id))
        .where(Critique.run_id == critique.id)
        .order_by(Explanation.position, Cluster.number)
    )
    for path, name, cluster_id, number, share, verdict, agreed in found:
        stands = standing[cluster_id]
        # A review that the consensus took up is told only where people's word is.
        by_similar = agreed.value if agreed and agreed.source is Source.PROBE else None
        yield (
            path,
            name,
            number,
            round(share, 4),
            verdict.text,
            stored(verdict.value),
            round(verdict.p_spurious, 4),
            None if verdict.p_calibrated is None else round(verdict.p_calibrated, 4),
            stored(by_similar) if by_similar else "",
            stored(stands.value),
            by_whom[stands.source],
        )
