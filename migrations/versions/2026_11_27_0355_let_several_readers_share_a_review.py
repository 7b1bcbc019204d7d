"""let several readers share a review"""

import sqlalchemy as sa
from alembic import op

revision = "7c2e5a1f8b36"
down_revision = "3f0c9d51b7e4"
branch_labels = None
depends_on = None

CLASS_OF_CLUSTER = """
    UPDATE agreed_verdict SET class_id = (
        SELECT image.class_id FROM cluster
        JOIN explanation ON explanation.id = cluster.explanation_id
        JOIN image ON image.id = explanation.image_id
        WHERE cluster.id = agreed_verdict.cluster_id
    )
"""
# After the few that had a place; the next consensus gives every cluster its own.
LAST = "UPDATE agreed_verdict SET place = 1000000 WHERE place IS NULL"


def upgrade() -> None:
    op.create_table(
        "case_lock",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("cluster_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["cluster_id"], ["cluster.id"], name=op.f("fk_case_lock_cluster_id_cluster"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_case_lock_run_id_run"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_case_lock_user_id_user_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_lock")),
        sa.UniqueConstraint("run_id", "user_id", name=op.f("uq_case_lock_run_id_user_id")),
    )
    with op.batch_alter_table("case_lock", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_case_lock_run_id_case_lock_cluster_id"), ["run_id", "cluster_id"], unique=False
        )

    with op.batch_alter_table("review", schema=None) as batch_op:
        batch_op.add_column(sa.Column("settles", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("note", sa.String(length=500), nullable=False, server_default=""))
        batch_op.drop_index("ix_review_cluster_id_review_created_at")
        batch_op.create_index(
            batch_op.f("ix_review_cluster_id_review_user_id_review_created_at"), ["cluster_id", "user_id", "created_at"]
        )
    with op.batch_alter_table("honeypot_answer", schema=None) as batch_op:
        batch_op.add_column(sa.Column("note", sa.String(length=500), nullable=False, server_default=""))
    with op.batch_alter_table("project", schema=None) as batch_op:
        batch_op.add_column(sa.Column("second_readings", sa.Integer(), nullable=False, server_default="10"))

    with op.batch_alter_table("agreed_verdict", schema=None) as batch_op:
        batch_op.add_column(sa.Column("class_id", sa.Uuid(), nullable=True))
    op.execute(CLASS_OF_CLUSTER)
    op.execute(LAST)
    with op.batch_alter_table("agreed_verdict", schema=None) as batch_op:
        batch_op.alter_column("class_id", existing_type=sa.Uuid(), nullable=False)
        batch_op.alter_column("place", existing_type=sa.Integer(), nullable=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_agreed_verdict_class_id_target_class"),
            "target_class",
            ["class_id"],
            ["id"],
            ondelete="CASCADE",
        )
        batch_op.create_index(
            batch_op.f("ix_agreed_verdict_run_id_agreed_verdict_place"), ["run_id", "place"], unique=False
        )
        batch_op.create_index("ix_agreed_verdict_counts", ["run_id", "class_id", "kind", "value", "source"])


def downgrade() -> None:
    with op.batch_alter_table("agreed_verdict", schema=None) as batch_op:
        batch_op.drop_index("ix_agreed_verdict_counts")
        batch_op.drop_index(batch_op.f("ix_agreed_verdict_run_id_agreed_verdict_place"))
        batch_op.drop_constraint(batch_op.f("fk_agreed_verdict_class_id_target_class"), type_="foreignkey")
        batch_op.alter_column("place", existing_type=sa.Integer(), nullable=True)
        batch_op.drop_column("class_id")
    with op.batch_alter_table("project", schema=None) as batch_op:
        batch_op.drop_column("second_readings")
    with op.batch_alter_table("honeypot_answer", schema=None) as batch_op:
        batch_op.drop_column("note")
    with op.batch_alter_table("review", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_review_cluster_id_review_user_id_review_created_at"))
        batch_op.create_index("ix_review_cluster_id_review_created_at", ["cluster_id", "created_at"])
        batch_op.drop_column("note")
        batch_op.drop_column("settles")
    with op.batch_alter_table("case_lock", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_case_lock_run_id_case_lock_cluster_id"))

    op.drop_table("case_lock")
