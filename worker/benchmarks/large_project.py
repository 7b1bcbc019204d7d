"""A project of many rows for the benchmark of the pages: made up, with nothing to compute and little to store.

One project went once round the loop: each image was explained twice, each explanation criticised, people answered some
clusters, a realignment with its control was measured. All images share a few files.
"""

from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from typing import Any
from uuid import UUID, uuid4

import numpy as np
from PIL import Image as Picture
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from app.accounts.actions import create_user, new_key
from app.db import now
from app.models import (
    AgreedVerdict,
    Answer,
    Checkpoint,
    Cluster,
    Critique,
    Dataset,
    Epoch,
    Explanation,
    Image,
    Kind,
    Origin,
    Prediction,
    Project,
    Report,
    Review,
    Role,
    Run,
    Source,
    Specification,
    SpecificationEntry,
    Split,
    TargetClass,
    User,
    Verdict,
    VerdictValue,
)
from app.models.summary import kept
from app.review.order import place_of
from app.runs.parameters import (
    AnalysisParameters,
    ConsensusParameters,
    CritiqueParameters,
    RealignmentParameters,
)
from app.statistics import wilson
from app.storage import storage
from worker.benchmarks.made_up import add_checkpoint, add_run, figures_of, training_parameters
from worker.method.looks import Look
from worker.method.regions import ClusterFacts
from worker.tasks.class_summary import class_summary

CLASSES = ("without osteoarthritis", "osteoarthritis")
SHARES = {Split.TRAIN: 0.6, Split.VALIDATION: 0.1, Split.TEST: 0.3}
SEEN = (("letter", "upper left corner"), ("joint space", "middle"), ("bone", "lower part"), ("", "left"), ("", "right"))
CLUSTERS = len(SEEN)  # of an explanation
ANALYSES = 2
SIDE, FILES = 96, 40
ANSWERED = 0.02  # of the newest critique's clusters
SUMMARISED = 500  # images of a class that its sentences are computed from
EPOCHS = 30
ROWS_AT_ONCE = 5000
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class LargeProject:
    project: Project
    reader: User
    analysis: Run
    critique: Run
    realignment: Run
    realigned: Checkpoint
    image_id: UUID  # of a test image
    report: Report  # of the original checkpoint, by group
    answer_id: UUID  # of its answers
    clusters: int
    images: int


def fill(session: Session, images: int, seed: int = 0) -> LargeProject:
    """``images`` pictures and ten times as many clusters."""
    random = np.random.default_rng(seed)
    reader = create_user(session, "benchmark", "Benchmark", Role.ADMIN, new_key())
    project = Project(
        name="Knees", task="Tells whether a knee shows osteoarthritis.", group_by=["letter"], lvlm="embedded"
    )
    project.classes = [TargetClass(position=position, name=name) for position, name in enumerate(CLASSES)]
    session.add(project)
    session.flush()
    pictures = _images(session, project, images, random)
    training = add_run(session, project, training_parameters(SIDE), Kind.TRAINING)
    original = add_checkpoint(session, project, Origin.TRAINED, run=training, size=SIDE)
    specification = _specification(session, project, reader)
    critique = analysis = training
    for position in range(ANALYSES):
        analysis, clusters = _analysis(session, project, original, pictures, position, random)
        critique = _critique(session, project, analysis, specification, clusters, random)
    _consensus(session, project, analysis, critique, clusters, random)
    _answers(session, critique, reader, clusters, random)
    redone = RealignmentParameters(critique_id=critique.id, epochs=EPOCHS)
    realignment = add_run(session, project, redone, Kind.REALIGNMENT)
    points = {"loss": 0.4, "penalty": 0.1, "accuracy": 0.8, "worst_group": 0.7, "evidence_on_spurious": 0.1}
    session.add_all(Epoch(run_id=realignment.id, number=number, figures=points) for number in range(1, EPOCHS + 1))
    tested = [row for row in pictures if row["split"] is Split.TEST]
    _measured(session, project, training, original, tested, random)
    realigned, control = (
        add_checkpoint(session, project, origin, original, realignment, size=SIDE)
        for origin in (Origin.REALIGNED, Origin.CONTROL)
    )
    report, *_ = (
        _measured(session, project, realignment, each, tested, random) for each in (original, realigned, control)
    )
    return LargeProject(
        project=project,
        reader=reader,
        analysis=analysis,
        critique=critique,
        realignment=realignment,
        realigned=realigned,
        image_id=tested[0]["id"],
        report=report,
        answer_id=session.scalars(select(Prediction.id).where(Prediction.run_id == report.run_id).limit(1)).one(),
        clusters=ANALYSES * len(clusters),
        images=images,
    )


def _images(session: Session, project: Project, count: int, random: np.random.Generator) -> Rows:
    dataset = Dataset(
        project_id=project.id,
        digest=uuid4().hex * 2,
        name="made up",
        attributes=["letter"],
        images=count,
        has_masks=False,
    )
    session.add(dataset)
    session.flush()
    blobs = [storage().put(_png(random.integers(0, 255, (SIDE, SIDE), dtype=np.uint8))) for _ in range(FILES)]
    splits = [split for split, share in SHARES.items() for _ in range(round(share * count))]
    rows: Rows = [
        {
            "id": uuid4(),
            "dataset_id": dataset.id,
            "position": position,
            "path": f"{split.value}/{position:06}.png",
            "class_id": project.classes[position % len(CLASSES)].id,
            "split": split,
            "attributes": {"letter": "present" if random.random() < 1 / 2 else "absent"},
            "blob": blobs[position % FILES],
            "width": SIDE,
            "height": SIDE,
        }
        for position, split in enumerate(splits)
    ]
    _add(session, Image, rows)
    return rows


def _analysis(
    session: Session, project: Project, checkpoint: Checkpoint, images: Rows, seed: int, random: np.random.Generator
) -> tuple[Run, Rows]:
    asked = AnalysisParameters(checkpoint_id=checkpoint.id, count=len(images), seed=seed)
    run = add_run(session, project, asked, Kind.ANALYSIS)
    regions = np.repeat(np.arange(CLUSTERS, dtype=np.uint8) + 1, SIDE // CLUSTERS + 1)[:SIDE]
    assignment = storage().put(_png(np.tile(regions, (SIDE, 1))))
    npy = BytesIO()
    np.save(npy, np.ones((SIDE, SIDE), dtype=np.float16))
    attribution = storage().put(npy.getvalue())
    explanations: Rows = [
        {
            "id": uuid4(),
            "run_id": run.id,
            "checkpoint_id": checkpoint.id,
            "image_id": image["id"],
            "position": position,
            "predicted_id": image["class_id"],
            "probabilities": [0.9, 0.1],
            "entropy": float(random.uniform(0.05, 0.4)),
            "attribution": attribution,
            "assignment": assignment,
            "log_likelihood": 1.5,
        }
        for position, image in enumerate(images)
    ]
    _add(session, Explanation, explanations)
    shares = random.dirichlet(np.ones(CLUSTERS), len(explanations))
    clusters: Rows = [
        {
            "id": uuid4(),
            "explanation_id": explanation["id"],
            "number": number,
            "share": float(share),
            "area": 1 / CLUSTERS,
            "x": float(random.random()),
            "y": float(random.random()),
            "spread": 0.1,
            "place": place,
            "words": words,
            "effect": float(share * random.random()),
        }
        for explanation, of_image in zip(explanations, shares, strict=True)
        for number, (share, (words, place)) in enumerate(zip(of_image, SEEN, strict=True), start=1)
    ]
    _add(session, Cluster, clusters)
    run.result = {"lvlm": project.lvlm, **kept(_summaries(project, images, explanations, clusters))}
    return run, clusters


def _summaries(project: Project, images: Rows, explanations: Rows, clusters: Rows) -> dict[str, Any]:
    of_explanation: dict[UUID, Rows] = {}
    for cluster in clusters:
        of_explanation.setdefault(cluster["explanation_id"], []).append(cluster)
    told: dict[str, Any] = {}
    for target in project.classes:
        mine = [one["id"] for image, one in zip(images, explanations, strict=True) if image["class_id"] == target.id]
        facts = [_facts(cluster) for each in mine[:SUMMARISED] for cluster in of_explanation[each]]
        summary = class_summary(target.name, facts, [str(each) for each in mine[:SUMMARISED]], 0, seed=0)
        told[str(target.id)] = summary.model_dump(mode="json")
    return told


def _facts(cluster: dict[str, Any]) -> ClusterFacts:
    place, x, y, spread, area = (cluster[name] for name in ("place", "x", "y", "spread", "area"))
    look = Look(place, x, y, spread, area, (0.9,) * 3, (0.0,) * 3)
    explanation = str(cluster["explanation_id"])
    return ClusterFacts(explanation, cluster["number"], cluster["share"], cluster["words"], look, cluster["effect"])


def _specification(session: Session, project: Project, reader: User) -> Specification:
    specification = Specification(project_id=project.id, version=1, reason="First version.", created_by_id=reader.id)
    specification.entries = [
        SpecificationEntry(class_id=target.id, spurious="letters in a corner", relevant="the joint space", notes="")
        for target in project.classes
    ]
    session.add(specification)
    session.flush()
    return specification


def _critique(
    session: Session,
    project: Project,
    analysis: Run,
    specification: Specification,
    clusters: Rows,
    random: np.random.Generator,
) -> Run:
    parameters = CritiqueParameters(analysis_id=analysis.id, specification_id=specification.id)
    run = add_run(session, project, parameters, Kind.CRITIQUE)
    critiques: Rows = [
        {
            "id": uuid4(),
            "run_id": run.id,
            "explanation_id": explanation,
            "specification_id": specification.id,
            "lvlm": project.lvlm,
            "text": "1 blue: letter; white; upper left corner; small; named as spurious; spurious",
            "created_at": now(),
        }
        for explanation in dict.fromkeys(cluster["explanation_id"] for cluster in clusters)
    ]
    _add(session, Critique, critiques)
    critique_of = {row["explanation_id"]: row["id"] for row in critiques}
    p_spurious = random.beta(0.3, 0.6, len(clusters))
    verdicts: Rows = [
        {
            "id": uuid4(),
            "critique_id": critique_of[cluster["explanation_id"]],
            "cluster_id": cluster["id"],
            "run_id": run.id,
            "value": _value(float(p)),
            "p_spurious": float(p),
            "place": place_of(_value(float(p)), float(p), cluster["share"] + abs(cluster["effect"])),
            "text": f"{cluster['words'] or 'nothing named'}; {cluster['place']}",
        }
        for cluster, p in zip(clusters, p_spurious, strict=True)
    ]
    _add(session, Verdict, verdicts)
    return run


def _value(p_spurious: float) -> VerdictValue:
    low, high = (CritiqueParameters.model_fields[name].default for name in ("uncertain_from", "uncertain_to"))
    if low < p_spurious < high:
        return VerdictValue.UNCERTAIN
    return VerdictValue.SPURIOUS if p_spurious >= high else VerdictValue.RELEVANT


def _consensus(
    session: Session, project: Project, analysis: Run, critique: Run, clusters: Rows, random: np.random.Generator
) -> None:
    run = add_run(session, project, ConsensusParameters(critique_id=critique.id), Kind.CONSENSUS)
    shares = {"reviewed": 0, "judged_spurious": 0.3, "found_spurious": 0.25}
    of_kind, differ = len(clusters) // CLUSTERS, len(clusters) // 50
    kinds = [
        {"kind": kind, "name": words or place, "clusters": of_kind, "differ": differ // CLUSTERS, **shares}
        for kind, (words, place) in enumerate(SEEN)
    ]
    run.result = {
        "difference": {"clusters": len(clusters), "differ": differ, **shares},
        "kinds": kinds,
        "fell_back": "",
    }
    of_class = select(Explanation.id, Image.class_id).join(Image, Image.id == Explanation.image_id)
    mine = session.execute(of_class.where(Explanation.run_id == analysis.id))
    class_of: dict[UUID, UUID] = dict(mine.all())
    p_spurious = [float(p) for p in random.beta(0.3, 0.6, len(clusters))]
    rows: Rows = [
        {
            "id": uuid4(),
            "run_id": run.id,
            "cluster_id": cluster["id"],
            "explanation_id": cluster["explanation_id"],
            "class_id": class_of[cluster["explanation_id"]],
            "value": _value(p_spurious[index]),
            "p_spurious": p_spurious[index],
            "source": Source.PROBE,
            "overruled": index % 50 == 0,
            "kind": index % CLUSTERS,
            "place": index + 1,
            "nearest": [str(clusters[(index + step) % len(clusters)]["id"]) for step in (5, 10, 15)],
        }
        for index, cluster in enumerate(clusters)
    ]
    _add(session, AgreedVerdict, rows)


def _answers(session: Session, critique: Run, reader: User, clusters: Rows, random: np.random.Generator) -> None:
    """The blind sample, which is of the smallest ids, and some others."""
    began = now()
    ordered = sorted(clusters, key=lambda cluster: str(cluster["id"]))[: max(100, round(ANSWERED * len(clusters)))]
    rows: Rows = [
        {
            "id": uuid4(),
            "cluster_id": cluster["id"],
            "user_id": reader.id,
            "run_id": critique.id,
            "answer": Answer.SPURIOUS if random.random() < 1 / 3 else Answer.RELEVANT,
            "blind": index < len(ordered) // 10,
            "created_at": began + timedelta(seconds=index),
        }
        for index, cluster in enumerate(ordered)
    ]
    _add(session, Review, rows)


def _measured(
    session: Session, project: Project, run: Run, checkpoint: Checkpoint, tested: Rows, random: np.random.Generator
) -> Report:
    right = random.random(len(tested)) < 0.8  # noqa: PLR2004 - as good a share as another
    classes = [target.id for target in project.classes]
    rows: Rows = [
        {
            "id": uuid4(),
            "run_id": run.id,
            "checkpoint_id": checkpoint.id,
            "image_id": image["id"],
            "predicted_id": image["class_id"]
            if correct
            else next(each for each in classes if each != image["class_id"]),
            "correct": bool(correct),
            "probabilities": [0.8, 0.2],
        }
        for image, correct in zip(tested, right, strict=True)
    ]
    _add(session, Prediction, rows)
    accuracy = wilson(int(right.sum()), len(tested))
    figures = figures_of(accuracy, CLASSES)
    report = Report(
        project_id=project.id,
        checkpoint_id=checkpoint.id,
        run_id=run.id,
        split=Split.TEST,
        figures=figures.model_dump(mode="json"),
    )
    session.add(report)
    session.flush()
    return report


def _add(session: Session, table: type, rows: Rows) -> None:
    for start in range(0, len(rows), ROWS_AT_ONCE):
        session.execute(insert(table), rows[start : start + ROWS_AT_ONCE])


def _png(grey: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    file = BytesIO()
    Picture.fromarray(grey).save(file, "PNG")
    return file.getvalue()
