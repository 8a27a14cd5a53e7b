"""Feeds, documents, boards, surveys, suppliers, staff; bodies by the month; the diary of what stood when."""

from pathlib import Path

from alembic import op

from schema.store import run_script

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for part in ("tables", "changes"):
        run_script(op.get_bind(), (Path(__file__).parent / f"0002_{part}.sql").read_text())


def downgrade() -> None:
    raise RuntimeError("Evenhand's records are append-only; restore a backup instead of going back.")
