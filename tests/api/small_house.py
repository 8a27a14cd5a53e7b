"""Two teams, their line, and everybody who looks over it; with a plain model of who may see what.

`fill` writes it through the roles that write it in life. `Model` says, without SQL, which rows a person may see.
"""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import insert, text

from api.actions.audit import Log
from engine.explain import as_json
from engine.findings import Evidence, Finding, constant, parameters
from engine.means import SHARED_OUT
from engine.words import KpiStatus, Op, TraceKind
from schema.identity import DEFAULT_TENANT, NAMESPACE
from schema.store import SYSTEM, DbRole, Store, Viewer
from schema.tables import access, mirror, money, scores
from tests.api.small_records import answers, bookings, house_keeping, proposals, records

NOW = datetime(2026, 11, 21, 9, 0, 0, 123456, tzinfo=UTC)
OTHER_TENANT = uuid5(NAMESPACE, "tenant:other")
# person -> manager
LINE = {
    "carla": None, "mia": "carla", "max": "carla",
    "ana": "mia", "ben": "mia", "cara": "max", "dan": "max",
    "hanna": "carla", "finn": "carla", "paul": "carla", "ava": "carla", "ivo": "carla",
}  # fmt: skip
TEAMS = {"alpha": ("mia", ("ana", "ben")), "beta": ("max", ("cara", "dan"))}
SERVICES = {"mail": "mia", "shop": "max"}
GRANTS = {"hanna": "HR", "finn": "FINANCE", "paul": "PAYROLL", "ava": "AUDITOR", "ivo": "ITSM_ADMIN"}
EARNERS = ("ana", "ben", "cara", "dan", "mia", "max")
IN_PAYROLL = ("cara",)
RECORDS = 3


def key(kind: str, name: str) -> UUID:
    return uuid5(NAMESPACE, f"test:{kind}:{name}")


def person(name: str) -> UUID:
    return key("person", name)


CYCLE, PLAN = key("cycle", "2026"), key("plan", "1")
RUNS = {"old": key("run", "old"), "new": key("run", "new")}
SUBJECTS = (
    [("SERVICE", name) for name in SERVICES] + [("TEAM", name) for name in TEAMS] + [("PERSON", who) for who in EARNERS]
)


def subject_id(kind: str, name: str) -> UUID:
    return key(kind.lower(), name)


def below(manager: str) -> set[str]:
    direct = {name for name, above in LINE.items() if above == manager}
    return direct | {far for name in direct for far in below(name)}


@dataclass(frozen=True)
class Model:
    """What one person may see: the written rules, in Python."""

    who: str

    def holds(self, *roles: str) -> bool:
        return GRANTS.get(self.who) in roles

    @property
    def line(self) -> set[str]:
        return {self.who} | below(self.who)

    def people(self) -> set[str]:
        if self.holds("HR", "AUDITOR"):
            return set(LINE)
        above = set()
        name = LINE[self.who]
        while name:
            above.add(name)
            name = LINE[name]
        return self.line | above

    def subjects(self) -> set[tuple[str, str]]:
        """Whose scores and values."""
        found = {("SERVICE", name) for name in SERVICES}
        found |= {("PERSON", name) for name in EARNERS if name in self.line or self.holds("HR", "AUDITOR")}
        for team, (lead, members) in TEAMS.items():
            if self.line & {lead, *members} or self.holds("HR", "AUDITOR", "ITSM_ADMIN"):
                found.add(("TEAM", team))
        return found

    def splits(self) -> set[tuple[str, str]]:
        every = {(service, who) for service, team in zip(SERVICES, TEAMS, strict=True) for who in TEAMS[team][1]}
        return {each for each in every if each[1] in self.line or self.holds("HR", "AUDITOR")}

    def awards(self) -> set[str]:
        if self.holds("HR", "FINANCE", "AUDITOR"):
            return set(EARNERS)
        return {name for name in EARNERS if name in self.line}

    def amounts(self) -> set[str]:
        if self.holds("HR", "FINANCE", "AUDITOR"):
            return set(EARNERS)
        return {self.who} & set(EARNERS)

    def batches(self) -> set[int]:
        return {1} if self.holds("PAYROLL", "FINANCE", "HR", "AUDITOR") else set()

    def issues(self) -> set[str]:
        return {"INC0000001", "INC0000002"} if self.holds("ITSM_ADMIN", "AUDITOR") else set()

    def audited(self) -> set[str]:
        """Subjects of the audit entries that he sees; Finn is the actor of all."""
        return set(EARNERS) if self.holds("AUDITOR") or self.who == "finn" else {self.who} & set(EARNERS)

    def revisions(self) -> bool:
        return self.holds("AUDITOR", "ITSM_ADMIN")


def trace(kind: str, name: str) -> dict[str, Any]:
    """A composite of one measured value, as a run writes it."""
    proof = Evidence("MEASURED", f"mttr/{kind}/{subject_id(kind, name)}", f"records of {name}")
    measured = Finding(
        Fraction(90), "minutes", TraceKind.KPI_VALUE, Op.MEASURE, parameters(measured=90), (proof,), "median minutes"
    )
    target = constant(60, "minutes", "target")
    params = parameters(best=2, direction="LOWER_IS_BETTER")
    attained = Finding(
        Fraction(2, 3), "share", TraceKind.ATTAINMENT, Op.ATTAIN, params, (measured, target), "attainment"
    )
    params = parameters(weights="1", unknown=SHARED_OUT)
    return as_json(Finding(Fraction(2, 3), "factor", TraceKind.COMPOSITE, Op.WEIGHTED_MEAN, params, (attained,), name))


def mirrored(kind: str, called: str, /, **more: Any) -> dict[str, Any]:
    row = {
        "tenant_id": DEFAULT_TENANT,
        "id": key(kind, called),
        "source": "servicenow",
        "source_key": f"{kind}-{called}",
    }
    return {**row, "revision_id": 1, "gone_at": None, **more}


def organisation() -> list[tuple[Any, list[dict[str, Any]]]]:
    here = {"tenant_id": DEFAULT_TENANT}
    since = NOW - timedelta(days=400)
    people = [
        mirrored("person", who, name=who, email=f"{who}@example.com", employee_number=f"4{number}", human=True,
                 active=True, manager_id=person(above) if above else None)
        for number, (who, above) in enumerate(LINE.items())
    ]  # fmt: skip
    members = [
        mirrored("membership", f"{team}-{who}", team_id=key("team", team), person_id=person(who))
        for team, (_, names) in TEAMS.items()
        for who in names
    ]
    closure = [
        {**here, "manager_id": person(boss), "person_id": person(who), "depth": 1}
        for boss in LINE
        for who in below(boss)
    ]
    return [
        (access.Tenant, [{**here, "name": "Example", "frame_ancestors": "http://127.0.0.1:9321"}]),
        (mirror.Person, people),
        (mirror.Team, [mirrored("team", team, name=team, manager_id=person(lead), active=True)
                       for team, (lead, _) in TEAMS.items()]),
        (mirror.TeamMembership, members),
        (mirror.Service, [mirrored("service", name, name=name, criticality="1", owner_id=person(owner),
                                   support_team_id=key("team", team), change_team_id=None, approval_team_id=None)
                          for (name, owner), team in zip(SERVICES.items(), TEAMS, strict=True)]),
        (access.RoleGrant, [{**here, "person_id": person(who), "role": role, "granted_by": "test", "valid_from": since,
                             "valid_to": None} for who, role in GRANTS.items()]),
        (access.ReportingClosure, closure),
        (mirror.DataIssue, [{**here, "record_id": key("incident", number), "field": "state", "code": "MALFORMED",
                             "source": "servicenow", "entity": "incident", "source_key": number, "value": "?",
                             "what": "unknown", "fix": "map it", "state": "OPEN", "revision_id": 1}
                            for number in ("INC0000001", "INC0000002")]),
    ]  # fmt: skip


def results(name: str, run_id: UUID) -> list[tuple[Any, list[dict[str, Any]]]]:
    """What a run found: a score and a value for every subject, three records behind each value."""
    base = {"tenant_id": DEFAULT_TENANT, "run_id": run_id, "cycle_id": CYCLE}
    of = [
        {**base, "subject_kind": kind, "subject_id": subject_id(kind, who), "subject_label": who}
        for kind, who in SUBJECTS
    ]
    lineage = [
        {"tenant_id": DEFAULT_TENANT, "run_id": run_id, "metric": "mttr", "subject_kind": kind,
         "subject_id": subject_id(kind, who), "record_id": key("record", f"{who}-{no}"), "revision_id": no,
         "number": f"INC-{who}-{no}", "measure": 5400 if no < RECORDS else None,
         "left_out": None if no < RECORDS else "VENDOR", "evidence_id": None}
        for kind, who in SUBJECTS
        for no in range(1, RECORDS + 1)
    ]  # fmt: skip
    splits = [
        {**base, "id": key("split", f"{name}-{service}-{who}"), "service_id": key("service", service),
         "person_id": person(who), "method": "EQUAL", "role": None, "share_num": 1, "share_den": 2,
         "share": Decimal("0.5")}
        for service, team in zip(SERVICES, TEAMS, strict=True)
        for who in TEAMS[team][1]
    ]  # fmt: skip
    kpis = [
        {**each, "id": key("kpi", f"{name}-{each['subject_label']}"), "kpi_no": 1, "component": "speed",
         "metric": "mttr", "value": Decimal("90"), "unit": "minutes", "numerator": None, "denominator": None, "n": 2,
         "excluded_n": 1, "target": Decimal("60"), "attainment": Decimal("0.666667"), "pays": Decimal("0.666667"),
         "weight": Decimal("1"), "status": KpiStatus.OK.value,
         "trace": trace(each["subject_kind"], each["subject_label"])}
        for each in of
    ]  # fmt: skip
    composites = [
        {**each, "id": key("score", f"{name}-{each['subject_label']}"), "value": Decimal("0.666667"),
         "person_id": each["subject_id"] if each["subject_kind"] == "PERSON" else None, "status": "FINAL",
         "result_hash": "ab" * 32, "data_as_of": NOW, "trace": trace(each["subject_kind"], each["subject_label"])}
        for each in of
    ]  # fmt: skip
    return [
        (scores.KpiValue, kpis),
        (scores.KpiLineage, lineage),
        (scores.Score, composites),
        (scores.AttributionSplit, splits),
    ]


def runs() -> list[tuple[Any, list[dict[str, Any]]]]:
    here = {"tenant_id": DEFAULT_TENANT}
    plan = {**here, "id": PLAN, "plan_key": "example", "version": 1, "title": "Example", "content_hash": "cd" * 32,
            "body": "plan", "published_by": "test", "published_at": NOW}  # fmt: skip
    cycle = {**here, "id": CYCLE, "label": "2026", "starts_on": date(2026, 1, 1), "ends_before": date(2027, 1, 1)}
    made = [
        {**here, "id": run_id, "cycle_id": CYCLE, "plan_version_id": PLAN, "snapshot_hash": name, "engine_version": "1",
         "result_hash": "ab" * 32, "signals": [], "data_as_of": NOW, "closed_at": NOW}
        for name, run_id in RUNS.items()
    ]  # fmt: skip
    revisions = [
        {**here, "record_id": key("record", str(no)), "source": "servicenow", "entity": "incident",
         "source_key": f"r{no}", "version_no": 1, "version_at": NOW, "month": NOW.date().replace(day=1),
         "payload_hash": sha256(b"{}").digest(), "feed": "POLL", "delivery_id": 1, "observed_at": NOW}
        for no in range(1, RECORDS + 1)
    ]  # fmt: skip
    found: list[tuple[Any, list[dict[str, Any]]]] = [
        (scores.PlanVersion, [plan]), (scores.Cycle, [cycle]), (scores.Run, made[:1]), (scores.Run, made[1:]),
        (mirror.Revision, revisions),
    ]  # fmt: skip
    for name, run_id in RUNS.items():
        found += results(name, run_id)
    return found


def awards() -> list[tuple[Any, list[dict[str, Any]]]]:
    here = {"tenant_id": DEFAULT_TENANT}
    rows = [
        {**here, "id": key("award", who), "award_ref": f"AW-2026-{number:06}", "plan_key": "example",
         "cycle_id": CYCLE, "run_id": RUNS["new"], "person_id": person(who), "state": "SUBMITTED",
         "factor": Decimal("0.666667"), "version": 1, "submitted_by": person("hanna"), "submitted_at": NOW,
         "approved_by": None, "approved_at": None}
        for number, who in enumerate(EARNERS, start=1)
    ]  # fmt: skip
    amounts = [
        {**here, "award_id": key("award", who), "person_id": person(who), "currency": "EUR", "target_minor": 300_000,
         "earned_minor": 200_000, "trace": trace("PERSON", who)}
        for who in EARNERS
    ]  # fmt: skip
    return [(money.Award, rows), (money.AwardAmount, amounts)]


def payout_file() -> dict[str, Any]:
    manifest = json.dumps({"v": 1}).encode()
    return {"tenant_id": DEFAULT_TENANT, "id": key("file", "1"), "receiver": "payroll-de-01", "environment": "test",
            "sequence": 1, "previous_manifest_sha256": "00" * 32, "cycle_id": CYCLE, "state": "PREPARED",
            "line_count": 1, "currency": "EUR", "net_minor": 200_000, "pay_date": date(2026, 11, 30), "csv": b"x",
            "manifest": manifest, "manifest_sha256": sha256(manifest).hexdigest(),
            "release_entry_id": key("entry", "1"), "prepared_by": person("finn"), "created_at": NOW,
            "pulled_at": None}  # fmt: skip


async def fill(store: Store, log: Log) -> None:
    others = [*records(key, NOW), *house_keeping(key, NOW), *proposals(key, RUNS["new"], trace("PERSON", "ana"))]
    await write(store, DbRole.WORKER, SYSTEM, [*organisation(), *runs(), *others])
    await write(store, DbRole.PAY, Viewer(person("hanna")), awards())
    finn = Viewer(person("finn"))
    await write(store, DbRole.PAY, finn, [(money.File, [payout_file()]), *bookings(key)])
    await write(store, DbRole.PAY, Viewer(person("paul")), answers(key, NOW))
    async with store.begin(DbRole.PAY, finn) as connection:
        await connection.execute(text("update pay.file set state = 'RELEASED'"))
        ids = [key("award", who) for who in IN_PAYROLL]
        await connection.execute(
            text(
                "update pay.award set state = 'APPROVED', approved_by = :finn, approved_at = :now where id = any(:ids)"
            ),
            {"finn": person("finn"), "now": NOW, "ids": ids},
        )
        await connection.execute(text("update pay.award set state = 'IN_PAYROLL' where id = any(:ids)"), {"ids": ids})
        for who in EARNERS:
            await log.record(
                connection, finn, ty="award.granted/v1", object_type="award", object_id=f"AW-{who}", data={}, at=NOW,
                subject_id=person(who),
            )  # fmt: skip
    await log.sequence(store, NOW)
    foreign = Viewer(tenant_id=OTHER_TENANT)
    stranger = {**mirrored("person", "ana", name="other ana", email=None, employee_number=None, human=True,
                           active=True, manager_id=None), "tenant_id": OTHER_TENANT}  # fmt: skip
    await write(store, DbRole.WORKER, foreign, [(mirror.Person, [stranger])])


async def write(store: Store, role: DbRole, viewer: Viewer, rows: list[tuple[Any, list[dict[str, Any]]]]) -> None:
    async with store.begin(role, viewer) as connection:
        for table, values in rows:
            await connection.execute(insert(table), values)
