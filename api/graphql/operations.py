"""What is asked for: a request becomes one operation of a sound document, with coerced variables and a price.

Decides: what is checked before anything runs, and that a registered document is known by its id and free of the limits
for texts that we do not know. Refuses: texts that were not registered where the settings close them, a mutation that
came by a method for reading, wrong variables, and what costs more than 10,000 points; 50,000 when registered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from graphql import DocumentNode, GraphQLError, OperationDefinitionNode, OperationType, get_operation_ast
from graphql.execution.values import VariableValues, get_variable_values

from api.graphql.context import Context
from api.graphql.documents import CACHED_MAX, Document, ready, registered
from api.graphql.limits import short
from api.graphql.price import PRICE_MAX, REGISTERED_PRICE_MAX, Prices, within
from api.graphql.served import CORE
from engine.refusal import Code, Refused


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller sent, after its form was checked."""

    query: str | None
    variables: Mapping[str, Any]
    operation_name: str | None = None
    document_id: str | None = None  # of a registered document, where there is no `query`
    reads_only: bool = False  # it came by a method that promises to change nothing
    media: str = ""  # type of the answer
    if_none_match: str = ""  # tags of answers that the caller holds


class Unsound(Exception):
    """A document with errors of its own."""

    def __init__(self, errors: tuple[GraphQLError, ...]) -> None:
        super().__init__(len(errors))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, ready to run. `cost` in points."""

    document: Document
    node: OperationDefinitionNode
    variables: VariableValues
    cost: int

    @property
    def kind(self) -> OperationType:
        return self.node.operation


async def document_of(request: Request, context: Context) -> Document:
    """The document, sound or not; refused where it is not one of those that are answered."""
    if request.query is None:
        return registered(await context.registry.body(request.document_id or ""))
    if not context.house.settings.ad_hoc:
        raise Refused(Code.DOCUMENT_NOT_FOUND, "Only registered documents are answered here.", "Send a `documentId`.")
    return await ready(request.query, context.house.settings.introspection)


def opened(request: Request, document: Document) -> Operation:
    """The operation of this name in a document, priced. Raises Unsound, GraphQLError or Refused."""
    if document.errors:
        raise Unsound(document.errors)
    node = get_operation_ast(document.ast, request.operation_name)
    if node is None:
        raise GraphQLError("The document has no such operation, or several and no operationName.")
    if request.reads_only and node.operation is OperationType.MUTATION:
        raise Refused(Code.METHOD_NOT_ALLOWED, "A mutation does not come by GET.", "Send it by POST.")
    variables = coerced(node, request.variables)
    cost = _prices(document, request.operation_name).of(variables.coerced)
    return Operation(document, node, variables, cost)


def affordable(operation: Operation) -> int:
    """The price; refuses one that nobody may pay at once."""
    return within(operation.cost, REGISTERED_PRICE_MAX if operation.document.id else PRICE_MAX)


def coerced(operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> VariableValues:
    """The values as they will be used: with the operation's own defaults, 200.0 as 200. Wrong ones are refused."""
    for declared in operation.variable_definitions or ():
        short(variables.get(declared.variable.name.value))
    given = get_variable_values(CORE, operation.variable_definitions or (), dict(variables), max_errors=1)
    if isinstance(given, list):
        raise given[0]
    return given


@lru_cache(CACHED_MAX)
def _prices(document: Document, name: str | None) -> Prices:
    return Prices(CORE, document.ast, _named(document.ast, name))


def _named(ast: DocumentNode, name: str | None) -> OperationDefinitionNode:
    found = get_operation_ast(ast, name)
    assert found is not None  # noqa: S101 - it was found before
    return found
