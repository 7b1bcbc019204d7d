"""say regions in what a consensus tells, and what it needs apart"""

from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

revision = "c7e4a1f8d025"
down_revision = "b5d2f7a93c61"
branch_labels = None
depends_on = None

RUN = sa.table("run", sa.column("id", sa.Uuid()), sa.column("kind", sa.String()), sa.column("result", sa.JSON()))
TOO_FEW = "For that people have answered too few yet: eight regions, with two of either answer, are needed."
NOW = {
    "The judge calls every cluster the same, so other images say nothing new; only reviews can dissent.": (
        "The judge calls every region the same, so other images say nothing new; only reviews can dissent."
    ),
    "The judge's words follow nothing that its clusters have in common; only reviews can dissent.": (
        "The judge's words follow nothing that its regions have in common; only reviews can dissent."
    ),
}


def upgrade() -> None:
    change_results(apart)


def downgrade() -> None:
    change_results(together)


def change_results(change: Callable[[str, str], dict[str, str]]) -> None:
    connection = op.get_bind()
    for run_id, result in connection.execute(sa.select(RUN.c.id, RUN.c.result).where(RUN.c.kind == "consensus")).all():
        if told := result.get("fell_back"):
            kept = {name: part for name, part in result.items() if name != "needed"}
            changed = kept | change(told, result.get("needed", ""))
            connection.execute(sa.update(RUN).where(RUN.c.id == run_id).values(result=changed))


def apart(told: str, needed: str) -> dict[str, str]:
    del needed  # no earlier version kept it
    why = told.removesuffix(TOO_FEW).rstrip()
    return {"fell_back": NOW.get(why, why), "needed": TOO_FEW if told.endswith(TOO_FEW) else ""}


def together(told: str, needed: str) -> dict[str, str]:
    before = {after: earlier for earlier, after in NOW.items()}
    return {"fell_back": f"{before.get(told, told)} {needed}".rstrip()}
