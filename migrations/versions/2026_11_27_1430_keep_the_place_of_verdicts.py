"""keep the place of verdicts in the order of review"""

import sqlalchemy as sa
from alembic import op

revision = "b5d2f7a93c61"
down_revision = "8a3c6e1d9b47"
branch_labels = None
depends_on = None

# As app.review.order.place_of: uncertain ones first, then by doubt times influence.
PLACES = """
    UPDATE verdict SET
        run_id = (SELECT critique.run_id FROM critique WHERE critique.id = verdict.critique_id),
        place = (
            SELECT CASE WHEN verdict.value = 'uncertain' THEN 0.0 ELSE 2.0 END
                - (1 - 2 * abs(verdict.p_spurious - 0.5)) * (cluster.share + abs(cluster.effect))
            FROM cluster WHERE cluster.id = verdict.cluster_id
        )
"""


def upgrade() -> None:
    op.add_column("verdict", sa.Column("run_id", sa.Uuid(), nullable=True))
    op.add_column("verdict", sa.Column("place", sa.Float(), nullable=True))
    op.execute(PLACES)
    with op.batch_alter_table("verdict", schema=None) as batch_op:
        batch_op.alter_column("run_id", existing_type=sa.Uuid(), nullable=False)
        batch_op.alter_column("place", existing_type=sa.Float(), nullable=False)
        batch_op.create_foreign_key(batch_op.f("fk_verdict_run_id_run"), "run", ["run_id"], ["id"], ondelete="CASCADE")
        batch_op.create_index("ix_verdict_place", ["run_id", "place", "cluster_id", "value"])


def downgrade() -> None:
    with op.batch_alter_table("verdict", schema=None) as batch_op:
        batch_op.drop_index("ix_verdict_place")
        batch_op.drop_constraint(batch_op.f("fk_verdict_run_id_run"), type_="foreignkey")
        batch_op.drop_column("place")
        batch_op.drop_column("run_id")
