"""Who may see which row, in plain Python: the written rules a second time, without SQL and without our policies.

`Sight` is what somebody is now; `SEES` says for each table when a row is shown to him. `foreign_rows` goes through an
answer and names every row in it that its reader may not see.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLObjectType,
    GraphQLSchema,
    NameNode,
    SelectionSetNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_nullable_type,
    parse,
    print_ast,
    visit,
)
from sqlalchemy import String

from api.graphql.binding import TYPES, Node
from api.graphql.planner.catalogue import Leaf, catalogue
from api.ids import global_id
from schema.tables import access, mirror, scores
from schema.tables.staff import Account
from tests.api.graphql.generated.organisation import Organisation

Row = Mapping[str, Any]
HANDED_OVER = ("hris", "finance", "payroll")  # what the administrators of the tools have no business with


@dataclass(frozen=True)
class Sight:
    """What one viewer is in his tenant."""

    made: Organisation
    who: str

    @property
    def me(self) -> UUID | None:
        return self.made.viewers[self.who].person_id

    def rows(self, table: Any) -> list[dict[str, Any]]:
        return self.made.here(table, self.made.viewers[self.who].tenant_id)

    @cached_property
    def left(self) -> bool:
        """He is gone from the tools, or none of his accounts may enter."""
        mine = [row for row in self.rows(mirror.Person) if row["id"] == self.me]
        if any(row["active"] is False or row["gone_at"] for row in mine):
            return True
        accounts = [each for row in mine for each in self.rows(Account) if _joined(each, row)]
        return bool(accounts) and not any(each["active"] and not each["gone_at"] for each in accounts)

    @cached_property
    def roles(self) -> set[str]:
        now = datetime.now(UTC)
        grants = [row for row in self.rows(access.RoleGrant) if row["person_id"] == self.me]
        valid = {g["role"] for g in grants if g["valid_from"] <= now and (g["valid_to"] is None or now < g["valid_to"])}
        return set() if self.left else valid

    def holds(self, *roles: str) -> bool:
        return bool(self.roles & set(roles))

    @cached_property
    def member(self) -> bool:
        here = any(r["id"] == self.me and r["active"] and not r["gone_at"] for r in self.rows(mirror.Person))
        return not self.left and (here or bool(self.roles))

    @cached_property
    def below(self) -> set[UUID]:
        return {row["person_id"] for row in self.rows(access.ReportingClosure) if row["manager_id"] == self.me}

    @cached_property
    def above(self) -> set[UUID]:
        return {row["manager_id"] for row in self.rows(access.ReportingClosure) if row["person_id"] == self.me}

    @cached_property
    def mine(self) -> set[UUID]:
        """Himself and his line."""
        return self.below | ({self.me} if self.me else set())

    @cached_property
    def teams(self) -> set[UUID]:
        """Teams that he belongs to or leads, and those of his line."""
        memberships = [row for row in self.rows(mirror.TeamMembership) if not row["gone_at"]]
        member = {row["team_id"] for row in memberships if row["person_id"] in self.mine}
        leads = {row["id"] for row in self.rows(mirror.Team) if self.me and row["manager_id"] == self.me}
        return (member | leads) - {None}

    def sees(self, table: Any, row: Row) -> bool:
        return SEES[f"{table.schema}.{table.name}"](self, row)

    def seen(self, table: Any) -> list[dict[str, Any]]:
        return [row for row in self.rows(table) if self.sees(table, row)]

    def newest(self) -> set[UUID]:
        """The newest run of each cycle and plan, of those that he sees."""
        plans = {row["id"]: row["plan_key"] for row in self.seen(scores.PlanVersion.__table__)}
        runs = [row for row in self.seen(scores.Run.__table__) if row["plan_version_id"] in plans]
        last: dict[tuple[UUID, str], Row] = {}
        for row in sorted(runs, key=lambda each: each["run_no"]):
            last[row["cycle_id"], plans[row["plan_version_id"]]] = row
        return {row["id"] for row in last.values()}


def _joined(account: Row, person: Row) -> bool:
    """Whether this account is his. While nothing was joined for certain, number, address and key are compared."""
    if account["person_id"] is not None:
        return bool(account["person_id"] == person["id"])
    number = person["employee_number"]
    if number is not None and number in (account["employee_number"], account["external_id"]):
        return True
    address = person["email"].lower() if person["email"] else None
    other = account["employee_number"] is not None and number is not None  # and they differ, as was seen above
    if address is not None and account["email"] == address and not other:
        return True
    return account["external_id"] is not None and account["external_id"] == person["source_key"]


Rule = Callable[[Sight, Row], bool]


def _to(*roles: str) -> Rule:
    return lambda sight, row: sight.holds(*roles)


def _own_or(*roles: str, key: str = "person_id") -> Rule:
    return lambda sight, row: (sight.me is not None and row[key] == sight.me) or sight.holds(*roles)


def _line_or(*roles: str) -> Rule:
    return lambda sight, row: row["person_id"] in sight.mine or sight.holds(*roles)


def _result(sight: Sight, row: Row) -> bool:
    """Results of services and of the whole are everybody's, of a team its own, of a person his and his line's."""
    kind, key = row["subject_kind"], row["subject_id"]
    return (
        (kind in ("SERVICE", "TENANT") and sight.member)
        or (kind == "TEAM" and (key in sight.teams or sight.holds("ITSM_ADMIN")))
        or (kind == "PERSON" and key in sight.mine)
        or sight.holds("HR", "AUDITOR")
    )


def _person(sight: Sight, row: Row) -> bool:
    return row["id"] in sight.mine | sight.above or sight.holds("HR", "AUDITOR")


def _evidence(sight: Sight, row: Row) -> bool:
    return sight.holds("AUDITOR") or (sight.holds("ITSM_ADMIN") and row["source"] not in HANDED_OVER)


def _entry(sight: Sight, row: Row) -> bool:
    mine = sight.me is not None and sight.me in (row["subject_id"], row["actor_id"])
    return mine or sight.holds("AUDITOR")


def _line_of(sight: Sight, row: Row) -> bool:
    mine = sight.me is not None and sight.me in (row["manager_id"], row["person_id"])
    return mine or sight.holds("HR", "AUDITOR")


def _drop(sight: Sight, row: Row) -> bool:
    return _evidence(sight, row) or (sight.me is not None and row["loaded_by"] == sight.me)


MEMBER: Rule = lambda sight, row: sight.member  # noqa: E731 - a row of the table below
ADMINISTRATOR = _to("AUDITOR", "ITSM_ADMIN")
SUPPLIERS = _to("AUDITOR", "ITSM_ADMIN", "FINANCE", "PLAN_ADMIN")
OVERSEER = _to("HR", "FINANCE", "AUDITOR")
BOOKS = _to("FINANCE", "AUDITOR")
MONEY = _own_or("HR", "FINANCE", "AUDITOR")
SEES: Mapping[str, Rule] = {
    **dict.fromkeys(("score.cycle", "score.plan_version", "score.run"), MEMBER),
    **dict.fromkeys(("mirror.service", "mirror.team", "mirror.vendor", "mirror.sla_definition"), MEMBER),
    **dict.fromkeys(("score.kpi_value", "score.kpi_lineage", "score.score"), _result),
    "score.attribution_split": _line_or("HR", "AUDITOR"),
    "mirror.person": _person,
    "mirror.account": ADMINISTRATOR,
    "mirror.employment": _own_or("HR", "AUDITOR"),
    "mirror.budget": BOOKS,
    "mirror.payroll_result": _own_or("PAYROLL", "AUDITOR"),
    **dict.fromkeys((f"mirror.{name}" for name in (
        "incident", "change", "change_approval", "problem", "task_sla", "csat_response", "snapshot", "group_approval",
        "cab_board", "cab_meeting", "cab_agenda_item", "state_change", "standing", "survey", "survey_question",
    )), ADMINISTRATOR),
    **dict.fromkeys(("mirror.contract", "mirror.vendor_sla_result", "mirror.service_offering"), SUPPLIERS),
    **dict.fromkeys(("mirror.record", "mirror.data_issue", "mirror.revision"), _evidence),
    **dict.fromkeys((f"ops.{name}" for name in (
        "connection", "watermark", "sweep", "registration", "call", "outbox",
    )), ADMINISTRATOR),
    "ops.suspicion": _evidence,
    "ops.file_drop": _drop,
    "ops.document": _to("AUDITOR", "ITSM_ADMIN", "WORKS_COUNCIL", "PLAN_ADMIN"),
    "pay.award": _line_or("HR", "FINANCE", "AUDITOR"),
    "pay.award_amount": MONEY,
    "pay.award_proposal": OVERSEER,
    "pay.pool_allocation": OVERSEER,
    "pay.file": _to("PAYROLL", "FINANCE", "HR", "AUDITOR"),
    "pay.line": _own_or("PAYROLL", "AUDITOR"),
    "pay.ack": _to("PAYROLL", "FINANCE", "AUDITOR"),
    **dict.fromkeys(("ledger.account", "ledger.journal", "ledger.posting"), BOOKS),
    "access.role_grant": _own_or("HR", "AUDITOR"),
    "access.role_request": _own_or("HR", "AUDITOR"),
    "access.reporting_closure": _line_of,
    "audit.entry": _entry,
    "feed.export": _own_or("AUDITOR"),
}  # fmt: skip


@dataclass(frozen=True)
class Marks:
    """What names a row of each type in an answer: its id, or the texts that it shows."""

    schema: GraphQLSchema

    @cached_property
    def fields(self) -> dict[str, dict[str, str]]:
        """type -> field -> column; nothing but `id` for what has one."""
        known = catalogue(self.schema)
        found: dict[str, dict[str, str]] = {}
        for kind, bound in TYPES.items():
            shown = self.schema.type_map[kind]
            assert isinstance(shown, GraphQLObjectType)
            found[kind] = {"id": bound.key} if issubclass(bound.cls, Node) else {}
            for name, field in shown.fields.items():
                meaning = known.get((kind, name))
                if (
                    "id" not in found[kind]
                    and isinstance(meaning, Leaf)
                    and str(get_nullable_type(field.type)) == "String"
                ):
                    column = bound.table.c[meaning.column]
                    if isinstance(column.type, String):
                        found[kind][name] = meaning.column
        return found

    def added(self, text: str) -> str:
        """The document, in which every row names itself."""
        info, marks = TypeInfo(self.schema), self.fields

        class Add(Visitor):
            def leave_selection_set(self, node: SelectionSetNode, *_: Any) -> Any:
                parent = info.get_parent_type()
                names = (
                    list(marks.get(parent.name, ["id"] if parent and parent.name == "Node" else [])) if parent else []
                )
                more = tuple(FieldNode(name=NameNode(value=name), arguments=(), directives=()) for name in names)
                typed = FieldNode(name=NameNode(value="__typename"), arguments=(), directives=())
                return SelectionSetNode(selections=(*node.selections, *more, typed)) if names else None

        edited: DocumentNode = visit(parse(text), TypeInfoVisitor(info, Add()))
        return print_ast(edited)

    def mark(self, kind: str, row: Row) -> Any:
        named = self.fields[kind]
        if "id" in named:
            return global_id(kind, row[named["id"]])
        return tuple(row[column] for column in named.values())


def things(value: Any) -> Iterator[dict[str, Any]]:
    """Every object of an answer."""
    if isinstance(value, list):
        for each in value:
            yield from things(each)
    elif isinstance(value, dict):
        yield value
        for each in value.values():
            yield from things(each)


def foreign_rows(marks: Marks, sight: Sight, answer: Any) -> tuple[list[Any], int]:
    """The rows of this answer that its reader may not see, and how many were looked at."""
    allowed: dict[str, set[Any]] = {}
    foreign, looked = [], 0
    for each in things(answer):
        kind = each.get("__typename")
        named = marks.fields.get(str(kind), {})
        if not named or not all(name in each for name in named):
            continue
        looked += 1
        if kind not in allowed:
            allowed[kind] = {marks.mark(kind, row) for row in sight.seen(TYPES[kind].table)}
        mark = each["id"] if "id" in named else tuple(each[name] for name in named)
        if mark not in allowed[kind]:
            foreign.append((kind, mark))
    return foreign, looked
