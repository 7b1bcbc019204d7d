"""Reports and predictions for tests, with made-up figures."""

from collections.abc import Sequence
from random import Random
from typing import Any

from sqlalchemy.orm import Session

from app.models import Checkpoint, Image, Prediction, Project, Report, Run, Split
from app.models.figures import Estimate, Figures, Group, Settling
from app.models.guard_record import GuardRecord

# Accuracy without and with a letter, the first class first; the second class's pair serves all further ones.
BEFORE = (0.99, 0.47, 0.62, 0.94)
AFTER = (0.95, 0.87, 0.79, 0.90)
CONTROL = (0.99, 0.52, 0.64, 0.94)


def estimate(value: float, n: int) -> Estimate:
    margin = (value * (1 - value) / n) ** 0.5 * 1.96 if n else 0.0
    return Estimate(value=value, low=max(value - margin, 0.0), high=min(value + margin, 1.0), n=n)


def figures(project: Project, by_group: Sequence[float], n: int = 98, flipped: float = 0.4) -> Figures:
    """Figures with an accuracy for each class without and with a letter, in that order."""
    by_group = [*by_group, *list(by_group[2:]) * (len(project.classes) - 2)]
    names = [(target.name, letter) for target in project.classes for letter in ("absent", "present")]
    groups = [
        Group(
            name=f"{title}, letter {letter}",
            class_name=title,
            attributes={"letter": letter},
            accuracy=estimate(value, n),
        )
        for (title, letter), value in zip(names, by_group, strict=True)
    ]
    worst = min(groups, key=lambda group: group.accuracy.value or 0)
    mean = sum(by_group) / len(by_group)
    return Figures(
        accuracy=estimate(mean, n * len(groups)),
        groups=groups,
        worst_group=worst.accuracy,
        worst_group_name=worst.name,
        average_of_groups=estimate(mean, n * len(groups)),
        mu_align=Estimate(missing="no true masks are known for these images"),
        evidence_on_spurious=estimate(flipped * 0.9, 40),
        settling=[
            Settling(
                operation=operation,
                regions="clusters that stand as spurious, alignment images",
                flipped=estimate(min(flipped * factor, 1.0), 196),
                change=flipped / 2,
            )
            for operation, factor in (("remove", 1.0), ("add", 0.8), ("cover", 0.1), ("move", 1.1))
        ],
    )


def guard_record(**told: Any) -> GuardRecord:
    """Of the sixth of eight epochs, which keeps the bar, the seventh being the last that was trained."""
    known = {"epoch": 6, "trained": 7, "asked": 8, "missed": [], "held_out": 40}
    known |= {"accuracy_before": estimate(0.9, 100), "accuracy": estimate(0.89, 100)}
    known |= {"agreement_before": estimate(0.6, 40), "agreement": estimate(0.95, 40)}
    return GuardRecord.model_validate(known | told)


def add_report(session: Session, run: Run, checkpoint: Checkpoint, split: Split, measured: Figures) -> Report:
    report = Report(
        project_id=checkpoint.project_id,
        checkpoint_id=checkpoint.id,
        run_id=run.id,
        split=split,
        figures=measured.model_dump(mode="json"),
    )
    session.add(report)
    session.flush()
    return report


def add_predictions(
    session: Session, project: Project, run: Run, checkpoint: Checkpoint, images: Sequence[Image], wrong: Sequence[int]
) -> None:
    """Answers of a checkpoint on images; those at the positions in ``wrong`` are wrong."""
    classes = [target.id for target in project.classes]
    for index, image in enumerate(images):
        right = classes.index(image.class_id)
        answer = (right + 1) % len(classes) if index in wrong else right
        sure = 0.62 + 0.3 * Random(f"{checkpoint.number}{image.path}").random()
        rest = (1 - sure) / (len(classes) - 1)
        session.add(
            Prediction(
                run_id=run.id,
                checkpoint_id=checkpoint.id,
                image_id=image.id,
                predicted_id=classes[answer],
                correct=answer == right,
                probabilities=[sure if place == answer else rest for place in range(len(classes))],
            )
        )
    session.flush()
