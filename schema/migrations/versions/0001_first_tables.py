"""The first tables, roles and triggers. Row security is on from here: a table without a policy shows nothing."""

from pathlib import Path

from alembic import op

from schema.store import run_script

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    for part in ("roles", "tables", "triggers"):
        run_script(op.get_bind(), (Path(__file__).parent / f"0001_{part}.sql").read_text())


def downgrade() -> None:
    raise RuntimeError("Evenhand's records are append-only; restore a backup instead of going back.")
