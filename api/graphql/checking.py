"""Whether a text can be registered: it can be read, is valid, names its one operation, and is answered by a plan.

A document with variables is tried with values of our own making, so that what would fail for everybody fails here.
Refused: what is invalid (DOCUMENT_INVALID), what costs more than 50,000 points with those values, and what only the
standard execution can answer, unless somebody says that it may.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    OperationDefinitionNode,
    OperationType,
    type_from_ast,
)

from api.graphql.documents import Document, registered
from api.graphql.execution import PLANNER
from api.graphql.operations import Request, Unsound, affordable, opened
from api.graphql.planner.bind import Unplannable
from api.graphql.planner.settled import Fragment
from api.graphql.served import CORE
from api.ids import global_id
from engine.refusal import Code, Refused

SAMPLES: dict[str, Any] = {
    "ID": global_id("Person", UUID(int=1)),
    "Int": 1,
    "BigInt": "1",
    "Boolean": True,
    "Decimal": "1",
    "Date": "2026-01-01",
    "DateTime": "2026-01-01T00:00:00Z",
    "JSON": {},
}


@dataclass(frozen=True, slots=True)
class Checked:
    """`lane` is planned, or why the standard execution must answer."""

    id: str
    name: str
    body: str
    lane: str
    price: int


def checked(body: str, *, computed: bool) -> Checked:
    """The document of this text, if it can be registered; `computed` says that no plan is needed."""
    try:
        document = registered(body)
        name = _name(document)
        operation = opened(Request(None, _sample(document), name), document)
        price = affordable(operation)
    except Unsound as unsound:
        raise _invalid("; ".join(error.message for error in unsound.errors)) from None
    except GraphQLError as wrong:
        raise _invalid(wrong.message) from None
    lane = "standard"
    if operation.kind is OperationType.QUERY:
        try:
            PLANNER.plan(document.ast, operation.node, operation.variables, {})
            lane = "planned"
        except Unplannable as no:
            lane = no.reason
    if lane != "planned" and not computed:
        raise Refused(
            Code.DOCUMENT_INVALID,
            f"{name} would not be compiled ({lane}).",
            "Leave out what is computed, or register it with --computed.",
        )
    return Checked(document.id, name, body, lane, price)


def planned_of(body: str) -> tuple[Fragment, ...]:
    """The settled parts of a registered text; none where it is not compiled any more."""
    document = registered(body)
    try:
        operation = opened(Request(None, _sample(document), _name(document)), document)
        known = (document.ast, operation.node, operation.variables, document.plans)
        return PLANNER.plan(*known, registered=True)[0].fragments
    except (GraphQLError, Refused, Unplannable, Unsound):
        return ()


def _name(document: Document) -> str:
    operations = [each for each in document.ast.definitions if isinstance(each, OperationDefinitionNode)]
    if len(operations) != 1 or operations[0].name is None:
        raise _invalid("It must hold one operation, and the operation a name.")
    return operations[0].name.value


def _invalid(what: str) -> Refused:
    return Refused(Code.DOCUMENT_INVALID, what, "Correct the text; schema/api.graphql is the schema.")


def _sample(document: Document) -> dict[str, Any]:
    """A value for each variable that needs one."""
    return {
        each.variable.name.value: _value(type_from_ast(CORE, each.type))
        for operation in document.ast.definitions
        if isinstance(operation, OperationDefinitionNode)
        for each in operation.variable_definitions or ()
        if each.default_value is None and isinstance(type_from_ast(CORE, each.type), GraphQLNonNull)
    }


def _value(kind: Any) -> Any:
    if isinstance(kind, GraphQLNonNull):
        return _value(kind.of_type)
    if isinstance(kind, GraphQLList):
        return [_value(kind.of_type)]
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    if isinstance(kind, GraphQLInputObjectType):
        first = next(iter(kind.fields.items()))
        needed = {name: field for name, field in kind.fields.items() if isinstance(field.type, GraphQLNonNull)}
        return {name: _value(field.type) for name, field in (needed or dict([first])).items()}
    return SAMPLES.get(kind.name, "x")
