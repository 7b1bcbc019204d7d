"""Drawn pictures, kept on disk under the hash of what they were drawn from."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from uuid import uuid4

from fastapi import Request, Response

from app.config import settings
from app.headers import A_YEAR

DRAWING = "1"  # raise it when the drawing changes, so that nothing old is shown
FOR_EVER = f"private, max-age={A_YEAR}, immutable"  # private: no proxy between keeps a patient's picture


@dataclass(frozen=True)
class Form:
    """How a picture is stored and sent."""

    suffix: str
    media_type: str
    packed: bool = False  # with gzip, which every browser unpacks by itself


PNG = Form(".png", "image/png")
VALUES = Form(".pnm.gz", "image/x-portable-anymap", packed=True)


def drawn(request: Request, parts: tuple[str, ...], draw: Callable[[], bytes], form: Form = PNG) -> Response:
    """The picture that ``parts`` (digests and settings) determine; it is drawn once."""
    key = sha256("\n".join((DRAWING, *parts)).encode()).hexdigest()
    if known(request, key):
        return Response(status_code=304, headers=headers(key))
    path = settings().data / "cache" / "pictures" / key[:2] / f"{key}{form.suffix}"
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        data = draw()
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{uuid4().hex}")
        draft.write_bytes(data)
        draft.replace(path)
    packing = {"Content-Encoding": "gzip"} if form.packed else {}
    return Response(data, media_type=form.media_type, headers=headers(key) | packing)


def known(request: Request, key: str) -> bool:
    given = [tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")]
    return f'"{key}"' in given


def headers(key: str) -> dict[str, str]:
    return {"ETag": f'"{key}"', "Cache-Control": FOR_EVER}
