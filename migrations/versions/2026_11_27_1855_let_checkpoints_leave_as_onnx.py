"""let checkpoints leave as ONNX files"""

from alembic import op

revision = "e3b91d7c5a28"
down_revision = "c7e4a1f8d025"
branch_labels = None
depends_on = None

KINDS = (
    "import",
    "registration",
    "training",
    "analysis",
    "critique",
    "calibration",
    "trial",
    "consensus",
    "realignment",
    "evaluation",
    "check",
    "honeypot",
)
STAGES = (
    "read",
    "register",
    "fit",
    "select",
    "attribute",
    "describe",
    "summarise",
    "calibrate",
    "criticise",
    "characterise",
    "agree",
    "realign",
    "predict",
    "measure",
    "check",
    "plant",
)
EXPORT = ("export",)


def upgrade() -> None:
    allow({"kind": KINDS + EXPORT, "stage": STAGES + EXPORT})


def downgrade() -> None:
    op.execute("DELETE FROM shard WHERE stage = 'export'")
    op.execute("DELETE FROM run WHERE kind = 'export'")
    allow({"kind": KINDS, "stage": STAGES})


def allow(words: dict[str, tuple[str, ...]]) -> None:
    for table, columns in (("run", ("kind", "stage")), ("shard", ("stage",))):
        with op.batch_alter_table(table, schema=None) as batch_op:
            for column in columns:
                name = batch_op.f(f"ck_{table}_{column}")
                listed = ", ".join(f"'{word}'" for word in words[column])
                batch_op.drop_constraint(name, type_="check")
                batch_op.create_check_constraint(name, f"{column} IN ({listed})")
