"""plant cases for readers"""

import sqlalchemy as sa
from alembic import op

revision = "056028a4ce97"
down_revision = "0ac5cf4acf2c"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "honeypot_case",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("critique_id", sa.Uuid(), nullable=False),
        sa.Column("explanation_id", sa.Uuid(), nullable=False),
        sa.Column("mark", sa.String(length=20), nullable=False),
        sa.Column(
            "truth",
            sa.Enum("spurious", "relevant", name="named", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("regions", sa.Integer(), nullable=False),
        sa.Column("share", sa.Float(), nullable=False),
        sa.Column("effect", sa.Float(), nullable=False),
        sa.Column("place", sa.String(length=60), nullable=False),
        sa.Column("picture", sa.String(length=64), nullable=False),
        sa.Column("assignment", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["critique_id"], ["run.id"], name=op.f("fk_honeypot_case_critique_id_run"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["explanation_id"],
            ["explanation.id"],
            name=op.f("fk_honeypot_case_explanation_id_explanation"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_honeypot_case_run_id_run"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_honeypot_case")),
        sa.UniqueConstraint("critique_id", "explanation_id", name=op.f("uq_honeypot_case_critique_id_explanation_id")),
    )
    with op.batch_alter_table("honeypot_case", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_honeypot_case_explanation_id"), ["explanation_id"], unique=False)

    op.create_table(
        "honeypot_answer",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("case_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column(
            "answer",
            sa.Enum(
                "spurious",
                "relevant",
                "can't tell",
                "withdrawn",
                name="answer",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["case_id"], ["honeypot_case.id"], name=op.f("fk_honeypot_answer_case_id_honeypot_case"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"], name=op.f("fk_honeypot_answer_run_id_run"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_honeypot_answer_user_id_user_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_honeypot_answer")),
    )
    with op.batch_alter_table("honeypot_answer", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_honeypot_answer_case_id_honeypot_answer_user_id"), ["case_id", "user_id"], unique=False
        )


def downgrade() -> None:
    with op.batch_alter_table("honeypot_answer", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_honeypot_answer_case_id_honeypot_answer_user_id"))

    op.drop_table("honeypot_answer")
    with op.batch_alter_table("honeypot_case", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_honeypot_case_explanation_id"))

    op.drop_table("honeypot_case")
