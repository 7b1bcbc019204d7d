"""A project as an engineer leaves it to a clinician: drawn knees and a small model that was trained on them."""

from io import BytesIO
from pathlib import Path
from uuid import UUID

from PIL import Image as Picture

from app.db import transaction
from app.models import Project, TargetClass
from app.runs.parameters import ImportParameters, Input, TrainingParameters
from tests.drawn import KNEES, draw_picture, png
from tests.loop import done

PER_CLASS = 6  # pictures in each split
INPUT = Input(size=24, channels=1, mean=(0.5,), std=(0.25,))


def write_knees(folder: Path) -> None:
    """manifest.csv and its pictures; every second one carries a letter."""
    rows = ["path,label,split,letter"]
    for split in ("train", "validation", "test"):
        for position, name in enumerate(KNEES):
            for number in range(PER_CLASS):
                path, marked = f"{split}-{name}-{number}.png", number % 2 == 0
                drawn = draw_picture(TargetClass(position=position, name=name), len(KNEES), marked, path)
                (folder / path).write_bytes(told_apart(drawn, len(rows)))
                rows.append(f"{path},{name},{split},{'present' if marked else 'absent'}")
    (folder / "manifest.csv").write_text("\n".join(rows))


def told_apart(drawn: bytes, number: int) -> bytes:
    """With one pixel of its own: a picture that is in two splits is refused."""
    picture = Picture.open(BytesIO(drawn))
    picture.putpixel((0, 0), number)
    return png(picture)


def leave_project(folder: Path, lvlm: str, name: str = "Knees") -> UUID:
    """Imports and trains in this process."""
    write_knees(folder)
    with transaction() as session:
        project = Project(name=name, task="Tells whether a knee shows osteoarthritis.", group_by=["letter"], lvlm=lvlm)
        session.add(project)
        session.flush()
        project_id = project.id
    done(project_id, ImportParameters(name="knees", path=str(folder)))
    done(project_id, TrainingParameters(name="mlp", architecture="mlp", input=INPUT, epochs=5, batch_size=8))
    return project_id
