"""One GraphQL operation, from its text to an answer that gives nothing away.

Decides: the order check, price, pay, run; and who answers: a compiled plan for every query that the planner can plan,
otherwise the standard execution. An answer without `data` was not executed.
"""

from dataclasses import dataclass, field
from typing import Any

import asyncpg
import orjson
from graphql import ExecutionResult, FieldNode, GraphQLError, OperationDefinitionNode, OperationType, execute

from api.graphql.bucket import Throttled
from api.graphql.context import Context
from api.graphql.errors import said
from api.graphql.limits import ANSWER_MAX_BYTES, too_large
from api.graphql.operations import Operation, Request, Unsound, affordable, document_of, opened
from api.graphql.planner.bind import Unplannable
from api.graphql.planner.plan import Planner
from api.graphql.planner.run import Ran, run
from api.graphql.served import CORE, SCHEMA
from api.graphql.tags import Due, Tagging
from engine.refusal import Code, Refused

__all__ = ["Answer", "Request", "answer", "fitting"]
PLANNER = Planner(SCHEMA)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller gets: `data` is JSON as it stands in the body; None says that nothing was executed."""

    data: bytes | None
    errors: list[dict[str, Any]]
    extensions: dict[str, Any]
    lane: str = "none"  # planned, standard, or why the standard execution answered instead of a plan
    tag: str = ""  # of this answer, where it has one
    unchanged: bool = field(default=False)  # the caller holds the answer with this tag

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
        operation = opened(request, await document_of(request, context))
        if operation.kind is OperationType.SUBSCRIPTION:
            raise Refused(Code.NOT_ACCEPTABLE, "A subscription has many answers.", "Accept text/event-stream.")
        extensions["cost"] = context.purse.standing().cost(operation.cost)
        planned = planned and context.house.settings.planner and operation.kind is OperationType.QUERY
        tagged = planned and request.reads_only and bool(operation.document.id)
        price = affordable(operation)
        first = min(1, price) if tagged else price
        extensions["cost"] = (await context.purse.pay(first)).cost(price)
        due = Due(context.purse, price - first)
        tagging = Tagging(request, operation, context.reading.viewer, due)
    except Unsound as no:
        return Answer(None, [said(error, request_id) for error in no.errors], extensions)
    except (GraphQLError, Refused) as no:
        return Answer(None, [said(no, request_id)], extensions)
    lane = "standard"
    if planned:
        try:
            ran = await _planned(operation, context, tagging if tagged else None)
            extensions["cost"] = context.purse.standing().cost(price)
            return fitting(
                Answer(ran.data or b"null", [], extensions, "planned", ran.tag, ran.data is None), request_id
            )
        except Unplannable as no:
            lane = no.reason
        except Throttled as no:
            return Answer(None, [said(no, request_id)], extensions)
        except asyncpg.PostgresError as failed:
            error = GraphQLError("", path=[_first_key(operation.node)], original_error=failed)
            return Answer(b"null", [said(error, request_id)], extensions, "planned")
    try:
        await due.pay()
    except Throttled as no:
        return Answer(None, [said(no, request_id)], extensions)
    extensions["cost"] = context.purse.standing().cost(price)
    return await _standard(operation, request, context, extensions, lane)


async def _planned(operation: Operation, context: Context, tagging: Tagging | None) -> Ran:
    document = operation.document
    what = (document.ast, operation.node, operation.variables, document.plans)
    plan, parameters = PLANNER.plan(*what, registered=bool(document.id))
    ran = await run(plan, parameters, context.house.store.reads, context.reading.viewer, tagging)
    context.reading.known = True  # the statement asks that too
    return ran


async def _standard(
    operation: Operation, request: Request, context: Context, extensions: dict[str, Any], lane: str
) -> Answer:
    await context.reading.require_known()
    result = execute(
        CORE,
        operation.document.ast,
        context_value=context,
        variable_values=dict(request.variables),
        operation_name=request.operation_name,
    )
    done: ExecutionResult = result if isinstance(result, ExecutionResult) else await result
    request_id = context.reading.viewer.request_id
    errors = [said(error, request_id) for error in done.errors or ()]
    # Errors without a place in the answer are about the request: it was not executed.
    executed = done.data is not None or any(error.path for error in done.errors or ())
    if not executed:
        return Answer(None, errors, extensions)
    return fitting(Answer(orjson.dumps(done.data), errors, extensions, lane), request_id)


def fitting(found: Answer, request_id: str) -> Answer:
    """The answer, or the refusal of one that is too large to be sent."""
    if len(found.data or b"") <= ANSWER_MAX_BYTES:
        return found
    return Answer(b"null", [said(too_large(), request_id)], found.extensions)


def _first_key(operation: OperationDefinitionNode) -> str:
    """What failed is the statement of all root fields; the error stands at the first."""
    first = next((each for each in operation.selection_set.selections if isinstance(each, FieldNode)), None)
    return (first.alias or first.name).value if first else "data"
