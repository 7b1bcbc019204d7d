"""count what stands by picture"""

import sqlalchemy as sa
from alembic import op

revision = "4d8b1f6e2a90"
down_revision = "7c2e5a1f8b36"
branch_labels = None
depends_on = None

PICTURE_OF_CLUSTER = """
    UPDATE agreed_verdict SET explanation_id = (
        SELECT cluster.explanation_id FROM cluster WHERE cluster.id = agreed_verdict.cluster_id
    )
"""


def upgrade() -> None:
    with op.batch_alter_table("agreed_verdict", schema=None) as batch_op:
        batch_op.drop_index("ix_agreed_verdict_counts")
        batch_op.add_column(sa.Column("explanation_id", sa.Uuid(), nullable=True))
    op.execute(PICTURE_OF_CLUSTER)
    with op.batch_alter_table("agreed_verdict", schema=None) as batch_op:
        batch_op.alter_column("explanation_id", existing_type=sa.Uuid(), nullable=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_agreed_verdict_explanation_id_explanation"),
            "explanation",
            ["explanation_id"],
            ["id"],
            ondelete="CASCADE",
        )
        batch_op.create_index(
            "ix_agreed_verdict_counts",
            ["run_id", "explanation_id", "cluster_id", "class_id", "kind", "value", "source"],
        )


def downgrade() -> None:
    with op.batch_alter_table("agreed_verdict", schema=None) as batch_op:
        batch_op.drop_index("ix_agreed_verdict_counts")
        batch_op.drop_constraint(batch_op.f("fk_agreed_verdict_explanation_id_explanation"), type_="foreignkey")
        batch_op.drop_column("explanation_id")
        batch_op.create_index("ix_agreed_verdict_counts", ["run_id", "class_id", "kind", "value", "source"])
