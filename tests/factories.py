"""Projects for tests and screenshots: drawn pictures with plausible clusters, verdicts and figures; quick, no torch.

Every function adds rows to the given session and flushes, so that each page can be tested at its own step of the loop.
``whole_loop`` goes round it once. The numbers are made up; the same seed makes the same project.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from uuid import UUID, uuid4

import numpy as np
from PIL import Image as Picture
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from app.db import now
from app.models import (
    Answer,
    Checkpoint,
    Cluster,
    Critique,
    Dataset,
    Epoch,
    Explanation,
    HoneypotCase,
    Image,
    Kind,
    Named,
    Origin,
    Project,
    Review,
    Role,
    Run,
    Specification,
    SpecificationEntry,
    Split,
    State,
    TargetClass,
    User,
    Verdict,
    VerdictValue,
)
from app.models.summary import kept
from app.review.blind import sampled
from app.review.order import place_of
from app.runs.parameters import (
    AcceptanceBar,
    AnalysisParameters,
    CritiqueParameters,
    EntryText,
    HoneypotParameters,
    RealignmentParameters,
    TrainingParameters,
    TrialParameters,
)
from app.storage import storage
from tests.drawn import INPUT, KNEES, SIDE, assignment_of, draw_picture, npy, png, regions_of, tiny_safetensors
from tests.measured import AFTER, BEFORE, CONTROL, add_predictions, add_report, figures
from worker.benchmarks import made_up
from worker.benchmarks.made_up import add_run
from worker.method.judge import by_probability
from worker.method.looks import Look
from worker.method.regions import ClusterFacts
from worker.tasks.class_summary import class_summary

PASSWORD = "open sesame, please"
QUICK_HASH = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
INSIDE = 0.95  # share of the evidence on the pixels of a drawn explanation's clusters
TASKS: dict[tuple[str, ...], str] = {KNEES: "Tells whether a knee shows osteoarthritis."}


@dataclass(frozen=True)
class Loop:
    """One project that went round the loop once."""

    project: Project
    clinician: User
    engineer: User
    images: list[Image]
    original: Checkpoint
    analysis: Run
    explanations: list[Explanation]
    specification: Specification
    critique: Run
    realignment: Run
    realigned: Checkpoint
    control: Checkpoint


def add_user(session: Session, name: str = "ada", role: Role = Role.CLINICIAN, display_name: str = "") -> User:
    """A person whose password is PASSWORD, and who has been through the tour."""
    user = User(
        name=name,
        display_name=display_name or name.title(),
        role=role,
        password_hash=QUICK_HASH.hash(PASSWORD),
        session_key=uuid4().hex,
        toured_at=now(),
    )
    session.add(user)
    session.flush()
    return user


def add_project(
    session: Session, name: str = "Knees", classes: Sequence[str] = KNEES, lvlm: str = "embedded", demo: bool = False
) -> Project:
    project = Project(
        name=name,
        task=TASKS.get(tuple(classes), "Reads a written digit."),
        is_demo=demo,
        group_by=["letter"],
        lvlm=lvlm,
    )
    project.classes = [TargetClass(position=position, name=title) for position, title in enumerate(classes)]
    session.add(project)
    session.flush()
    return project


def add_images(
    session: Session, project: Project, per_class: int = 6, splits: Sequence[Split] = tuple(Split)
) -> Dataset:
    """``per_class`` pictures of each class in each split; every second one carries a letter in a corner."""
    dataset = Dataset(
        project_id=project.id, digest=uuid4().hex * 2, name="drawn", attributes=["letter"], images=0, has_masks=False
    )
    session.add(dataset)
    session.flush()
    position = 0
    for split in Split:
        for target in project.classes:
            for index in range(per_class):
                marked = index % 2 == 0
                path = f"{split.value}/{target.name}/{index:04}.png"
                drawn = draw_picture(target, len(project.classes), marked, path)
                session.add(
                    Image(
                        dataset_id=dataset.id,
                        position=position,
                        path=path,
                        class_id=target.id,
                        split=split,
                        attributes={"letter": "present" if marked else "absent"},
                        blob=storage().put(drawn),
                        width=SIDE,
                        height=SIDE,
                    )
                )
                position += 1
    dataset.images = position
    session.flush()
    return dataset


def images_of(session: Session, dataset: Dataset, split: Split) -> list[Image]:
    mine = select(Image).where(Image.dataset_id == dataset.id, Image.split == split)
    return list(session.scalars(mine.order_by(Image.position)))


def add_checkpoint(
    session: Session,
    project: Project,
    origin: Origin = Origin.TRAINED,
    parent: Checkpoint | None = None,
    run: Run | None = None,
    name: str = "small_cnn",
) -> Checkpoint:
    """With weights of its own."""
    weights = tiny_safetensors(1 + count_of(session, Checkpoint, project))
    return made_up.add_checkpoint(session, project, origin, parent, run, name, weights=weights, size=INPUT)


def count_of(session: Session, table: type[Checkpoint | Specification], project: Project) -> int:
    return session.scalar(select(func.count()).select_from(table).where(table.project_id == project.id)) or 0


def training_parameters() -> TrainingParameters:
    return made_up.training_parameters(INPUT)


def add_analysis(
    session: Session,
    project: Project,
    checkpoint: Checkpoint,
    images: Sequence[Image],
    user: User | None = None,
    called: Mapping[str, str] = MappingProxyType({}),
) -> Run:
    """A finished analysis: an explanation with its clusters for every image, its sentences and its sampling.

    called: other words for what is drawn.
    """
    parameters = AnalysisParameters(checkpoint_id=checkpoint.id, count=len(images))
    run = add_run(session, project, parameters, Kind.ANALYSIS, user)
    classes = {target.id: target for target in project.classes}
    made = [
        add_explanation(session, run, checkpoint, image, position, classes[image.class_id], len(classes))
        for position, image in enumerate(images)
    ]
    for cluster in (cluster for explanation in made for cluster in explanation.clusters):
        cluster.words = called.get(cluster.words, cluster.words)
    run.result = {
        "lvlm": project.lvlm,
        **kept(
            {
                str(target.id): summary_of(target, mine)
                for target in project.classes
                if (mine := [each for each in made if each.image.class_id == target.id])
            }
        ),
        "sampling": {
            "low_entropy": {"value": 0.5, "low": 0.39, "high": 0.61, "n": 80},
            "random": {"value": 0.31, "low": 0.22, "high": 0.42, "n": 80},
            "high_entropy": {"value": 0.06, "low": 0.03, "high": 0.14, "n": 80},
        },
    }
    session.flush()
    return run


def add_explanation(
    session: Session, run: Run, checkpoint: Checkpoint, image: Image, position: int, target: TargetClass, classes: int
) -> Explanation:
    random = Random(f"{image.path}{position}")
    regions = regions_of(image, target, classes, random)
    total = sum(region.weight for region in regions)
    certainty = random.uniform(0.86, 0.99)
    rest = (1 - certainty) / (classes - 1)
    assignment = assignment_of(regions)
    explanation = Explanation(
        run_id=run.id,
        checkpoint_id=checkpoint.id,
        image_id=image.id,
        position=position,
        predicted_id=target.id,
        probabilities=[certainty if index == target.position else rest for index in range(classes)],
        entropy=random.uniform(0.05, 0.4),
        attribution=storage().put(npy((assignment > 0).astype(np.float16))),
        assignment=storage().put(png(Picture.fromarray(assignment))),
        log_likelihood=random.uniform(1.0, 2.0),
    )
    explanation.image = image
    explanation.clusters = [
        Cluster(
            number=number,
            share=region.weight / total,
            area=float((assignment == number).mean()),
            x=region.x,
            y=region.y,
            spread=(region.rx + region.ry) / 2,
            place=region.place,
            words=region.words,
            effect=(effect := region.weight * random.uniform(0.4, 0.9)),
            odds_fall=log_odds(certainty) - log_odds(max(0.01, certainty - effect)),
        )
        for number, region in enumerate(regions, start=1)
    ]
    session.add(explanation)
    session.flush()
    return explanation


def log_odds(probability: float) -> float:
    return math.log(probability / (1 - probability))


def summary_of(target: TargetClass, explanations: Sequence[Explanation]) -> dict[str, object]:
    """As an analysis stores it; a cluster is as bright as the letter, and its ground black."""
    clusters = [
        ClusterFacts(
            image_id=str(explanation.id),
            number=cluster.number,
            share=cluster.share * INSIDE,
            words=cluster.words,
            look=Look(cluster.place, cluster.x, cluster.y, cluster.spread, cluster.area, (0.9,) * 3, (0.0,) * 3),
            effect=cluster.effect,
        )
        for explanation in explanations
        for cluster in explanation.clusters
    ]
    told = class_summary(target.name, clusters, [str(each.id) for each in explanations], without_evidence=0, seed=0)
    return told.model_dump(mode="json")


def add_specification(
    session: Session,
    project: Project,
    user: User,
    spurious: str = "letters in a corner",
    reason: str = "First version.",
) -> Specification:
    version = 1 + count_of(session, Specification, project)
    specification = Specification(project_id=project.id, version=version, reason=reason, created_by_id=user.id)
    specification.entries = [
        SpecificationEntry(
            class_id=target.id,
            target_class=target,
            spurious=spurious,
            relevant="the joint space and the edges of the bone" if len(project.classes) == 2 else "the digit's stroke",
            notes="",
        )
        for target in project.classes
    ]
    session.add(specification)
    session.flush()
    return specification


def add_critique(
    session: Session,
    project: Project,
    analysis: Run,
    specification: Specification,
    explanations: Sequence[Explanation],
    user: User | None = None,
) -> Run:
    """A finished critique: right on what the words name, uncertain where a cluster has no words."""
    parameters = CritiqueParameters(analysis_id=analysis.id, specification_id=specification.id)
    run = add_run(session, project, parameters, Kind.CRITIQUE, user)
    run.result = {"lvlm": project.lvlm}
    for explanation in explanations:
        critique = Critique(
            run_id=run.id,
            explanation_id=explanation.id,
            specification_id=specification.id,
            lvlm=project.lvlm,
            text=" ".join(critic_words(cluster) for cluster in explanation.clusters),
        )
        critique.verdicts = [verdict_on(run, cluster) for cluster in explanation.clusters]
        session.add(critique)
    session.flush()
    return run


def critic_words(cluster: Cluster) -> str:
    seen = cluster.words or "nothing that the words name"
    return f"Region {cluster.number} lies here: {cluster.place}. The critic sees {seen} there."


def verdict_on(critique: Run, cluster: Cluster) -> Verdict:
    random = Random(f"{cluster.place}{cluster.share}")
    if not cluster.words:
        value, p = VerdictValue.UNCERTAIN, random.uniform(0.4, 0.6)
    elif cluster.words in {"letter", "grey square", "empty background"}:
        value, p = VerdictValue.SPURIOUS, random.uniform(0.8, 0.98)
    else:
        value, p = VerdictValue.RELEVANT, random.uniform(0.03, 0.2)
    return Verdict(
        cluster_id=cluster.id,
        run_id=critique.id,
        value=value,
        p_spurious=p,
        place=place_of(value, p, cluster.influence),
        text=critic_words(cluster),
        reason=by_probability(p, (0.3, 0.7)).reason if value is VerdictValue.UNCERTAIN else "",
        flag="",
    )


def read_blind(session: Session, critique: Run, reader: User) -> None:
    """A reader's blind reading but for what is planted among it; its answers are all ``spurious``."""
    for cluster_id in session.scalars(select(sampled(critique).c.cluster_id)).all():
        session.add(
            Review(cluster_id=cluster_id, user_id=reader.id, run_id=critique.id, answer=Answer.SPURIOUS, blind=True)
        )
    session.flush()


def add_honeypots(session: Session, loop: Loop, count: int = 4) -> list[HoneypotCase]:
    """Planted cases among those that are read blind, spurious and relevant in turn; their copies carry no mark."""
    planting = add_run(session, loop.project, HoneypotParameters(critique_id=loop.critique.id), Kind.HONEYPOT)
    last = max(session.scalars(select(sampled(loop.critique).c.cluster_id)))
    random = Random(0)
    made = [
        HoneypotCase(
            id=UUID(int=random.randrange(last.int), version=4),
            run_id=planting.id,
            critique_id=loop.critique.id,
            explanation_id=explanation.id,
            mark="star" if index % 2 else "letter",
            truth=Named.RELEVANT if index % 2 else Named.SPURIOUS,
            number=1,
            regions=len(explanation.clusters),
            share=explanation.clusters[0].share,
            effect=explanation.clusters[0].effect,
            odds_fall=explanation.clusters[0].odds_fall,
            place="upper left corner",
            picture=storage().put(png(Picture.new("RGB", (96, 96), (index, 0, 0)))),
            assignment=explanation.assignment,
        )
        for index, explanation in enumerate(loop.explanations[:count])
    ]
    session.add_all(made)
    session.flush()
    return made


def trial_run(session: Session, project: Project, analysis: Run, explanations: Sequence[Explanation]) -> Run:
    """A finished trial of unsaved words on some explanations."""
    entries = tuple(EntryText(class_id=target.id, spurious="letters") for target in project.classes)
    chosen = tuple(made.id for made in explanations)
    parameters = TrialParameters(analysis_id=analysis.id, entries=entries, explanation_ids=chosen)
    run = add_run(session, project, parameters, Kind.TRIAL)
    finish_trial(run, explanations)
    session.flush()
    return run


def finish_trial(run: Run, explanations: Sequence[Explanation]) -> None:
    """Gives a trial its result, as the worker would."""
    run.state = State.SUCCEEDED
    run.finished_at = now()
    run.result = {
        "lvlm": "embedded",
        "cases": [
            {
                "explanation_id": str(made.id),
                "text": " ".join(critic_words(cluster) for cluster in made.clusters),
                "verdicts": [
                    {
                        "number": cluster.number,
                        "value": verdict.value.value,
                        "p_spurious": verdict.p_spurious,
                        "text": verdict.text,
                        "reason": verdict.reason,
                        "flag": verdict.flag,
                    }
                    for cluster in made.clusters
                    for verdict in [verdict_on(run, cluster)]
                ],
            }
            for made in explanations
        ],
    }


def add_realignment(
    session: Session,
    project: Project,
    critique: Run,
    original: Checkpoint,
    images: Sequence[Image],
    user: User | None = None,
    bar: AcceptanceBar | None = None,
) -> tuple[Run, Checkpoint, Checkpoint]:
    """A finished realignment with its control, its epochs, its reports and predictions on the given test images."""
    parameters = RealignmentParameters(critique_id=critique.id, epochs=8, bar=bar or AcceptanceBar())
    run = add_run(session, project, parameters, Kind.REALIGNMENT, user)
    for number in range(1, 9):
        point = {
            "loss": 1.4 / number,
            "penalty": 0.6 / number,
            "accuracy": 0.7 + 0.02 * number,
            "worst_group": 0.4 + 0.05 * number,
            "evidence_on_spurious": 0.5 / number,
        }
        session.add(Epoch(run_id=run.id, number=number, figures=point))
    realigned = add_checkpoint(session, project, Origin.REALIGNED, original, run, "small_cnn realigned")
    control = add_checkpoint(session, project, Origin.CONTROL, original, run, "small_cnn control")
    for checkpoint, by_group, flipped in (
        (original, BEFORE, 0.4),
        (realigned, AFTER, 0.06),
        (control, CONTROL, 0.38),
    ):
        add_report(session, run, checkpoint, Split.TEST, figures(project, by_group, flipped=flipped))
    add_predictions(session, project, run, original, images, wrong=range(0, len(images), 2))
    add_predictions(session, project, run, realigned, images, wrong=[1, 4])
    add_predictions(session, project, run, control, images, wrong=range(0, len(images), 3))
    return run, realigned, control


def whole_loop(
    session: Session, name: str = "Knees", classes: Sequence[str] = KNEES, per_class: int = 6, demo: bool = False
) -> Loop:
    """A project that went once round the loop, up to the decision, which is still open."""
    clinician = add_user(session, f"{name}-clinician".lower(), Role.CLINICIAN, "Dr. Ada Reader")
    engineer = add_user(session, f"{name}-engineer".lower(), Role.ENGINEER, "Grace Engineer")
    project = add_project(session, name, classes, demo=demo)
    dataset = add_images(session, project, per_class)
    training = add_run(session, project, training_parameters(), Kind.TRAINING, engineer)
    original = add_checkpoint(session, project, Origin.TRAINED, run=training)
    test_images = images_of(session, dataset, Split.TEST)
    add_report(session, training, original, Split.TEST, figures(project, BEFORE))
    add_predictions(session, project, training, original, test_images, wrong=range(0, len(test_images), 2))
    alignment = images_of(session, dataset, Split.TRAIN)
    analysis = add_analysis(session, project, original, alignment, engineer)
    explanations = explanations_of(session, analysis)
    specification = add_specification(session, project, clinician)
    critique = add_critique(session, project, analysis, specification, explanations, clinician)
    realignment, realigned, control = add_realignment(session, project, critique, original, test_images, engineer)
    return Loop(
        project=project,
        clinician=clinician,
        engineer=engineer,
        images=alignment,
        original=original,
        analysis=analysis,
        explanations=explanations,
        specification=specification,
        critique=critique,
        realignment=realignment,
        realigned=realigned,
        control=control,
    )


def explanations_of(session: Session, analysis: Run) -> list[Explanation]:
    everything = (selectinload(Explanation.clusters), selectinload(Explanation.image))
    found = select(Explanation).where(Explanation.run_id == analysis.id).order_by(Explanation.position)
    return list(session.scalars(found.options(*everything)))
