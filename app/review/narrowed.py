"""What a reader has narrowed the worklist to."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, and_, true

from app.models import AgreedVerdict, Image


@dataclass(frozen=True)
class Narrowed:
    """To one class, to one kind of region of the newest consensus, or to neither."""

    class_id: UUID | None = None
    kind: int | None = None

    @property
    def condition(self) -> ColumnElement[bool]:
        """On images and agreed verdicts."""
        return and_(
            Image.class_id == self.class_id if self.class_id else true(),
            AgreedVerdict.kind == self.kind if self.kind is not None else true(),
        )


ALL = Narrowed()
