"""The entry points. Each list is what the viewer may see of it; hidden and missing look the same."""

from collections.abc import Mapping
from typing import Annotated, Any

import strawberry
from sqlalchemy import Text as SqlText
from sqlalchemy import literal_column, select, text

from api.actions.rights import Action
from api.graphql import arguments as given
from api.graphql.binding import Node, by_id, by_key, computed
from api.graphql.connections import Connection, connection
from api.graphql.context import Asked
from api.graphql.filters import PayoutLineFilter, PayrollResultFilter
from api.graphql.keys import AwardBy, RecordBy, ServiceBy, one
from api.graphql.lists import HouseLists, RecordLists
from api.graphql.relations import ById, ByIds, Json, Lookup, Place, TheOne
from api.graphql.scalars import BigInt
from api.graphql.types import explanation
from api.graphql.types.ability import may
from api.graphql.types.audit import AuditRecord, DataIssue
from api.graphql.types.budget import QueryBudget, of_caller
from api.graphql.types.explanation import Explanation
from api.graphql.types.money import Award, PayoutBatch
from api.graphql.types.organisation import Person, Service, Team
from api.graphql.types.payouts import PayoutLine
from api.graphql.types.runs import Cycle, newest
from api.graphql.types.scores import AttributionSplit, KpiValue, Score
from api.graphql.types.staff import PayrollResult
from api.graphql.types.tickets import Change, Incident
from api.ids import parsed
from engine.refusal import Code, Refused
from engine.words import Role
from schema.tables import audit, mirror

NODES_MAX = 100
PERSON: Any = mirror.Person.__table__  # type: ignore[attr-defined]
SEQ: Any = audit.Seq.__table__  # type: ignore[attr-defined]

ROLES = text(
    """select role from access.role_grant where person_id = app.person() and app.granted(role)
        union select 'EMPLOYEE' where app.member()
        union select 'MANAGER' where exists (select app.reports())"""
)


def _himself(c: Any, keys: Any) -> Any:
    return c.id == text("app.person()")


def _roles(c: Any) -> Any:
    order = ", ".join(f"'{role.value}'" for role in Role)
    return literal_column(
        f"""(select '[' || coalesce(string_agg('"' || r.role || '"', ','
               order by array_position(array[{order}], r.role)), '') || ']' from ({ROLES.text}) r)""",  # noqa: S608
        SqlText,
    )


def his_own(root: Any, table: Any) -> list[Any]:
    return [table.c.person_id == text("app.person()")]


@strawberry.type(description="The person who asks.")
class Viewer:
    @computed("Himself; null for an account without a person in the tools.", sql=TheOne("Person", (), _himself))
    async def person(self, info: Asked) -> Person | None:
        reading = info.context.reading
        found: Person | None = await by_key(reading, "Person", reading.viewer.person_id)
        return found

    @computed("What he is now, from the database; never from the token.", sql=Json(_roles))
    async def roles(self, info: Asked) -> list[Role]:
        held = {row["role"] for row in await info.context.reading.rows(ROLES)}
        return [role for role in Role if role in held]

    @computed("Whether he may do this now, by his roles and by what it is about. A help: the act itself decides.")
    async def can(
        self,
        info: Asked,
        act: Annotated[Action, strawberry.argument(description="What he would do.")],
        on: Annotated[strawberry.ID | None, strawberry.argument(description="The thing; left out: anything.")] = None,
    ) -> bool:
        return await may(info, act, on)

    @computed("What he may still ask.")
    def budget(self, info: Asked) -> QueryBudget:
        return of_caller(info)

    scores: Connection[Score] = connection(
        "Score",
        "His own scores.",
        filters=given.ScoreFilter,
        always=newest,
        of_root=lambda root, table: [(table.c.subject_kind == "PERSON") & (table.c.subject_id == text("app.person()"))],
    )
    awards: Connection[Award] = connection(
        "Award",
        "His own awards.",
        filters=given.AwardFilter,
        of_root=his_own,
    )
    attribution_splits: Connection[AttributionSplit] = connection(
        "AttributionSplit",
        "His own shares of service outcomes.",
        filters=given.AttributionSplitFilter,
        always=newest,
        of_root=his_own,
    )
    payout_lines: Connection[PayoutLine] = connection(
        "PayoutLine", "What is paid to him.", filters=PayoutLineFilter, of_root=his_own
    )
    payroll_results: Connection[PayrollResult] = connection(
        "PayrollResult",
        "What payroll says it has paid to him.",
        filters=PayrollResultFilter,
        of_root=his_own,
    )


@strawberry.input(one_of=True, description="One person by a key of his own.")
class PersonBy:
    id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="The global id.")
    source_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Tool and key there, such as `servicenow:6816f79cc0a8016401c5a33be04be441`.",
    )
    email: str | None = strawberry.field(default=strawberry.UNSET, description="The mail address, as the tool has it.")


def person_key(by: PersonBy) -> Mapping[str, Any] | None:
    """The columns that must have these values; None for an id of another type."""
    if isinstance(by.id, str):
        found = parsed(by.id)
        return {"id": found[1]} if found and found[0] == "Person" else None
    if isinstance(by.email, str):
        return {"email": given.stored(by.email)}
    source, _, key = given.stored(str(by.source_key)).partition(":")
    return {"source": source, "source_key": key}


@strawberry.input(one_of=True, description="One audit record.")
class AuditRecordBy:
    id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="The global id.")
    index: BigInt | None = strawberry.field(
        default=strawberry.UNSET, description="The position in the log, from 0. For auditors."
    )


def _argument(description: str) -> Any:
    return strawberry.argument(description=description)


@strawberry.type(description="Everything that can be read.")
class Query(RecordLists, HouseLists):
    @computed("The person who asks, and what is his.", sql=Place())
    def viewer(self) -> Viewer:
        return Viewer()

    @computed("The thing with this id; null where it is hidden or missing.", sql=ById("id"))
    async def node(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, _argument("The global id.")],
    ) -> Node | None:
        found: Node | None = await by_id(info.context.reading, id)
        return found

    @computed(
        f"The things with these ids, at most {NODES_MAX}, in their order; null where hidden.",
        sql=ByIds("ids", NODES_MAX),
    )
    async def nodes(
        self, info: Asked, ids: Annotated[list[strawberry.ID], _argument("The global ids.")]
    ) -> list[Node | None]:
        if len(ids) > NODES_MAX:
            raise Refused(Code.INPUT_TOO_LARGE, f"More than {NODES_MAX} ids.", "Ask in several steps.", ("ids",))
        return [await by_id(info.context.reading, each) for each in ids]

    services: Connection[Service] = connection(
        "Service", "Business services; everybody sees them.", filters=given.ServiceFilter
    )
    teams: Connection[Team] = connection("Team", "Teams; everybody sees that they exist.", filters=given.TeamFilter)
    people: Connection[Person] = connection(
        "Person",
        "People: oneself, the reporting line up and down; all for HR and auditors.",
        filters=given.PersonFilter,
    )

    @computed("One person; null where hidden or missing.", sql=Lookup("Person", person_key))
    async def person(self, info: Asked, by: Annotated[PersonBy, _argument("Which one.")]) -> Person | None:
        reading, key = info.context.reading, person_key(by)
        if key is None:
            return None
        wanted = [PERSON.c[name] == value for name, value in key.items()]
        rows = await reading.rows(select(PERSON.c.id).where(*wanted).order_by(PERSON.c.id).limit(1))
        return await by_key(reading, "Person", rows[0]["id"]) if rows else None

    service: Service | None = one("Service", ServiceBy, "One service; null where missing. Everybody sees services.")
    incident: Incident | None = one("Incident", RecordBy, "One incident; null where hidden or missing.")
    change: Change | None = one("Change", RecordBy, "One change; null where hidden or missing.")
    award: Award | None = one("Award", AwardBy, "One award; null where hidden or missing.")
    cycles: Connection[Cycle] = connection("Cycle", "Periods that are scored and paid; everybody sees them.")
    kpi_values: Connection[KpiValue] = connection(
        "KpiValue",
        "Values of metrics. Those of services are everybody's, of a team its own, of a person his and his line's.",
        filters=given.KpiValueFilter,
        always=newest,
    )
    scores: Connection[Score] = connection(
        "Score",
        "Scores. Those of services are everybody's, of a team its own, of a person his and his line's.",
        filters=given.ScoreFilter,
        always=newest,
    )

    @computed("Why the number of a KpiValue, Score or Award is what it is; null where hidden.")
    async def explain(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, _argument("Id of a KpiValue, Score, Award or AwardAmounts.")],
        depth: Annotated[int, _argument("How many levels of inputs, 0 to 10.")] = 3,
    ) -> Explanation | None:
        return await explanation.explain(info, id, depth)

    attribution_splits: Connection[AttributionSplit] = connection(
        "AttributionSplit",
        "Shares of service outcomes: one's own and those of one's line; all for HR and auditors.",
        filters=given.AttributionSplitFilter,
        always=newest,
    )
    awards: Connection[Award] = connection(
        "Award",
        "Awards: one's own and those of one's line; all for HR, finance and auditors.",
        filters=given.AwardFilter,
    )
    payout_batches: Connection[PayoutBatch] = connection(
        "PayoutBatch", "Payout files; for HR, finance, payroll and auditors.", filters=given.PayoutBatchFilter
    )
    data_issues: Connection[DataIssue] = connection(
        "DataIssue",
        "Values that could not be used; for ITSM administrators and auditors.",
        filters=given.DataIssueFilter,
    )
    audit_records: Connection[AuditRecord] = connection(
        "AuditRecord",
        "Audited acts: all for auditors, everybody those by himself or about himself.",
        filters=given.AuditRecordFilter,
    )

    @computed("One audit record; null where hidden or missing.")
    async def audit_record(
        self, info: Asked, by: Annotated[AuditRecordBy, _argument("Which one.")]
    ) -> AuditRecord | None:
        reading = info.context.reading
        if isinstance(by.id, str):
            found = parsed(by.id)
            return await by_key(reading, "AuditRecord", found[1]) if found and found[0] == "AuditRecord" else None
        place = (SEQ.c.idx == by.index) & (SEQ.c.log_id == info.context.house.log.log_id)
        rows = await reading.rows(select(SEQ.c.entry_id).where(place))
        return await by_key(reading, "AuditRecord", rows[0]["entry_id"]) if rows else None
