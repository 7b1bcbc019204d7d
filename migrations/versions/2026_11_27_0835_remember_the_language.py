"""remember the language"""

import sqlalchemy as sa
from alembic import op

revision = "5d1e8b7a2c90"
down_revision = "4d8b1f6e2a90"
branch_labels = None
depends_on = None


# The default is for the rows that are there. It stays: to take it away, SQLite would copy the table, to which many
# others refer.
def upgrade() -> None:
    with op.batch_alter_table("user_account", schema=None) as batch_op:
        batch_op.add_column(sa.Column("language", sa.String(length=8), server_default="", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("user_account", schema=None) as batch_op:
        batch_op.drop_column("language")
