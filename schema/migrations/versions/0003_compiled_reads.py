"""Reads are compiled: what lists are ordered by has an index, and the works council has a role."""

from pathlib import Path

from alembic import op

from schema.store import run_script

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

PARTS = ("lists", "bucket", "feed", "subjects", "trusted", "keys")


def upgrade() -> None:
    for part in PARTS:
        run_script(op.get_bind(), (Path(__file__).parent / f"0003_{part}.sql").read_text())


def downgrade() -> None:
    raise RuntimeError("Evenhand's records are append-only; restore a backup instead of going back.")
