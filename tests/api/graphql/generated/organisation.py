"""A made-up organisation: the rows of every table that GraphQL shows, and everybody who looks at them.

The same seed gives the same organisation. It has four levels of managers and two who lead each other, every role,
people who have left in each way there is, NULL in each column that may be NULL, references to nothing, several runs of
one cycle and plan, records of two tools under one key, and a second tenant that uses the same ids.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import Table

from engine.words import Role, Source
from schema.identity import DEFAULT_TENANT, NAMESPACE
from schema.store import Viewer
from schema.tables import access, mirror, scores
from schema.tables.staff import Account
from tests.api.graphql.generated.values import DAYS, MOMENTS, TEXTS, fresh, maybe, maybe_pointing, pointing

OTHER_TENANT = uuid5(NAMESPACE, "tenant:generated")
LONG_AGO, SINCE, FAR = (datetime(year, 1, 1, tzinfo=UTC) for year in (2019, 2020, 2099))
# who -> manager; the last two lead each other
LINE = {
    "boss": None, "head": "boss", "head2": "boss", "lead": "head", "lead2": "head", "lead3": "head2",
    "staff1": "lead", "staff2": "lead", "staff3": "lead2", "staff4": "lead2", "staff5": "lead3", "staff6": "lead3",
    "hr": "boss", "finance": "head2", "auditor": "boss", "itsm": "lead", "payroll": "head2", "planner": "lead2",
    "hr_lead": "head", "junior": "hr_lead", "leaver": "lead", "gone": "lead", "locked": "lead2", "unsure": "lead3",
    "expired": "lead", "early": "lead", "council": "lead3", "round": "turn", "turn": "round",
}  # fmt: skip
GRANTS = (
    ("hr", Role.HR, SINCE, None), ("finance", Role.FINANCE, SINCE, None), ("auditor", Role.AUDITOR, SINCE, FAR),
    ("itsm", Role.ITSM_ADMIN, SINCE, None), ("payroll", Role.PAYROLL, SINCE, None),
    ("planner", Role.PLAN_ADMIN, SINCE, None), ("council", Role.WORKS_COUNCIL, SINCE, None),
    ("hr_lead", Role.HR, SINCE, None), ("hr_lead", Role.FINANCE, SINCE, FAR),
    ("outside", Role.AUDITOR, SINCE, None), ("leaver", Role.HR, SINCE, None), ("gone", Role.AUDITOR, SINCE, None),
    ("locked", Role.FINANCE, SINCE, None), ("expired", Role.AUDITOR, LONG_AGO, SINCE), ("early", Role.HR, FAR, None),
)  # fmt: skip
NEVER_HERE = ("outside", "unknown")
ACTIVE = {"leaver": False, "unsure": None}

Rows = list[dict[str, Any]]


@dataclass
class Organisation:
    """`rows` in the order of writing. `line` is who stands above whom, directly."""

    seed: int
    rng: Random
    rows: dict[Table, Rows] = field(default_factory=dict)
    viewers: dict[str, Viewer] = field(default_factory=dict)

    def add(self, table: Any, *rows: dict[str, Any]) -> list[dict[str, Any]]:
        made = [{"tenant_id": DEFAULT_TENANT, **row} for row in rows]
        self.rows.setdefault(stored(table), []).extend(made)
        return made

    def here(self, table: Any, tenant: UUID = DEFAULT_TENANT) -> Rows:
        return [row for row in self.rows.get(stored(table), ()) if row["tenant_id"] == tenant]

    def ids(self, table: Any) -> list[UUID]:
        return [row["id"] for row in self.here(table)]

    def text(self) -> str:
        return self.rng.choice(TEXTS)


def stored(table: Any) -> Table:
    """The table behind a model."""
    found: Table = getattr(table, "__table__", table)
    return found


def person(who: str) -> UUID:
    return uuid5(NAMESPACE, f"generated:{who}")


def above(who: str) -> list[str]:
    """The line upwards, until it ends or comes round."""
    found: list[str] = []
    boss = LINE.get(who)
    while boss and boss not in (*found, who):
        found.append(boss)
        boss = LINE[boss]
    return found


def people(made: Organisation) -> None:
    rng = made.rng
    for number, (who, boss) in enumerate(LINE.items()):
        manager = person(boss) if boss else None
        made.add(
            mirror.Person,
            _mirrored(made, person(who), number) | {
                "name": rng.choice([who, made.text()]), "email": maybe(rng, f"{who.title()}@example.com"),
                "employee_number": maybe(rng, f"9{number}", 0.5), "manager_id": manager,
                "human": rng.choice([True, True, False, None]), "active": ACTIVE.get(who, True),
                "gone_at": MOMENTS[0] if who == "gone" else None,
            },
        )  # fmt: skip
        for boss_above in above(who):
            made.add(access.ReportingClosure, {"manager_id": person(boss_above), "person_id": person(who), "depth": 1})
    for extra in range(4):  # whom nobody in the house leads, or somebody who is not there
        made.add(
            mirror.Person,
            _mirrored(made, fresh(rng), 90 + extra) | {
                "name": made.text(), "email": maybe(rng, made.text()), "employee_number": None,
                "manager_id": maybe_pointing(rng, made.ids(mirror.Person)), "human": maybe(rng, True),
                "active": rng.choice([True, False, None]),
            },
        )  # fmt: skip
    for who, role, start, end in GRANTS:
        grant = {"person_id": person(who), "role": role.value, "granted_by": "test", "valid_from": start}
        made.add(access.RoleGrant, grant | {"valid_to": end})
    made.viewers |= {who: Viewer(person(who), request_id="r") for who in (*LINE, *NEVER_HERE)}
    made.viewers |= {"nobody": Viewer(request_id="r"), "foreign": Viewer(person("lead"), OTHER_TENANT, "r")}


def accounts(made: Organisation) -> None:
    """Accounts of the identity provider: `locked` may enter with none of his, `staff1` still with one."""
    logins = (
        ("locked", False, True), ("locked", None, True), ("staff1", False, True), ("staff1", True, False),
        ("lead", True, True), ("boss", True, False),
    )  # fmt: skip
    for number, (who, active, joined) in enumerate(logins, start=1):
        row = next(each for each in made.here(mirror.Person) if each["id"] == person(who))
        made.add(
            Account,
            _mirrored(made, fresh(made.rng), number) | {
                "source": Source.SCIM.value, "user_name": f"u{number}", "name": who, "active": active,
                "email": (row["email"] or f"{who}@nowhere").lower(), "employee_number": row["employee_number"],
                "external_id": row["source_key"], "person_id": person(who) if joined else None, "gone_at": None,
            },
        )  # fmt: skip


def teams(made: Organisation) -> None:
    rng = made.rng
    everybody = made.ids(mirror.Person)
    for number in range(7):
        made.add(
            mirror.Team,
            _mirrored(made, fresh(rng), number) | {
                "name": rng.choice([f"team {number}", made.text()]), "active": rng.choice([True, False, None]),
                "manager_id": maybe_pointing(rng, everybody),
            },
        )  # fmt: skip
    groups = made.ids(mirror.Team)
    for number in range(34):
        made.add(
            mirror.TeamMembership,
            _mirrored(made, fresh(rng), number) | {
                "team_id": maybe_pointing(rng, groups), "person_id": maybe_pointing(rng, everybody),
                "gone_at": rng.choice([None, None, None, MOMENTS[0]]),
            },
        )  # fmt: skip


def services(made: Organisation) -> None:
    rng = made.rng
    everybody, groups = made.ids(mirror.Person), made.ids(mirror.Team)
    for number in range(8):
        made.add(
            mirror.Service,
            _mirrored(made, fresh(rng), number) | {
                "name": rng.choice([f"service {number}", made.text()]), "criticality": maybe(rng, made.text()),
                "owner_id": maybe_pointing(rng, everybody), "support_team_id": maybe_pointing(rng, groups),
                "change_team_id": maybe_pointing(rng, groups), "approval_team_id": maybe_pointing(rng, groups),
            },
        )  # fmt: skip


def cycles(made: Organisation) -> None:
    """Cycles, plans and runs: the newest run of a cycle and plan is the one that lists show."""
    rng = made.rng
    for number in range(5):
        first = DAYS[0] if number < 2 else DAYS[number]  # two begin on one day
        days = {"starts_on": first, "ends_before": first + timedelta(days=1 + number)}
        made.add(scores.Cycle, {"id": fresh(rng), "label": f"{number} {made.text()}", **days})
    for key in ("support", 'It\'s \\ "the" plan'):
        for version in (1, 2, 2**31 - 1):
            plan = {"id": fresh(rng), "plan_key": key, "version": version, "title": made.text(), "body": "plan"}
            made.add(
                scores.PlanVersion,
                plan | {"content_hash": made.text(), "published_by": "x", "published_at": rng.choice(MOMENTS)},
            )
    plans, periods = made.ids(scores.PlanVersion), made.ids(scores.Cycle)
    for number in range(9):  # run_no is given by the table: 1, 2, 3, ...
        run = {"id": fresh(rng), "cycle_id": rng.choice(periods[:3]), "plan_version_id": rng.choice(plans[:4])}
        if number == 6:
            run["plan_version_id"] = fresh(rng)
        if number == 7:
            run["cycle_id"] = fresh(rng)
        made.add(
            scores.Run,
            run | {
                "snapshot_hash": f"{number}", "engine_version": made.text(), "result_hash": made.text(), "signals": [],
                "data_as_of": rng.choice(MOMENTS), "closed_at": rng.choice(MOMENTS),
            },
        )  # fmt: skip


def _mirrored(made: Organisation, key: UUID, number: int) -> dict[str, Any]:
    return {
        "id": key, "source": made.rng.choice(["servicenow", "jira"]), "source_key": f"key-{number // 2}",
        "revision_id": 1, "gone_at": maybe(made.rng, made.rng.choice(MOMENTS), 0.9),
    }  # fmt: skip


def neighbours(made: Organisation) -> None:
    """The second tenant: the same ids, other rows. Whoever shows one of them has lost the wall."""
    for table, rows in list(made.rows.items()):
        if any(column.identity for column in table.columns):
            continue  # these are numbered by their tables
        for row in rows[::3]:
            other = {name: _other(name, value) for name, value in row.items()}
            made.rows[table].append({**other, "tenant_id": OTHER_TENANT})


LABELS = ("name", "label", "subject_label", "what", "title")


def _other(name: str, value: Any) -> Any:
    return f"FOREIGN {value}" if name in LABELS else value


def organisation(seed: int, parts: Sequence[Callable[[Organisation], None]] = ()) -> Organisation:
    """The organisation of this seed; `parts` add what was computed and paid."""
    made = Organisation(seed, Random(seed))
    made.add(access.Tenant, {"name": "Generated", "frame_ancestors": ""})
    for part in (people, accounts, teams, services, cycles, *parts, neighbours):
        part(made)
    return made


__all__ = ["LINE", "OTHER_TENANT", "Organisation", "maybe_pointing", "organisation", "person", "pointing"]
