"""let people choose their keys"""

import sqlalchemy as sa
from alembic import op

revision = "3f0c9d51b7e4"
down_revision = "7c2e9a4d1b63"
branch_labels = None
depends_on = None


# The defaults are for the rows that are there. They stay: to take them away, SQLite would copy the table, to which many
# others refer.
def upgrade() -> None:
    with op.batch_alter_table("user_account", schema=None) as batch_op:
        batch_op.add_column(sa.Column("single_keys", sa.Boolean(), server_default=sa.true(), nullable=False))
        batch_op.add_column(sa.Column("keys", sa.JSON(), server_default="{}", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("user_account", schema=None) as batch_op:
        batch_op.drop_column("keys")
        batch_op.drop_column("single_keys")
