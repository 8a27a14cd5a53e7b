"""Cycles, plans and runs: where a number comes from, and which numbers are the newest."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select

from api.graphql.binding import Node, about, shown, to_one
from api.graphql.scalars import BigInt
from schema.tables import scores

RUN: Any = scores.Run.__table__  # type: ignore[attr-defined]
PLAN: Any = scores.PlanVersion.__table__  # type: ignore[attr-defined]


@shown(scores.Cycle, "A period that is scored and paid.")
class Cycle(Node):
    label: str = about("Its name.")
    starts_on: date = about("The first day.")
    ends_before: date = about("The first day that is no longer inside.")


@shown(scores.PlanVersion, "A published version of a plan. It never changes.")
class PlanVersion(Node):
    plan_key: str = about("Which plan.")
    version: int = about("Its number, from 1.")
    title: str = about("Its title.")
    content_hash: str = about("sha256 of its content, hex.")
    published_at: datetime = about("When it was published.")


@shown(scores.Run, "One computation: the same snapshot, plan and engine version give the same result hash anywhere.")
class Run(Node):
    run_no: BigInt = about("Rises with every run.")
    snapshot_hash: str = about("sha256 of the facts that went in, hex.")
    engine_version: str = about("Version of the rules.")
    result_hash: str = about("sha256 of everything that came out, hex.")
    data_as_of: datetime = about("When the data was read.")
    closed_at: datetime = about("When the run was finished.")
    cycle: Cycle | None = to_one("Cycle", "cycle_id", "The cycle that was computed.")
    plan_version: PlanVersion | None = to_one("PlanVersion", "plan_version_id", "The plan that was used.")


def newest(given: frozenset[str], c: Any) -> list[ColumnElement[bool]]:
    """Without a filter on runs or single ids, a list shows the newest run of each cycle and plan only."""
    if given & {"run", "id"}:
        return []
    latest = (
        select(func.max(RUN.c.run_no))
        .join(PLAN, (PLAN.c.tenant_id == RUN.c.tenant_id) & (PLAN.c.id == RUN.c.plan_version_id))
        .group_by(RUN.c.cycle_id, PLAN.c.plan_key)
    )
    return [c.run_id.in_(select(RUN.c.id).where(RUN.c.run_no.in_(latest)))]
