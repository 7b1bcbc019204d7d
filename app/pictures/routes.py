"""Addresses of pictures; every one needs a sign-in and never changes, so that browsers keep it.

/pictures/images/{image_id}                       as it was imported
/pictures/images/{image_id}/thumbnail             ?size=96, 240 (unless told) or 480: pixels of the longer side
/pictures/explanations/{explanation_id}/image     the image alone, of one size with the three below
/pictures/explanations/{explanation_id}/map       its clusters in their colours with their numbers, on black
/pictures/explanations/{explanation_id}/overlay   its clusters over it
/pictures/explanations/{explanation_id}/layer     its clusters on a clear ground, to lay over ``image``;
                                                  ?cluster=2 shows that one alone
/pictures/cases/{case_id}/image                   what a reader is asked about: the picture of a cluster, or a planted
/pictures/cases/{case_id}/layer                   copy; both under one kind of address, so that it tells nothing
These six take ?size=240, 480 (unless told) or 960. For the viewer, which draws by itself:
/pictures/{kind}/{id}/values                      the picture's own values, of images, explanations and cases
/pictures/{kind}/{id}/cells                       the number of each pixel's cluster, 0 for none; not of images
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast
from uuid import UUID

import numpy as np
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from PIL.Image import Image as Picture
from pydantic import BeforeValidator
from sqlalchemy import null, select, union_all
from sqlalchemy.orm import joinedload

from app.deps import Clinician, DBSession
from app.languages.catalogue import gettext
from app.models import Cluster, Explanation, HoneypotCase, Image
from app.pictures import drawing, values
from app.pictures.cache import VALUES, drawn, headers, known
from app.storage import BlobMissingError, storage

router = APIRouter(prefix="/pictures")

# An address holds text, and a literal takes no text for a number by itself.
ThumbnailSize = Annotated[Literal[96, 240, 480], BeforeValidator(int), Query()]
Size = Annotated[Literal[240, 480, 960], BeforeValidator(int), Query()]
# What browsers show as it is; everything else is turned into PNG.
TYPES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


def get_image(session: DBSession, user: Clinician, image_id: UUID) -> Image:
    del user  # asked for so that nobody sees a picture without signing in
    image = session.get(Image, image_id)
    if image is None:
        raise HTTPException(
            404, gettext("There is no such picture: its data set was removed, or the address is not complete.")
        )
    return image


def get_explanation(session: DBSession, user: Clinician, explanation_id: UUID) -> Explanation:
    del user
    explanation = session.get(Explanation, explanation_id, options=[joinedload(Explanation.image)])
    if explanation is None:
        raise HTTPException(
            404, gettext("There is no such picture: its analysis was removed, or the address is not complete.")
        )
    return explanation


@dataclass(frozen=True)
class Shown:
    """The blobs that a picture with clusters is drawn from."""

    picture: str
    assignment: str
    original: str | None = None  # of a planted copy


def get_shown(explanation: Annotated[Explanation, Depends(get_explanation)]) -> Shown:
    return Shown(explanation.image.blob, explanation.assignment)


def get_case(session: DBSession, user: Clinician, case_id: UUID) -> Shown:
    del user
    of_cluster = (
        select(Image.blob, Explanation.assignment, null())
        .join(Explanation, Explanation.image_id == Image.id)
        .join(Cluster, Cluster.explanation_id == Explanation.id)
        .where(Cluster.id == case_id)
    )
    planted = (
        select(HoneypotCase.picture, HoneypotCase.assignment, Image.blob)
        .join(Explanation, Explanation.id == HoneypotCase.explanation_id)
        .join(Image, Image.id == Explanation.image_id)
        .where(HoneypotCase.id == case_id)
    )
    rows = cast("Any", session.execute(union_all(of_cluster, planted)))  # a union's columns have no types
    row: tuple[str, str, str | None] | None = rows.one_or_none()
    if row is None:
        raise HTTPException(
            404, gettext("There is no such case: its analysis was removed, or the address is not complete.")
        )
    return Shown(*row)


CurrentImage = Annotated[Image, Depends(get_image)]
CurrentExplanation = Annotated[Shown, Depends(get_shown)]
CurrentCase = Annotated[Shown, Depends(get_case)]
OneCluster = Annotated[int, Query(ge=0, le=len(drawing.PALETTE))]


def blob(digest: str) -> bytes:
    try:
        return storage().get(digest)
    except BlobMissingError as error:
        raise HTTPException(
            404, gettext("The file of this picture is missing in the store; an engineer can import it again.")
        ) from error


@router.get("/images/{image_id}")
def show_image(request: Request, image: CurrentImage) -> Response:
    if known(request, image.blob):
        return Response(status_code=304, headers=headers(image.blob))
    data = blob(image.blob)
    for start, media_type in TYPES.items():
        if data.startswith(start):
            return Response(data, media_type=media_type, headers=headers(image.blob))
    return drawn(request, ("image", image.blob), lambda: drawing.as_png(drawing.opened(data)))


@router.get("/images/{image_id}/thumbnail")
def show_thumbnail(request: Request, image: CurrentImage, size: ThumbnailSize = 240) -> Response:
    def draw() -> bytes:
        return drawing.as_png(drawing.fitted(drawing.opened(blob(image.blob)), size))

    return drawn(request, ("fitted", image.blob, str(size)), draw)


@router.get("/images/{image_id}/values")
def show_image_values(request: Request, image: CurrentImage) -> Response:
    return values_of(request, Shown(image.blob, ""))


@router.get("/explanations/{explanation_id}/values")
def show_explained_values(request: Request, explanation: CurrentExplanation) -> Response:
    return values_of(request, explanation)


@router.get("/explanations/{explanation_id}/cells")
def show_cells(request: Request, explanation: CurrentExplanation) -> Response:
    return cells_of(request, explanation)


@router.get("/cases/{case_id}/values")
def show_case_values(request: Request, case: CurrentCase) -> Response:
    return values_of(request, case)


@router.get("/cases/{case_id}/cells")
def show_case_cells(request: Request, case: CurrentCase) -> Response:
    return cells_of(request, case)


@router.get("/explanations/{explanation_id}/image")
def show_explained_image(request: Request, explanation: CurrentExplanation, size: Size = 480) -> Response:
    return alone(request, explanation, size)


@router.get("/explanations/{explanation_id}/map")
def show_map(request: Request, explanation: CurrentExplanation, size: Size = 480) -> Response:
    return of_clusters(request, explanation, "map", size, lambda _, cells: drawing.cluster_map(cells))


@router.get("/explanations/{explanation_id}/overlay")
def show_overlay(request: Request, explanation: CurrentExplanation, size: Size = 480) -> Response:
    return of_clusters(request, explanation, "overlay", size, drawing.overlay)


@router.get("/explanations/{explanation_id}/layer")
def show_layer(
    request: Request, explanation: CurrentExplanation, size: Size = 480, cluster: OneCluster = 0
) -> Response:
    return layer_of(request, explanation, size, cluster)


@router.get("/cases/{case_id}/image")
def show_case_image(request: Request, case: CurrentCase, size: Size = 480) -> Response:
    return alone(request, case, size)


@router.get("/cases/{case_id}/layer")
def show_case_layer(request: Request, case: CurrentCase, size: Size = 480, cluster: OneCluster = 0) -> Response:
    return layer_of(request, case, size, cluster)


def alone(request: Request, shown: Shown, size: int) -> Response:
    def draw() -> bytes:
        return drawing.as_png(drawing.fitted(drawing.opened(blob(shown.picture)), size))

    return drawn(request, ("fitted", shown.picture, str(size)), draw)


def values_of(request: Request, shown: Shown) -> Response:
    def draw() -> bytes:
        if shown.original:
            return values.as_netpbm(values.copied_values(blob(shown.picture), blob(shown.original)))
        return values.as_netpbm(values.values_of(blob(shown.picture)))

    return drawn(request, ("values", shown.picture, shown.original or ""), draw, VALUES)


def cells_of(request: Request, shown: Shown) -> Response:
    def draw() -> bytes:
        return values.as_netpbm(values.stored(blob(shown.assignment)))

    return drawn(request, ("cells", shown.assignment), draw, VALUES)


def layer_of(request: Request, shown: Shown, size: int, cluster: int) -> Response:
    def draw(_: Picture, cells: drawing.Cells) -> Picture:
        return drawing.layer(np.where(cells == cluster, cells, 0) if cluster else cells)

    return of_clusters(request, shown, f"layer {cluster}", size, draw)


def of_clusters(
    request: Request, shown: Shown, what: str, size: int, draw: Callable[[Picture, drawing.Cells], Picture]
) -> Response:
    def draw_all() -> bytes:
        picture = drawing.fitted(drawing.opened(blob(shown.picture)), size)
        return drawing.as_png(draw(picture, drawing.cells_of(blob(shown.assignment), picture.size)))

    return drawn(request, (what, shown.picture, shown.assignment, str(size)), draw_all)
