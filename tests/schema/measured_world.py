"""Random records for the measuring tests, and what they measure, said once more in plain Python.

The oracle reads the same rows as the SQL but knows nothing of it: populations as sentences, exclusion and tolerance
from the engine's own rules, values from the engine's aggregators. Records are few, so edges meet: bounds of the cycle,
NULLs, records that are gone or cancelled, references that lead nowhere.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any
from uuid import UUID, uuid5

from hypothesis import strategies as st

from engine.adjustments.exclusions import CauseFacts, verdict
from engine.adjustments.tolerance import Tolerance, record_met
from engine.facts import Measured, Subject
from engine.metrics.aggregate import aggregate
from engine.metrics.catalogue import CATALOGUE, Metric
from engine.words import (
    Aggregator,
    ApprovalState,
    ChangeOutcome,
    ChangeType,
    ExclusionVerdict,
    Measure,
    RecordState,
    RootCause,
    SlaStage,
    SlaTarget,
    SlaType,
    SubjectKind,
)
from schema.identity import DEFAULT_TENANT, NAMESPACE
from schema.tables import mirror

STARTS, ENDS = datetime(2026, 6, 30, 22, 0, tzinfo=UTC), datetime(2026, 9, 30, 22, 0, tzinfo=UTC)
EXCLUDED_CAUSES = frozenset({RootCause.VENDOR, RootCause.FORCE_MAJEURE})
TOLERANCE_MINUTES = 5
TINY = timedelta(microseconds=1)
Row = dict[str, Any]


def key(kind: str, number: int) -> UUID:
    return uuid5(NAMESPACE, f"world:{kind}:{number}")


SERVICES = [key("service", number) for number in (1, 2, 3)]  # the third never has a record
TEAMS = [key("team", number) for number in (1, 2)]
PEOPLE = [key("person", number) for number in (1, 2)]
TABLES = {
    "incident": mirror.Incident, "change": mirror.Change, "approval": mirror.ChangeApproval, "problem": mirror.Problem,
    "definition": mirror.SlaDefinition, "clock": mirror.TaskSla, "answer": mirror.CsatResponse, "person": mirror.Person,
}  # fmt: skip


@dataclass(frozen=True)
class World:
    """Rows by kind, each a dict of its columns."""

    rows: Mapping[str, list[Row]] = field(default_factory=dict)

    def by_id(self, kind: str, id_: UUID | None) -> Row | None:
        return next((row for row in self.rows[kind] if row["id"] == id_), None)


# ---- strategies

moments = st.sampled_from(
    [
        STARTS - TINY,
        STARTS,
        STARTS + TINY,
        STARTS + timedelta(days=9),
        ENDS - TINY,
        ENDS,
        ENDS + timedelta(days=9),
        None,
    ]
)
somewhere = st.sampled_from([*SERVICES[:2], key("service", 99), None])
some_team = st.sampled_from([*TEAMS, None])
somebody = st.sampled_from([*PEOPLE, None])
maybe_gone = st.sampled_from([None, None, None, STARTS])
seconds = st.one_of(st.none(), st.sampled_from([0, 1, 59, 60, 3600]), st.integers(0, 10**7))
yes_no = st.sampled_from([True, False, None])


def word(words: Any) -> st.SearchStrategy[str | None]:
    return st.sampled_from([*(each.value for each in words), None])


def likely(value: str, words: Any) -> st.SearchStrategy[str | None]:
    """Mostly the value that counts, else any word or none."""
    return st.one_of(st.just(value), st.just(value), word(words))


def reference(kind: str) -> st.SearchStrategy[UUID | None]:
    return st.one_of(st.none(), st.integers(1, 5).map(lambda number: key(kind, number)))


SHAPES: dict[str, tuple[int, dict[str, st.SearchStrategy[Any]]]] = {
    "problem": (3, {
        "state": likely("CLOSED", RecordState), "root_cause": likely("VENDOR", RootCause), "closed_by_id": somebody,
    }),
    "incident": (6, {
        "state": likely("RESOLVED", RecordState), "service_id": somewhere, "team_id": some_team,
        "assignee_id": somebody, "opened_at": moments, "resolved_at": moments,
        "reopen_count": st.sampled_from([0, 1, 3, None]), "reassignment_count": st.sampled_from([0, 1, 7, None]),
        "made_sla": yes_no, "problem_id": reference("problem"), "caused_by_id": reference("change"),
        "resolve_seconds": seconds, "resolve_business_seconds": seconds,
    }),
    "definition": (2, {"sla_type": likely("SLA", SlaType), "target": likely("RESOLUTION", SlaTarget)}),
    "clock": (5, {
        "task_id": reference("incident"), "definition_id": reference("definition"),
        "sla_type": st.one_of(st.none(), st.none(), word(SlaType)),
        "target": st.one_of(st.none(), st.none(), word(SlaTarget)), "stage": likely("COMPLETED", SlaStage),
        "has_breached": yes_no, "ended_at": moments, "business_pause_seconds": seconds,
        "planned_end_at": st.one_of(moments, st.sampled_from(
            [STARTS + timedelta(days=9, seconds=-(TOLERANCE_MINUTES * 60 + late)) for late in (-1, 0, 1)])),
    }),
    "change": (5, {
        "change_type": likely("NORMAL", ChangeType), "state": likely("CLOSED", RecordState),
        "outcome": word(ChangeOutcome), "service_id": somewhere, "team_id": some_team, "unauthorized": yes_no,
        "approval_decided_at": moments, "work_started_at": moments, "closed_at": moments,
    }),
    "approval": (5, {"change_id": reference("change"), "state": likely("APPROVED", ApprovalState),
                     "approver_id": somebody}),
    "person": (2, {"human": yes_no}),
    "answer": (4, {"task_id": reference("incident"), "rating": st.sampled_from([1, 3, 4, 5, None]),
                   "answered_at": moments}),
}  # fmt: skip


@st.composite
def worlds(draw: st.DrawFn) -> World:
    rows: dict[str, list[Row]] = {}
    for kind, (most, columns) in SHAPES.items():
        shapes = draw(st.lists(st.fixed_dictionaries(columns | {"gone_at": maybe_gone}), max_size=most))
        rows[kind] = [complete(kind, number, shape) for number, shape in enumerate(shapes, start=1)]
    return World(rows)


def complete(kind: str, number: int, shape: Mapping[str, Any]) -> Row:
    """A row with its key, and every column of its table."""
    named = {"number": f"{kind}-{number}", "name": f"{kind}-{number}"}
    base = {"tenant_id": DEFAULT_TENANT, "id": key(kind, number), "source": "servicenow",
            "source_key": f"{kind}-{number}", "revision_id": number}  # fmt: skip
    columns = TABLES[kind].model_fields
    row = dict.fromkeys(columns) | {name: text for name, text in named.items() if name in columns}
    return row | base | dict(shape)


def product(kind: str, start: int = 1, /, **columns: Iterable[Any]) -> list[Row]:
    """A row for every combination of these values."""
    combined = itertools.product(*columns.values())
    return [complete(kind, no, dict(zip(columns, values, strict=True))) for no, values in enumerate(combined, start)]


def every_combination() -> World:
    """What decides in a measure, combined without gaps: causes, bounds, clocks, changes, answers."""
    edges = [STARTS - TINY, STARTS, ENDS - TINY, ENDS, None]
    states, here, gone = ["CANCELLED", "RESOLVED", None], [SERVICES[0]], [None, STARTS]
    minute = STARTS + timedelta(minutes=TOLERANCE_MINUTES)
    problems = product(
        "problem", state=["CLOSED", "RESOLVED", None], root_cause=["VENDOR", "INTERNAL", None],
        closed_by_id=[PEOPLE[0], None],
    )  # fmt: skip
    caused = product(
        "incident", problem_id=[row["id"] for row in problems], assignee_id=[*PEOPLE, None], made_sla=[True],
        service_id=here, opened_at=[STARTS], resolved_at=[STARTS], reopen_count=[0], reassignment_count=[0],
    )  # fmt: skip
    timed = product(
        "incident", len(caused) + 1, state=states, gone_at=gone, opened_at=edges, resolved_at=edges, service_id=here,
        resolve_seconds=[60], resolve_business_seconds=[30], reopen_count=[1], reassignment_count=[2], made_sla=[False],
    )  # fmt: skip
    paused = product("incident", len(caused + timed) + 1, resolve_business_seconds=[100], resolved_at=[STARTS] * 27)
    changes = product(
        "change", change_type=[*(each.value for each in ChangeType), None], state=states, closed_at=[STARTS],
        outcome=["SUCCESSFUL", "SUCCESSFUL_ISSUES", None], unauthorized=[True, False, None], work_started_at=[STARTS],
        approval_decided_at=[STARTS, STARTS + TINY, None], service_id=here,
    )  # fmt: skip
    asked = product("change", len(changes) + 1, change_type=["NORMAL"], outcome=["SUCCESSFUL"], closed_at=edges,
                    work_started_at=edges, gone_at=gone, team_id=TEAMS[:1])  # fmt: skip
    return World({
        "problem": problems,
        "incident": [*caused, *timed, *paused, *[
            complete("incident", 9000 + no, {"caused_by_id": change["id"], "gone_at": None if no % 2 else STARTS})
            for no, change in enumerate(changes[::5])
        ]],
        "definition": product("definition", sla_type=["SLA", "OLA"], target=["RESOLUTION", "RESPONSE"]),
        "clock": [
            *product("clock", task_id=[row["id"] for row in (caused[0], caused[-1], timed[0], timed[-1])],
                     sla_type=["SLA", None], target=["RESOLUTION", None], definition_id=[key("definition", 1), None],
                     stage=["COMPLETED", "CANCELLED"], has_breached=[True, False, None], ended_at=[STARTS, ENDS],
                     planned_end_at=[None]),
            *product("clock", 1000, task_id=[caused[0]["id"]], sla_type=["SLA"], target=["RESOLUTION"],
                     stage=["COMPLETED"], has_breached=[True], gone_at=gone, ended_at=[minute],
                     planned_end_at=[STARTS - TINY, STARTS, STARTS + TINY, None]),
            *[complete("clock", 2000 + no, {"task_id": row["id"], "business_pause_seconds": 7 + 50 * (no % 3),
                                            "sla_type": ("SLA", "OLA", None)[no // 9], "target": "RESOLUTION",
                                            "stage": "PAUSED", "gone_at": STARTS if no % 9 > 5 else None,
                                            "definition_id": key("definition", 1)})
              for no, row in enumerate(paused)],
        ],
        "change": [*changes, *asked],
        "person": product("person", human=[True, False]),
        "approval": [complete("approval", no, {"change_id": row["id"], "state": state, "gone_at": left,
                                               "approver_id": (*PEOPLE, None)[no % 3]})
                     for no, (row, (state, left)) in enumerate(zip(changes, itertools.cycle(
                         [("APPROVED", None), ("REJECTED", None), ("APPROVED", STARTS), (None, None)])))],
        "answer": product("answer", task_id=[row["id"] for row in (caused[0], timed[0], timed[-1])],
                          rating=[3, 4, None], answered_at=edges, gone_at=gone),
    })  # fmt: skip


# ---- the oracle


@dataclass(frozen=True)
class Counted:
    """One record of a metric's population: what it measures, or why it counts for nothing."""

    record_id: UUID
    service_id: UUID | None
    team_id: UUID | None
    measure: int | None
    left_out: str | None = None
    evidence_id: UUID | None = None

    def subject(self, kind: SubjectKind) -> UUID | None:
        return {SubjectKind.SERVICE: self.service_id, SubjectKind.TEAM: self.team_id}.get(kind, DEFAULT_TENANT)


def inside(moment: datetime | None) -> bool:
    return moment is not None and STARTS <= moment < ENDS


def there(rows: list[Row]) -> Iterator[Row]:
    return (row for row in rows if row["gone_at"] is None)


def agreed(world: World, clock: Row) -> bool:
    """Is this the clock of a resolution time that was agreed with the customer?"""
    definition = world.by_id("definition", clock["definition_id"]) or {"sla_type": None, "target": None}
    kind = definition["sla_type"] if definition["sla_type"] is not None else clock["sla_type"]
    target = definition["target"] if definition["target"] is not None else clock["target"]
    return (kind, target) == ("SLA", "RESOLUTION")


def somebody_elses(world: World, incident: Row) -> tuple[str | None, UUID | None]:
    """The engine's own verdict on the incident's cause: reason and evidence."""
    problem = world.by_id("problem", incident["problem_id"])
    if problem is None:
        return None, None
    facts = CauseFacts(
        assignee_id=incident["assignee_id"] and str(incident["assignee_id"]),
        problem_id=str(problem["id"]),
        problem_state=problem["state"] and RecordState(problem["state"]),
        root_cause=problem["root_cause"] and RootCause(problem["root_cause"]),
        approver_id=problem["closed_by_id"] and str(problem["closed_by_id"]),
    )
    if verdict(facts, EXCLUDED_CAUSES) is not ExclusionVerdict.EXCLUDED:
        return None, None
    return f"ROOT_CAUSE_{problem['root_cause']}", problem["id"]


def business_seconds(world: World, row: Row) -> int | None:
    """Business time less the longest hold that an agreed clock noted; unknown when the hold cannot lie inside it."""
    if row["resolve_business_seconds"] is None:
        return None
    clocks = [c for c in there(world.rows["clock"]) if c["task_id"] == row["id"] and agreed(world, c)]
    whole, hold = int(row["resolve_business_seconds"]), max([c["business_pause_seconds"] or 0 for c in clocks] or [0])
    return 0 if whole == 0 else whole - hold if hold <= whole else None


def flag(answer: bool | None) -> int | None:
    return None if answer is None else int(answer)


INCIDENT_MEASURES: dict[Measure, Any] = {
    Measure.BUSINESS_SECONDS_TO_RESOLVE: business_seconds,
    Measure.SECONDS_TO_RESOLVE: lambda _, row: row["resolve_seconds"],
    Measure.MADE_SLA: lambda _, row: flag(row["made_sla"]),
    Measure.REOPENED: lambda _, row: flag(None if row["reopen_count"] is None else row["reopen_count"] > 0),
    Measure.NOT_REASSIGNED: lambda _, row: flag(
        None if row["reassignment_count"] is None else row["reassignment_count"] == 0
    ),
}


def of_incidents(world: World, metric: Metric) -> Iterator[Counted]:
    for row in there(world.rows["incident"]):
        if inside(row[metric.finality]) and row["state"] != "CANCELLED":
            measure = INCIDENT_MEASURES[metric.measure](world, row)
            yield Counted(row["id"], row["service_id"], row["team_id"], measure, *somebody_elses(world, row))


def succeeded(world: World, row: Row) -> int | None:
    if row["outcome"] is None:
        return None
    caused = any(incident["caused_by_id"] == row["id"] for incident in there(world.rows["incident"]))
    return int(row["outcome"] == "SUCCESSFUL" and not caused)


def approved_first(world: World, row: Row) -> int | None:
    machines = [person["id"] for person in world.rows["person"] if person["human"] is False]
    approvals = [a for a in there(world.rows["approval"]) if a["approver_id"] not in machines]
    asked = any(a["change_id"] == row["id"] and a["state"] == "APPROVED" for a in approvals)
    if row["unauthorized"] or not asked:
        return 0
    return None if row["approval_decided_at"] is None else int(row["approval_decided_at"] <= row["work_started_at"])


def of_changes(world: World, metric: Metric) -> Iterator[Counted]:
    measure = {Measure.CHANGE_SUCCEEDED: succeeded, Measure.APPROVED_BEFORE_WORK: approved_first}[metric.measure]
    for row in there(world.rows["change"]):
        kept = row["change_type"] in ("NORMAL", "EMERGENCY", None) and row["state"] != "CANCELLED"
        if kept and inside(row[metric.finality]):
            known = None if row["change_type"] is None else measure(world, row)
            yield Counted(row["id"], row["service_id"], row["team_id"], known)


def kept_agreement(clock: Row) -> int | None:
    if clock["has_breached"] is None:
        return None
    late = clock["planned_end_at"] and Fraction((clock["ended_at"] - clock["planned_end_at"]) // TINY, 60_000_000)
    return int(record_met(clock["has_breached"], late, Tolerance(record_minutes=Fraction(TOLERANCE_MINUTES))))


def of_clocks(world: World, metric: Metric) -> Iterator[Counted]:
    for row in there(world.rows["clock"]):
        task = world.by_id("incident", row["task_id"])
        counts = row["stage"] == "COMPLETED" and agreed(world, row) and inside(row[metric.finality])
        if counts and task and task["gone_at"] is None and task["state"] != "CANCELLED":
            measure = kept_agreement(row)
            yield Counted(row["id"], task["service_id"], task["team_id"], measure, *somebody_elses(world, task))


def of_answers(world: World, metric: Metric) -> Iterator[Counted]:
    for row in there(world.rows["answer"]):
        task = world.by_id("incident", row["task_id"])
        if task and task["gone_at"] is None and inside(row[metric.finality]):
            measure = flag(None if row["rating"] is None else row["rating"] >= 4)
            yield Counted(row["id"], task["service_id"], task["team_id"], measure, *somebody_elses(world, task))


POPULATIONS: dict[Measure, Any] = {
    **dict.fromkeys(INCIDENT_MEASURES, of_incidents),
    Measure.CHANGE_SUCCEEDED: of_changes,
    Measure.APPROVED_BEFORE_WORK: of_changes,
    Measure.SLA_MET: of_clocks,
    Measure.SATISFIED: of_answers,
}


def lineage(world: World, metric_key: str, kind: SubjectKind) -> list[tuple[UUID, Counted]]:
    """Every record that a metric must account for, by subject; unknown ones with the reason."""
    metric = CATALOGUE[metric_key]
    found = []
    for each in POPULATIONS[metric.measure](world, metric):
        subject = each.subject(kind)
        if subject is not None:
            unknown = "UNKNOWN" if each.measure is None else None
            reason = each.left_out or unknown
            found.append(
                (subject, Counted(each.record_id, None, None, each.measure, reason, each.evidence_id)),
            )
    return found


def expected(world: World, metric_key: str, subject: Subject) -> Measured:
    """The value that these records make for a subject."""
    metric = CATALOGUE[metric_key]
    own = [each for of, each in lineage(world, metric_key, subject.kind) if str(of) == subject.id]
    used = [each.measure for each in own if each.left_out is None and each.measure is not None]
    reasons = [each.left_out for each in own if each.left_out]
    excluded = tuple(sorted((reason, reasons.count(reason)) for reason in set(reasons)))
    value = aggregate(metric.aggregator, used)
    scaled = None if value is None else value * metric.scale
    if metric.aggregator is Aggregator.SHARE and used:
        return Measured(metric_key, subject, scaled, len(used), sum(used), len(used), excluded)
    return Measured(metric_key, subject, scaled, len(used), excluded=excluded)
