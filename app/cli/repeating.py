"""Training a checkpoint again, to see that it can be had from what is stored."""

from app.cli.bringing import ProjectName
from app.cli.finding import checkpoint_numbered, project_named, ready_database
from app.cli.loop import Number
from app.cli.output import CommandError, Json, show
from app.db import reading


def repeat(project: ProjectName, checkpoint: Number = 0, as_json: Json = False) -> None:
    """Train a checkpoint again from what is stored and say whether its weights are the same to the bit."""
    from worker.tasks import repeat as task
    from worker.tasks.job import RefusedError

    ready_database()
    with reading() as session:
        found = checkpoint_numbered(session, project_named(session, project), checkpoint)
    try:
        repeated = task.repeat(found.id)
    except RefusedError as error:
        raise CommandError(str(error)) from error
    document = {
        "checkpoint": found.number,
        "same": repeated.is_the_same,
        "weights": repeated.weights,
        "again": repeated.again,
        "machines": [each.model_dump(mode="json") for each in repeated.machines],
        "here": repeated.here.model_dump(mode="json"),
    }
    if not repeated.is_the_same:
        raise CommandError(f"Checkpoint {found.number} came out otherwise. {repeated.why}", document)
    show(document, as_json, f"Checkpoint {found.number} came out the same to the bit.")
