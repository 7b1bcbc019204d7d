"""add the trust bar"""

import sqlalchemy as sa
from alembic import op

revision = "5d1f0b7c9a42"
down_revision = "056028a4ce97"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "trust_bar",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("project_id", sa.Uuid(), nullable=False),
        sa.Column("locks", sa.Boolean(), nullable=False),
        sa.Column("least_kappa", sa.Float(), nullable=False),
        sa.Column("least_cases", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["user_account.id"], name=op.f("fk_trust_bar_created_by_id_user_account")
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_trust_bar_project_id_project"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trust_bar")),
    )
    with op.batch_alter_table("trust_bar", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_trust_bar_project_id_trust_bar_created_at"), ["project_id", "created_at"], unique=False
        )


def downgrade() -> None:
    with op.batch_alter_table("trust_bar", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_trust_bar_project_id_trust_bar_created_at"))

    op.drop_table("trust_bar")
