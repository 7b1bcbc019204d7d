"""Honeypots for readers: marked copies of a critique's images, asked about among the cases that are read blind."""

import secrets
from collections.abc import Iterator, Sequence
from itertools import cycle
from uuid import UUID

import numpy as np
from PIL import Image as Pillow
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.db import reading
from app.models import Cluster, HoneypotCase, Named, Run
from app.pictures import drawing
from app.review.blind import sampled
from app.storage import storage
from worker.method import honeypots
from worker.method.critic import ClassSpecification
from worker.method.summary import place
from worker.tasks.cases import Explained
from worker.tasks.check import png
from worker.tasks.inputs import load_assignment, store_assignment

EVERY = 6  # clusters that are read blind, for one planted case

Planted = tuple[Explained, honeypots.Mark, honeypots.Named]


def cases_for_readers(
    run_id: UUID,
    critique_id: UUID,
    rows: Sequence[Explained],
    words: dict[UUID, ClassSpecification],
    seed: int,
) -> list[HoneypotCase]:
    """The same for every reader, not yet stored.

    rows: those whose copies the LVLM is asked about last come first, for its copies are shown on the check's page.
    """
    with reading() as session:
        sample = sorted(session.scalars(select(sampled(session.get_one(Run, critique_id)).c.cluster_id)))
        planted = list(chosen(rows, words, set(sample), len(sample) // EVERY))
        mine = Cluster.explanation_id.in_([row.id for row, *_ in planted])
        clusters = {each.id: each for each in session.scalars(select(Cluster).where(mine))}
    made = []
    for index, (row, mark, truth) in enumerate(planted):
        generator = np.random.default_rng([seed, index])
        cluster = clusters[row.clusters[int(generator.choice(sorted(row.clusters)))]]
        cells = load_assignment(row.assignment).astype("int8") - 1
        marked = honeypots.plant_mark(as_shown(row.image_blob), cells, mark, cluster.number, generator)
        made.append(
            HoneypotCase(
                id=UUID(int=secrets.randbelow(sample[-1].int), version=4),
                run_id=run_id,
                critique_id=critique_id,
                explanation_id=row.id,
                mark=mark,
                truth=Named(truth),
                number=cluster.number,
                regions=len(row.clusters),
                share=cluster.share,
                effect=cluster.effect,
                odds_fall=cluster.odds_fall,
                place=place((marked.x, marked.y), marked.spread),
                picture=storage().put(png(marked.image)),
                assignment=store_assignment(marked.assignment + 1),
            )
        )
    return made


def add_once(session: Session, cases: Sequence[HoneypotCase]) -> None:
    """None where the critique has some: who has begun to read would be none the wiser, and the others read too much."""
    critiques = {case.critique_id for case in cases}
    found = select(HoneypotCase.id).where(HoneypotCase.critique_id.in_(critiques)).limit(1)
    if session.scalar(found) is None:
        session.add_all(cases)


def chosen(
    rows: Sequence[Explained], words: dict[UUID, ClassSpecification], sample: set[UUID], count: int
) -> Iterator[Planted]:
    """At most ``count``, spurious and relevant in turn.

    A picture that is read as it is, too, could be compared with its copy, so these come last. One whose specification
    speaks of the marks itself is left out.
    """
    truths: Iterator[honeypots.Named] = cycle(("spurious", "relevant"))
    truth = next(truths)
    for row in sorted(rows, key=lambda row: not sample.isdisjoint(row.clusters.values())):
        if count == 0:
            return
        marks = honeypots.marks_for(words.get(row.class_id, ClassSpecification(row.class_name, "", "")), truth)
        if marks and row.clusters:
            yield row, marks[count % len(marks)], truth
            truth, count = next(truths), count - 1


def as_shown(image_blob: str) -> Pillow.Image:
    """The image as the page shows it; a small one is enlarged, but no further than its pixels stay squares there."""
    picture = drawing.opened(storage().get(image_blob))
    factor = drawing.squares(picture.size)
    return picture.resize((picture.width * factor, picture.height * factor), Pillow.Resampling.NEAREST)
