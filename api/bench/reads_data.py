"""The rows that both sides of `bench reads` read: an organisation with its scores, written by reads.sql.

Decides: how large it is, and that ids follow from a kind and a number, so that nothing has to be looked up. Rows are
written by the database's administrator straight into the tables, since only reading is measured.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg

from schema.identity import DEFAULT_TENANT

SCRIPT = Path(__file__).parent / "reads.sql"


@dataclass(frozen=True, slots=True)
class Size:
    """How many managers, and how many people below each."""

    managers: int = 100
    people: int = 50


def key(kind: str, number: int) -> UUID:
    """The id of the so-manieth thing of a kind. Person 0 is the head, then come the managers, then their people."""
    return UUID(hashlib.md5(f"{kind}{number}".encode(), usedforsecurity=False).hexdigest())


TABLES = (
    "access.reporting_closure", "access.role_grant", "mirror.account", "mirror.person", "mirror.team",
    "mirror.team_membership", "score.cycle", "score.kpi_lineage", "score.kpi_value", "score.plan_version", "score.run",
    "score.score",
)  # fmt: skip


async def fill(url: str, size: Size) -> None:
    """Write the organisation into a migrated, empty database, and let the planner know it."""
    tenant = str(DEFAULT_TENANT)
    settings = {"bench.managers": str(size.managers), "bench.people": str(size.people), "bench.tenant": tenant}
    connection = await asyncpg.connect(url, server_settings={**settings, "app.tenant_id": tenant})  # for the triggers
    try:
        await connection.execute(SCRIPT.read_text())
        await connection.execute(f"vacuum analyze {', '.join(TABLES)}")
    finally:
        await connection.close()
