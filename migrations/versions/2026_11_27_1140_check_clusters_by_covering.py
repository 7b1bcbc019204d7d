"""check clusters by covering them"""

import sqlalchemy as sa
from alembic import op

revision = "6c2f9a4b7d15"
down_revision = "5d1e8b7a2c90"
branch_labels = None
depends_on = None


# Clusters of earlier analyses keep none: nobody looked at their odds.
def upgrade() -> None:
    for table in ("cluster", "honeypot_case"):
        op.add_column(table, sa.Column("odds_fall", sa.Float(), nullable=True))


def downgrade() -> None:
    for table in ("cluster", "honeypot_case"):
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column("odds_fall")
