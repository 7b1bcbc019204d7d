"""keep summaries in short"""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "8a3c6e1d9b47"
down_revision = "6c2f9a4b7d15"
branch_labels = None
depends_on = None

RUN = sa.table("run", sa.column("id", sa.Uuid()), sa.column("kind", sa.String()), sa.column("result", sa.JSON()))


def upgrade() -> None:
    change_results(with_short)


def downgrade() -> None:
    change_results(without_short)


def change_results(change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """One analysis after the other, as the results may be long."""
    connection = op.get_bind()
    for analysis in connection.scalars(sa.select(RUN.c.id).where(RUN.c.kind == "analysis")).all():
        result = connection.scalar(sa.select(RUN.c.result).where(RUN.c.id == analysis))
        if "summaries" in result:
            connection.execute(sa.update(RUN).where(RUN.c.id == analysis).values(result=change(result)))


def with_short(result: dict[str, Any]) -> dict[str, Any]:
    for told in result["summaries"].values():
        if told["outside"]:
            told["outside"]["images"] = len(told["outside"]["evidence"])
    return {**result, "short_summaries": short(result["summaries"])}


def without_short(result: dict[str, Any]) -> dict[str, Any]:
    for told in result["summaries"].values():
        if told["outside"]:
            told["outside"].pop("images", None)
    return {name: part for name, part in result.items() if name != "short_summaries"}


def short(told: Any) -> Any:  # noqa: ANN401  any part of a summary's JSON
    """With the first alone of the pictures behind each figure."""
    match told:
        case dict():
            return {name: value[:1] if name == "evidence" else short(value) for name, value in told.items()}
        case list():
            return [short(each) for each in told]
    return told
