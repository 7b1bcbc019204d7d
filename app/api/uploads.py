"""What an engineer brings: data sets and checkpoints, as files. Both answer with the run that reads them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, File, Form, HTTPException, UploadFile
from pydantic import ValidationError

from app.api.bearer import EngineerCaller
from app.api.run_shapes import RunOut
from app.deps import DBSession, find_project
from app.models import Run
from app.runs.actions import start_run
from app.runs.belonging import ForeignError, refuse_foreign
from app.runs.parameters import ImportParameters, Input, RegistrationParameters
from app.storage import storage

router = APIRouter()
Text = Annotated[str, Form(min_length=1, max_length=200)]


@router.post(
    "/projects/{project_id}/datasets",
    tags=["data sets"],
    status_code=202,
    response_model=RunOut,
)
def import_dataset(
    session: DBSession,
    caller: EngineerCaller,
    project_id: UUID,
    file: Annotated[
        UploadFile, File(description="zip: manifest.csv and images, or train/<class>/*; PNG, JPEG or DICOM")
    ],
    name: Text,
    patient_column: Annotated[str, Form(max_length=200)] = "patient_id",
) -> Run:
    """Starts an import; the run tells every problem by its row, and a broken set leaves nothing behind."""
    blob = storage().put_upload(file.file)  # before the first query: storing it must not hold the write lock
    find_project(session, project_id)
    return start_run(
        session, project_id, ImportParameters(name=name, blob=blob, patient_column=patient_column), caller.id
    )


@router.post(
    "/projects/{project_id}/checkpoints",
    tags=["checkpoints"],
    status_code=202,
    response_model=RunOut,
)
def add_checkpoint(
    session: DBSession,
    caller: EngineerCaller,
    project_id: UUID,
    file: Annotated[UploadFile, File(description="safetensors, or what torch.load(weights_only=True) reads")],
    name: Text,
    architecture: Text,
    size: Annotated[int, Form()],
    channels: Annotated[int, Form(description="1 or 3")],
    mean: Annotated[list[float], Form(description="one for each channel")],
    std: Annotated[list[float], Form(description="one for each channel")],
    classes: Annotated[list[str], Form(description="the order of the model's outputs")],
    parent_id: Annotated[UUID | None, Form()] = None,
) -> Run:
    """Starts a registration: the weights are checked against the architecture, and measured."""
    try:
        asked = RegistrationParameters(
            name=name,
            architecture=architecture,
            input=Input.model_validate({"size": size, "channels": channels, "mean": mean, "std": std}),
            classes=tuple(classes),
            weights=storage().put_upload(file.file),
            filename=file.filename or "weights",
            parent_id=parent_id,
        )
        find_project(session, project_id)
        refuse_foreign(session, project_id, asked)
    except ValidationError as error:
        raise HTTPException(422, f"The input can't be so: {error.errors()[0]['msg'].rstrip('.')}.") from error
    except ForeignError as error:
        raise HTTPException(422, str(error)) from error
    return start_run(session, project_id, asked, caller.id)
