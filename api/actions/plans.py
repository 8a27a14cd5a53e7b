"""Publishing a plan. A published version never changes: another text under its number is refused."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.actions.audit import Log
from api.actions.rights import Action, require
from engine.plans import read_plan
from engine.refusal import Code, Refused
from engine.terms import Plan
from schema.identity import NAMESPACE
from schema.store import DbRole, Store, Viewer

FIND = text(
    """select id, content_hash from score.plan_version
        where tenant_id = :tenant and plan_key = :key and version = :version"""
)
PUBLISH = text(
    """insert into score.plan_version (tenant_id, id, plan_key, version, title, content_hash, body, published_by,
                                       published_at)
       values (:tenant, :id, :key, :version, :title, :content_hash, :body, :person, :now)"""
)
OPEN_CYCLE = text(
    """insert into score.cycle (tenant_id, id, label, starts_on, ends_before)
       values (:tenant, :id, :label, :starts_on, :ends_before) on conflict do nothing"""
)
LATEST = text(
    """select id, body from score.plan_version where tenant_id = :tenant and (:key = '' or plan_key = :key)
        order by published_at desc, version desc limit 1"""
)


@dataclass(frozen=True, slots=True)
class Published:
    """A plan version as stored, read again."""

    id: UUID
    plan: Plan

    @property
    def cycle_id(self) -> UUID:
        return cycle_id(self.plan)


def cycle_id(plan: Plan) -> UUID:
    cycle = plan.cycle
    return uuid5(NAMESPACE, f"cycle:{cycle.key}:{cycle.starts_on}:{cycle.ends_before}")


async def publish(store: Store, log: Log, viewer: Viewer, body: str, now: datetime) -> Published:
    """Check and keep a plan. The same text again is the same version and changes nothing."""
    plan = read_plan(body)
    plan_id = uuid5(NAMESPACE, f"plan:{viewer.tenant_id}:{plan.key}:{plan.version}")
    async with store.begin(DbRole.WORKER, viewer) as connection:
        await require(connection, viewer, Action.PLAN_PUBLISH)
        scope = {"tenant": viewer.tenant_id, "key": plan.key, "version": plan.version}
        known = (await connection.execute(FIND, scope)).first()
        if known and known.content_hash != plan.content_hash:
            raise Refused(
                Code.VERSION_IMMUTABLE,
                f"Version {plan.version} of {plan.key} is published with another content.",
                f"Publish the change as version {plan.version + 1}.",
                ("version",),
            )
        if not known:
            await insert(connection, viewer, plan, plan_id, body, now)
            await log.record(
                connection,
                viewer,
                ty="rule.published/v1",
                object_type="plan",
                object_id=str(plan_id),
                object_version=plan.version,
                data={"content_hash": plan.content_hash, "key": plan.key},
                at=now,
            )
    return Published(plan_id, plan)


async def insert(
    connection: AsyncConnection, viewer: Viewer, plan: Plan, plan_id: UUID, body: str, now: datetime
) -> None:
    await connection.execute(
        OPEN_CYCLE,
        {
            "tenant": viewer.tenant_id,
            "id": cycle_id(plan),
            "label": plan.cycle.key,
            "starts_on": plan.cycle.starts_on,
            "ends_before": plan.cycle.ends_before,
        },
    )
    await connection.execute(
        PUBLISH,
        {
            "tenant": viewer.tenant_id,
            "id": plan_id,
            "key": plan.key,
            "version": plan.version,
            "title": plan.title,
            "content_hash": plan.content_hash,
            "body": body,
            "person": str(viewer.person_id),
            "now": now,
        },
    )


async def latest(connection: AsyncConnection, viewer: Viewer, key: str = "") -> Published:
    """The newest published plan, of this key if one is given."""
    row = (await connection.execute(LATEST, {"tenant": viewer.tenant_id, "key": key})).first()
    if row is None:
        raise Refused(Code.NOT_FOUND, "No plan is published.", "Publish one: evenhand plan FILE.")
    return Published(row.id, read_plan(row.body))
