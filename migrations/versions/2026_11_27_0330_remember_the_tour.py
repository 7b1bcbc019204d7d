"""remember who has been through the tour"""

import sqlalchemy as sa
from alembic import op

revision = "c7a4e19b6d20"
down_revision = "5b1e7c0d9a42"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("user_account", sa.Column("toured_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("user_account") as table:
        table.drop_column("toured_at")
