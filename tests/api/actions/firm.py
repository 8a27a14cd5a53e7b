"""A small firm whose records come in through the mirror, are scored, awarded and paid: what the action tests stand on.

Two services earn, a third has no budget. Each stage of the story is a database that is copied for every test, so that
a test begins where it has something to say. `fingerprint` says whether anything at all was changed.
"""

import itertools
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import asyncpg
import orjson
import pytest
from sqlalchemy import text
from sqlmodel import SQLModel

from api.actions import awards, payouts, plans, pulls, runs
from api.actions.audit import Log
from api.actions.drafts import Receiver
from api.signing.development import DevelopmentSigner
from connectors.mirror import Sighting, write_versions
from connectors.source import Version
from engine.canonical import canonical_json
from engine.plans import read_plan
from engine.refusal import Code, Refused
from engine.words import Feed, MirrorKind, Role, Source
from schema.embedded import Server
from schema.identity import DEFAULT_TENANT, NAMESPACE, mirror_id
from schema.store import DbRole, Store, Viewer

NOW = datetime(2026, 11, 21, 9, 0, 0, 123456, tzinfo=UTC)
OPENED = datetime(2026, 7, 6, 9, 0, tzinfo=UTC)  # a Monday
RECEIVER = Receiver()
ORIGIN = "dev.invalid/firm/audit"
POOL_MINOR = 1_000_001  # a cent that no even split can place
OTHER_TENANT = uuid5(NAMESPACE, "tenant:other")
PARTS = {
    "plan-admin": Role.PLAN_ADMIN, "hr": Role.HR, "finance": Role.FINANCE, "second": Role.FINANCE,
    "payroll": Role.PAYROLL, "auditor": Role.AUDITOR, "itsm-admin": Role.ITSM_ADMIN,
}  # fmt: skip
EARNERS = ("ann", "bea", "cid", "dan", "eve")
TEAMS = {"Web": ("ann", "bea", "bot", "gone"), "Pay": ("cid", "dan")}
SERVICES = {"Portal": ("eve", "Web", "Pay"), "Checkout": ("cid", "Pay", None), "Attic": ("eve", None, None)}

PLAN = f"""
key: firm
version: 1
title: The firm's third quarter
subject: SERVICE
currency: EUR
cycle: {{key: 2026-Q3, starts_on: 2026-07-01, ends_before: 2026-10-01}}
calendar:
  time_zone: Europe/Berlin
  hours: {{MONDAY: ["09:00-17:00"], TUESDAY: ["09:00-17:00"], WEDNESDAY: ["09:00-17:00"], THURSDAY: ["09:00-17:00"],
          FRIDAY: ["09:00-17:00"]}}
components:
  - key: restore
    metric: median_business_minutes_to_resolve
    weight: 0.4
    target: 300
    exclude: [VENDOR]
    curve: {{kind: INTERPOLATE, points: [[0.5, 0], [1, 1], [2, 1.5]]}}
  - key: agree
    metric: sla_attainment
    weight: 0.35
    target: 0.8
    exclude: [VENDOR]
    tolerance: {{band: 0.02, record_minutes: 5}}
    curve: {{kind: INTERPOLATE, points: [[0.5, 0], [1, 1], [1.2, 1.3]]}}
  - key: satisfy
    metric: customer_satisfaction
    weight: 0.25
    target: 0.7
    curve: {{kind: INTERPOLATE, points: [[0.3, 0], [1, 1], [1.4, 1.2]]}}
reported: [reopen_rate, cab_discipline]
cap: 1.5
attribution:
  default: {{method: RACI, weights: {{ACCOUNTABLE: 0.5, RESPONSIBLE: 0.4, CONSULTED: 0.1}}}}
pool:
  amount_minor: {POOL_MINOR}
  exponents: {{budget: 1, criticality: 1, headcount: 0}}
  criticality: {{"1": 1.5, "2": 1}}
  budgets_minor: {{Portal: 7000000, Checkout: 4000000}}
"""


def version(kind: MirrorKind, key: str, /, no: int = 1, **values: Any) -> Version:
    """A version of a record as a connector would translate it."""
    payload = canonical_json(orjson.loads(orjson.dumps({"key": key, "no": no} | values)))
    at = OPENED + timedelta(days=no)
    return Version(Source.SERVICENOW, kind.value.lower(), key, kind, no, at, payload, values)


def at(kind: MirrorKind, key: str | None) -> UUID | None:
    return mirror_id(Source.SERVICENOW, kind.value.lower(), key)


def person(name: str) -> UUID:
    """Somebody of the firm, or who holds a part in it without being mirrored."""
    found = at(MirrorKind.PERSON, name)
    assert found
    return found


def service(name: str) -> UUID:
    found = at(MirrorKind.SERVICE, name)
    assert found
    return found


def organisation() -> list[Version]:
    people = [
        version(MirrorKind.PERSON, name, name=name, email=f"{name}@example.com", employee_number=f"4{number:04}",
                human=name != "bot", active=name != "gone", manager_id=None)
        for number, name in enumerate((*EARNERS, "bot", "gone"))
    ]  # fmt: skip
    teams = [version(MirrorKind.TEAM, name, name=name, manager_id=None, active=True) for name in TEAMS]
    members = [
        version(MirrorKind.TEAM_MEMBERSHIP, f"{team}-{who}", team_id=at(MirrorKind.TEAM, team), person_id=person(who))
        for team, names in TEAMS.items()
        for who in names
    ]
    services = [
        version(MirrorKind.SERVICE, name, name=name, criticality="1" if name == "Portal" else "2",
                owner_id=person(owner), support_team_id=at(MirrorKind.TEAM, support),
                change_team_id=at(MirrorKind.TEAM, change))
        for name, (owner, support, change) in SERVICES.items()
    ]  # fmt: skip
    return [*people, *teams, *members, *services]


def incident(number: int, service_name: str, hours: float, /, no: int = 1, **more: Any) -> Version:
    opened = OPENED + timedelta(days=number)
    seconds = int(hours * 3600)
    values = {
        "number": f"INC{number:07}", "state": "RESOLVED", "source_state": "6", "priority": 3,
        "service_id": service(service_name), "team_id": at(MirrorKind.TEAM, SERVICES[service_name][1]),
        "assignee_id": person("ann"), "opened_at": opened, "resolved_at": opened + timedelta(seconds=seconds),
        "reopen_count": number % 2, "reassignment_count": 0, "made_sla": True, "resolve_seconds": seconds,
    }  # fmt: skip
    return version(MirrorKind.INCIDENT, f"i{number}", no=no, **(values | more))


def happened() -> list[Version]:
    """Incidents of both services with their clocks and answers; one was the vendor's fault."""
    hours = {"Portal": (2, 3.5, 5, 30, 7, 90), "Checkout": (1, 4, 26, 6, 5.25)}
    found = [
        version(MirrorKind.PROBLEM, "p1", number="PRB1", state="CLOSED", root_cause="VENDOR",
                closed_by_id=person("eve"), closed_at=OPENED + timedelta(days=20)),
        version(MirrorKind.SLA_DEFINITION, "d1", name="Resolve", sla_type="SLA", target="RESOLUTION"),
        version(MirrorKind.CHANGE, "c1", number="CHG1", change_type="NORMAL", state="CLOSED", outcome="SUCCESSFUL",
                service_id=service("Portal"), unauthorized=False, approval_decided_at=OPENED,
                work_started_at=OPENED + timedelta(hours=1), closed_at=OPENED + timedelta(hours=2)),
        version(MirrorKind.CHANGE, "c2", number="CHG2", change_type="EMERGENCY", state="CLOSED", outcome="SUCCESSFUL",
                service_id=service("Portal"), unauthorized=False, work_started_at=OPENED,
                closed_at=OPENED + timedelta(hours=2)),
        version(MirrorKind.CHANGE_APPROVAL, "a1", change_id=at(MirrorKind.CHANGE, "c1"), state="APPROVED",
                approver_id=person("eve")),
    ]  # fmt: skip
    number = 0
    for name, durations in hours.items():
        for each in durations:
            number += 1
            vendor = {"problem_id": at(MirrorKind.PROBLEM, "p1")} if each == 90 else {}
            told = incident(number, name, each, **vendor)
            task, ended = at(MirrorKind.INCIDENT, told.key), told.values["resolved_at"]
            planned = told.values["opened_at"] + timedelta(hours=8)
            clock = version(
                MirrorKind.TASK_SLA, f"s{number}", task_id=task, definition_id=at(MirrorKind.SLA_DEFINITION, "d1"),
                stage="COMPLETED", has_breached=ended > planned, started_at=told.values["opened_at"], ended_at=ended,
                planned_end_at=planned, business_seconds=0, business_pause_seconds=600 if number % 3 == 0 else 0,
            )  # fmt: skip
            rating = 5 if number % 4 else 2
            answer = version(MirrorKind.CSAT_RESPONSE, f"r{number}", task_id=task, rating=rating, answered_at=ended)
            found += [told, clock, answer]
    return found


async def bring_in(store: Store, versions: Iterable[Version]) -> None:
    """Write records through the mirror's only writer."""
    seen = [Sighting(each, Feed.POLL, 1, NOW) for each in versions]
    async with store.begin(DbRole.WORKER) as connection:
        await write_versions(connection, seen)


async def grant(store: Store, who: UUID, role: Role, tenant: UUID = DEFAULT_TENANT, **limits: datetime) -> None:
    given = {"tenant": tenant, "who": who, "role": role.value, "since": NOW - timedelta(days=900), "until": None}
    statement = text(
        """insert into access.role_grant (tenant_id, person_id, role, granted_by, valid_from, valid_to)
           values (:tenant, :who, :role, 'test', :since, :until)"""
    )
    async with store.begin(DbRole.WORKER, Viewer(tenant_id=tenant)) as connection:
        await connection.execute(statement, given | limits)


@dataclass
class Firm:
    """One copy of the firm: its database, its log and its keys."""

    url: str
    store: Store
    log: Log
    signer: DevelopmentSigner
    admin: asyncpg.Connection | None = None

    async def close(self) -> None:
        await self.store.close()
        if self.admin is not None:
            await self.admin.close()

    @property
    def cycle_id(self) -> UUID:
        return plans.cycle_id(read_plan(PLAN))

    def viewer(self, name: str) -> Viewer:
        return Viewer(person(name), request_id=f"req-{name}")

    async def rows(self, statement: str, *values: Any) -> list[Any]:
        """As the administrator, whom no policy hides anything from."""
        if self.admin is None:
            self.admin = await asyncpg.connect(self.url, statement_cache_size=0)
        return list(await self.admin.fetch(statement, *values))

    async def value(self, statement: str, *values: Any) -> Any:
        ((found,),) = await self.rows(statement, *values)
        return found

    async def run_id(self) -> UUID:
        return UUID(str(await self.value("select id from score.run order by run_no desc limit 1")))

    async def entries(self) -> Counter[str]:
        return Counter(row["ty"] for row in await self.rows("select ty from audit.entry"))

    async def payloads(self, ty: str) -> list[dict[str, Any]]:
        """What the entries of this type say, opened with the key of the log."""
        sealed = await self.rows("select id, sealed from audit.entry where ty = $1 order by object_id, at", ty)
        return [orjson.loads(self.log.open_entry(UUID(str(row["id"])), row["sealed"])[1]) for row in sealed]

    async def states(self) -> dict[str, str]:
        return {row["award_ref"]: row["state"] for row in await self.rows("select award_ref, state from pay.award")}

    async def release(self, by: str = "finance") -> UUID | None:
        viewer = self.viewer(by)
        return await payouts.release(self.store, self.log, self.signer, viewer, self.cycle_id, RECEIVER, NOW)

    async def approve_file(self, by: str) -> bool:
        environment, viewer = self.signer.environment, self.viewer(by)
        return await payouts.approve(self.store, self.log, viewer, self.cycle_id, RECEIVER, environment, NOW)

    async def fingerprint(self, *, without: Iterable[str] = ()) -> dict[str, str]:
        """What every table holds, as a hash: equal before and after means that nothing was changed."""
        tables = sorted({*map(str, SQLModel.metadata.tables)} - {*without, *COUNTS})
        each = "select '{0}', md5(coalesce(string_agg(t::text, E'\\n' order by t::text), '')) from {0} t"
        return {row[0]: row[1] for row in await self.rows(" union all ".join(map(each.format, tables)))}


SCHEMAS = ["access", "audit", "feed", "ledger", "mirror", "ops", "pay", "score"]
COUNTS = ("ops.data_change", "ops.data_version")  # how often something was written, not what
PLACES = ("audit.pending", "audit.seq", "audit.tree_head", "audit.note_line")  # the sequencer moves these by itself


async def refused(firm: Firm, code: Code, act: Callable[[], Awaitable[Any]], say: str = "") -> Refused:
    """Try an act that must be refused, and see that it left nothing behind."""
    before = await firm.fingerprint(without=PLACES)
    with pytest.raises(Refused) as no:
        await act()
    assert no.value.code is code
    assert say in no.value.what
    assert no.value.fix
    assert await firm.fingerprint(without=PLACES) == before
    return no.value


async def score(firm: Firm) -> None:
    for name, role in PARTS.items():
        await grant(firm.store, person(name), role)
    await bring_in(firm.store, [*organisation(), *happened()])
    await plans.publish(firm.store, firm.log, firm.viewer("plan-admin"), PLAN, NOW)
    await runs.run(firm.store, firm.log, NOW)


async def submit(firm: Firm) -> None:
    assert await awards.submit(firm.store, firm.log, firm.viewer("hr"), await firm.run_id(), NOW) == len(EARNERS)


async def approve(firm: Firm) -> None:
    done = await awards.approve_cycle(firm.store, firm.log, firm.viewer("finance"), firm.cycle_id, NOW)
    assert done == len(EARNERS)


async def release(firm: Firm) -> None:
    assert await firm.approve_file("finance")
    assert await firm.approve_file("second")
    assert await firm.release()


async def pull(firm: Firm) -> None:
    address = pulls.Address(RECEIVER.name, 1)
    await pulls.pull(firm.store, firm.log, firm.viewer("payroll"), address, "payout.csv", NOW)


STAGES: dict[str, Callable[[Firm], Awaitable[None]]] = {
    "SCORED": score, "SUBMITTED": submit, "APPROVED": approve, "RELEASED": release, "PULLED": pull,
}  # fmt: skip
NUMBER = itertools.count(1)


class Stages:
    """Databases in which the story has been told so far, each made once from the one before it."""

    def __init__(self, server: Server, template: str, signer: DevelopmentSigner, sealing_key: bytes) -> None:
        self._server, self._signer, self._key = server, signer, sealing_key
        self._made = {"": template}

    @asynccontextmanager
    async def at(self, stage: str) -> AsyncIterator[Firm]:
        """A copy of the firm at this stage, for one test. An empty stage is a firm without anything."""
        name = await self._copy(await self._reach(stage))
        firm = self._open(name)
        try:
            yield firm
        finally:
            await firm.close()
            await self._administer(f'drop database "{name}" with (force)')

    async def _reach(self, stage: str) -> str:
        if stage not in self._made:
            names = ["", *STAGES]
            name = await self._copy(await self._reach(names[names.index(stage) - 1]))
            firm = self._open(name)
            await STAGES[stage](firm)
            await firm.close()
            self._made[stage] = name
        return self._made[stage]

    def _open(self, name: str) -> Firm:
        url = self._server.url(name)
        return Firm(url, Store(url), Log(ORIGIN, self._key, self._signer), self._signer)

    async def _copy(self, source: str) -> str:
        name = f"firm_{os.getpid()}_{next(NUMBER)}"
        await self._administer(f'create database "{name}" template "{source}" strategy file_copy')
        return name

    async def _administer(self, statement: str) -> None:
        admin = await asyncpg.connect(self._server.url("postgres"))
        try:
            await admin.execute(statement)
        finally:
            await admin.close()


def plan(key: str = "firm", version: int = 1, **swaps: str) -> str:
    """The plan as another one: each swap replaces a piece of its text that must be there."""
    body = PLAN.replace("key: firm", f"key: {key}").replace("version: 1", f"version: {version}")
    for old, new in swaps.items():
        assert old.replace("_", " ") in body
        body = body.replace(old.replace("_", " "), new)
    return body


def again(told: Version, **values: Any) -> Version:
    """The next version of a record, with other values."""
    newer = version(told.kind, told.key, no=told.version_no + 1, **(dict(told.values) | values))
    return replace(newer, version_at=told.version_at + timedelta(days=1))
