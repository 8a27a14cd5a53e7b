"""One GraphQL operation, from its text to an answer that gives nothing away.

Decides: the order parse, validate, price, pay, execute. An answer without `data` was not executed. Refuses: texts that
were not registered where the settings close them, and a mutation that came by a method for reading.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import asyncpg
import orjson
from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    execute,
    get_operation_ast,
)
from graphql.execution.values import VariableValues, get_variable_values

from api.graphql.context import Context
from api.graphql.documents import CACHED_MAX, Document, ready, registered
from api.graphql.errors import said
from api.graphql.limits import ANSWER_MAX_BYTES, too_large
from api.graphql.planner.bind import Unplannable
from api.graphql.planner.plan import Planner
from api.graphql.planner.run import run
from api.graphql.price import PRICE_MAX, Prices, within
from api.graphql.served import CORE, SCHEMA
from engine.refusal import Code, Refused

PLANNER = Planner(SCHEMA)


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller sent, after its form was checked."""

    query: str | None
    variables: Mapping[str, Any]
    operation_name: str | None = None
    document_id: str | None = None  # of a registered document, where there is no `query`
    reads_only: bool = False  # it came by a method that promises to change nothing


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller gets: `data` is JSON as it stands in the body; None says that nothing was executed."""

    data: bytes | None
    errors: list[dict[str, Any]]
    extensions: dict[str, Any]
    lane: str = "none"  # planned, standard, or why the standard execution answered instead of a plan

    def body(self) -> bytes:
        parts = [b'"data":' + self.data] if self.data is not None else []
        if self.errors:
            parts.append(b'"errors":' + orjson.dumps(self.errors))
        parts.append(b'"extensions":' + orjson.dumps(self.extensions))
        return b"{" + b",".join(parts) + b"}"


async def answer(request: Request, context: Context, *, planned: bool = True) -> Answer:
    """The response of one operation. Without `planned` the standard execution answers whatever is asked."""
    request_id = context.reading.viewer.request_id
    extensions: dict[str, Any] = {"requestId": request_id, "cost": context.purse.standing().cost(0)}
    try:
        document = await ready(text_of(request, context), context.house.settings.introspection)
        if document.errors:
            return Answer(None, [said(error, request_id) for error in document.errors], extensions)
        operation = _operation(document.ast, request.operation_name)
        if request.reads_only and operation.operation is OperationType.MUTATION:
            raise Refused(Code.METHOD_NOT_ALLOWED, "A mutation does not come by GET.", "Send it by POST.")
        if operation.operation is OperationType.SUBSCRIPTION:
            raise Refused(Code.NOT_ACCEPTABLE, "A subscription has many answers.", "Accept text/event-stream.")
        variables = coerced(operation, request.variables)
        cost = prices(document, request.operation_name).of(variables.coerced)
        extensions["cost"] = context.purse.standing().cost(cost)
        extensions["cost"] = (await context.purse.pay(within(cost, PRICE_MAX))).cost(cost)
    except (GraphQLError, Refused) as no:
        return Answer(None, [said(no, request_id)], extensions)
    lane = "standard"
    if planned and context.house.settings.planner and operation.operation is OperationType.QUERY:
        try:
            data = await _planned(document, operation, variables, context)
            return fitting(Answer(data, [], extensions, "planned"), request_id)
        except Unplannable as no:
            lane = no.reason
        except asyncpg.PostgresError as failed:
            error = GraphQLError("", path=[_first_key(operation)], original_error=failed)
            return Answer(b"null", [said(error, request_id)], extensions, "planned")
    await context.reading.require_known()
    result = execute(
        CORE,
        document.ast,
        context_value=context,
        variable_values=dict(request.variables),
        operation_name=request.operation_name,
    )
    done: ExecutionResult = result if isinstance(result, ExecutionResult) else await result
    errors = [said(error, request_id) for error in done.errors or ()]
    # Errors without a place in the answer are about the request: it was not executed.
    executed = done.data is not None or any(error.path for error in done.errors or ())
    if not executed:
        return Answer(None, errors, extensions)
    return fitting(Answer(orjson.dumps(done.data), errors, extensions, lane), request_id)


def _first_key(operation: OperationDefinitionNode) -> str:
    """What failed is the statement of all root fields; the error stands at the first."""
    first = next((each for each in operation.selection_set.selections if isinstance(each, FieldNode)), None)
    return (first.alias or first.name).value if first else "data"


async def _planned(
    document: Document, operation: OperationDefinitionNode, variables: VariableValues, context: Context
) -> bytes:
    plan, parameters = PLANNER.plan(document.ast, operation, variables, document.plans)
    data = await run(plan, parameters, context.house.store.reads, context.reading.viewer)
    context.reading.known = True  # the statement asks that too
    return data


def fitting(found: Answer, request_id: str) -> Answer:
    """The answer, or the refusal of one that is too large to be sent."""
    if len(found.data or b"") <= ANSWER_MAX_BYTES:
        return found
    return Answer(b"null", [said(too_large(), request_id)], found.extensions)


@lru_cache(CACHED_MAX)
def prices(document: Document, name: str | None) -> Prices:
    return Prices(CORE, document.ast, _operation(document.ast, name))


def coerced(operation: OperationDefinitionNode, variables: Mapping[str, Any]) -> VariableValues:
    """The values as they will be used: with the operation's own defaults, 200.0 as 200. Wrong ones are refused."""
    given = get_variable_values(CORE, operation.variable_definitions or (), dict(variables), max_errors=1)
    if isinstance(given, list):
        raise given[0]
    return given


def text_of(request: Request, context: Context) -> str:
    """The text of the document; refused where it is not one of those that are answered."""
    if request.query is None:
        return registered(request.document_id or "")
    if not context.house.settings.ad_hoc:
        raise Refused(Code.DOCUMENT_NOT_FOUND, "Only registered documents are answered here.", "Send a `documentId`.")
    return request.query


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    found = get_operation_ast(document, name)
    if found is None:
        raise GraphQLError("The document has no such operation, or several and no operationName.")
    return found
