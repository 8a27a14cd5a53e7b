"""The summary of a demonstration: what was counted, in one line of JSON that a test can compare."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.actions.runs import Ran
from api.house import House
from schema.identity import DEFAULT_TENANT
from schema.store import DbRole, Viewer

COUNTS = text(
    """select (select count(*) from mirror.incident where tenant_id = :tenant) as incidents,
              (select count(*) from score.score where tenant_id = :tenant and run_id = :run_id and value is not null)
                as scores,
              (select count(*) from mirror.data_issue where tenant_id = :tenant and state = 'OPEN') as data_issues"""
)
PAID = text(
    """select currency, count(*) as lines, sum(amount_minor)::bigint as total_minor from pay.line
        where tenant_id = :tenant and state in ('open', 'paid') group by currency order by currency"""
)
AWARDS = text("select count(*) from pay.award where tenant_id = :tenant")
HEAD = text("select size, root from audit.tree_head where tenant_id = :tenant order by size desc limit 1")
KPIS = text(
    """select subject_kind, subject_label, metric, n, value, numerator, denominator from score.kpi_value
        where tenant_id = :tenant and run_id = :run_id and n > 0 order by subject_kind, subject_label, metric"""
)


async def summary(house: House, ran: Ran, cast_of: Mapping[str, UUID], of_log: bool) -> Mapping[str, Any]:
    """Counts, totals, audit head and result hash; for a real log also its figures by team and over all."""
    scope = {"tenant": DEFAULT_TENANT, "run_id": ran.run_id}
    async with house.store.begin(DbRole.WORKER, read_only=True) as connection:
        counts = (await connection.execute(COUNTS, scope)).one()
        figures = await log_figures(connection, scope) if of_log else {}
    finance = Viewer(cast_of["finance"])
    async with house.store.begin(DbRole.PAY, finance, read_only=True) as connection:
        paid = (await connection.execute(PAID, {"tenant": DEFAULT_TENANT})).all()
        awards = (await connection.execute(AWARDS, {"tenant": DEFAULT_TENANT})).scalar_one()
    async with house.store.begin(DbRole.SEQUENCER, read_only=True) as connection:
        head = (await connection.execute(HEAD, {"tenant": DEFAULT_TENANT})).first()
    told: dict[str, Any] = {
        "incidents": counts.incidents,
        "scores": counts.scores,
        "awards": awards,
        "payout": {
            "lines": sum(row.lines for row in paid),
            "total_minor": {row.currency: row.total_minor for row in paid},
        },
        "audit": {"size": head.size if head else 0, "root": head.root.hex() if head else ""},
        "data_issues": counts.data_issues,
        "result_hash": ran.result_hash,
    }
    return told | ({"log": figures} if of_log else {})


async def log_figures(connection: AsyncConnection, scope: Mapping[str, Any]) -> dict[str, Any]:
    """KPI values by subject: {"All records": {"made_sla_share": {"n": 8000, "numerator": 2895, ...}}, ...}."""
    found: dict[str, Any] = {}
    for row in (await connection.execute(KPIS, scope)).all():
        of_subject = found.setdefault(row.subject_label, {})
        of_subject[row.metric] = {"n": row.n, "value": str(row.value), "numerator": row.numerator}
    return found
