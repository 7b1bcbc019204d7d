"""add drafts of projects, and the checks of the audit log"""

import sqlalchemy as sa
from alembic import op

revision = "7c2e9a4d1b63"
down_revision = "c7a4e19b6d20"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("project", schema=None) as batch_op:
        batch_op.add_column(sa.Column("draft", sa.JSON(none_as_null=True), nullable=True))
    op.create_table(
        "audit_check",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("broken", sa.Text(), nullable=False),
        sa.Column("who", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_check")),
    )
    with op.batch_alter_table("audit_check", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_check_created_at"), ["created_at"], unique=False)


def downgrade() -> None:
    op.drop_table("audit_check")
    with op.batch_alter_table("project", schema=None) as batch_op:
        batch_op.drop_column("draft")
