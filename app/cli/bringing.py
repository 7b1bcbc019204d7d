"""Data sets and checkpoints in: import and train."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.finding import acting_user, project_named, ready_database
from app.cli.output import CommandError, Json, show
from app.cli.waiting import do
from app.db import reading, transaction
from app.models import Project
from app.projects.lvlm import usable_lvlm
from app.runs.parameters import ImportParameters, Input, RegistrationParameters, TrainingParameters, numbers
from app.storage import storage

brought = typer.Typer(help="Bring a data set or a checkpoint into a project.", no_args_is_help=True)

ProjectName = Annotated[str, typer.Option("--project", "-p", help="The project's name.")]
Size = Annotated[int, typer.Option(help="Side of the model's square input in pixels.")]
Channels = Annotated[int, typer.Option(help="1 for grey, 3 for colour.")]
Numbers = Annotated[str, typer.Option(help="One number a channel, comma-separated.")]
PROBLEMS = 20


def model_input(size: int, channels: int, mean: str, std: str) -> Input:
    try:
        means, stds = (numbers(text, channels) for text in (mean, std))
    except ValueError as error:
        raise CommandError(str(error)) from error
    return Input.model_validate({"size": size, "channels": channels, "mean": means, "std": stds})


@brought.command("data")
def import_data(
    source: Annotated[
        Path,
        typer.Argument(help="A folder or a zip of PNG, JPEG or DICOM, with manifest.csv or train/<class>/ folders."),
    ],
    project: ProjectName,
    task: Annotated[str, typer.Option(help="What the model decides, in a sentence.")] = "",
    group_by: Annotated[str, typer.Option(help="Attributes that make the groups, comma-separated.")] = "",
    patient_column: Annotated[str, typer.Option(help="Images with the same value stay in one split.")] = "patient_id",
    lvlm: Annotated[
        str, typer.Option(help="none, embedded, transformers:FOLDER or openai:MODEL@URL; empty: that of new projects.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Check every image and import the set; the project is made when there is none of that name."""
    ready_database()
    with transaction() as session:
        made = session.query(Project).filter_by(name=project).one_or_none()
        is_new = made is None
        if made is None:
            groups = [part.strip() for part in group_by.split(",") if part.strip()]
            made = Project(name=project, task=task, group_by=groups, lvlm=usable_lvlm(lvlm))
            session.add(made)
            session.flush()
        project_id = made.id
    parameters = ImportParameters(name=source.stem, path=str(source.resolve()), patient_column=patient_column)
    try:
        run = do(project_id, parameters, quiet=as_json)
    except CommandError as error:
        if is_new:
            with transaction() as session:  # a broken import leaves no empty project behind
                session.delete(session.get_one(Project, project_id))
        tell_problems(error, as_json)
        raise
    result = {"project": project, **run.result}
    known = "was there already" if run.result["already_there"] else "is in"
    told = f"The data set {known}: {run.result['images']} images in project {project}."
    if burned_in := run.result["burned_in"]:
        told += (
            f"\nDICOM headers say of {burned_in} of them that text is written into the picture: look for names there."
        )
    show(result, as_json, told)


def tell_problems(error: CommandError, as_json: bool) -> None:
    if as_json:
        return
    for problem in error.details.get("problems", [])[:PROBLEMS]:
        where = f"row {problem['row']}" if problem["row"] is not None else "set"
        print(f"  {where}: {problem['path']}: {problem['message']}")


@brought.command("checkpoint")
def import_checkpoint(
    weights: Annotated[Path, typer.Argument(help="safetensors, or a state dict of torch.save.")],
    project: ProjectName,
    architecture: Annotated[str, typer.Option(help="mlp, small_cnn, torchvision/NAME or timm/NAME.")],
    size: Size,
    channels: Channels = 3,
    classes: Annotated[str, typer.Option(help="Order of the outputs, comma-separated; empty: the project's.")] = "",
    mean: Numbers = "0",
    std: Numbers = "1",
    name: str = "",
    as_json: Json = False,
) -> None:
    """Bring a trained model; a pickle with code in it is refused and never run."""
    ready_database()
    if not weights.is_file():
        raise CommandError(f"There is no file {weights}.")
    with reading() as session:
        found = project_named(session, project)
    order = (
        tuple(part.strip() for part in classes.split(",")) if classes else tuple(each.name for each in found.classes)
    )
    with weights.open("rb") as file:
        parameters = RegistrationParameters(
            name=name or weights.stem,
            architecture=architecture,
            input=model_input(size, channels, mean, std),
            classes=order,
            weights=storage().put_upload(file),
            filename=weights.name,
        )
    run = do(found.id, parameters, quiet=as_json)
    show({"run": str(run.id), **run.result}, as_json, f"The checkpoint is in project {project}.")


def train(
    project: ProjectName,
    architecture: Annotated[str, typer.Option(help="mlp, small_cnn, torchvision/NAME or timm/NAME.")] = "small_cnn",
    size: Size = 128,
    channels: Channels = 3,
    mean: Numbers = "0.5",
    std: Numbers = "0.25",
    epochs: int = 10,
    learning_rate: float = 1e-3,
    batch_size: int = 64,
    pretrained: Annotated[bool, typer.Option(help="Start from installed ImageNet weights.")] = False,
    balanced: Annotated[bool, typer.Option(help="Show every class equally often; draw the line so.")] = False,
    seed: int = 0,
    name: str = "",
    acting: Annotated[str, typer.Option("--as", help="Account in whose name this is done.")] = "",
    as_json: Json = False,
) -> None:
    """Train a first checkpoint, for people who have none."""
    ready_database()
    with reading() as session:
        found = project_named(session, project)
        user_id = acting_user(session, acting).id if acting else None
    parameters = TrainingParameters(
        name=name or architecture,
        architecture=architecture,
        input=model_input(size, channels, mean, std),
        epochs=epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        pretrained=pretrained,
        balanced=balanced,
        seed=seed,
    )
    run = do(found.id, parameters, quiet=as_json, user_id=user_id)
    show({"run": str(run.id), **run.result}, as_json, f"A checkpoint was trained for project {project}.")
