"""One GraphQL operation, from its text to an answer that gives nothing away.

Decides: the order parse, validate, price, execute; which errors are the caller's (their message and a code) and which
are ours (an id, and the place in the log). Error texts carry no suggestions, no SQL and no stack. An answer without
`data` was not executed.
"""

import logging
import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import strawberry
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    execute,
    get_operation_ast,
    parse,
    specified_rules,
    validate,
)
from graphql.validation import NoSchemaIntrospectionCustomRule
from sqlalchemy.exc import DBAPIError
from strawberry.schema.config import StrawberryConfig

from api.graphql.context import Context
from api.graphql.limits import ERRORS_MAX, TOKENS_MAX, DocumentSize, too_complex
from api.graphql.mutations import Mutation
from api.graphql.price import PRICE_MAX, price
from api.graphql.root import Query
from api.graphql.scalars import SCALARS
from engine.refusal import Code, Refused

SCHEMA = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    config=StrawberryConfig(scalar_map=SCALARS, sort_schema=True, disable_field_suggestions=True),
)
CORE: GraphQLSchema = SCHEMA._schema
RULES = (*specified_rules, DocumentSize)
CACHED_DOCUMENTS = 512
SUGGESTION = re.compile(r" Did you mean .*", re.DOTALL)
QUERY_CANCELED = "57014"

_log = logging.getLogger("evenhand.graphql")


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller sent, after its form was checked."""

    query: str
    variables: Mapping[str, Any]
    operation_name: str | None = None


Answer = dict[str, Any]


async def answer(request: Request, context: Context) -> Answer:
    """The response of one operation: `data` unless it was not executed, `errors` if any, `extensions`."""
    request_id = context.reading.viewer.request_id
    extensions: dict[str, Any] = {"requestId": request_id}
    try:
        document, errors = _document(request.query, context.house.settings.introspection)
        if errors:
            return {"errors": [_said(error, request_id) for error in errors], "extensions": extensions}
        cost = price(CORE, document, _operation(document, request.operation_name), request.variables)
    except (GraphQLError, Refused) as no:
        return {"errors": [_said(_located(no), request_id)], "extensions": extensions}
    extensions["cost"] = {"requested": cost, "maximum": PRICE_MAX}
    result = execute(
        CORE,
        document,
        context_value=context,
        variable_values=dict(request.variables),
        operation_name=request.operation_name,
    )
    done: ExecutionResult = result if isinstance(result, ExecutionResult) else await result
    found: Answer = {"extensions": extensions}
    if done.errors:
        found["errors"] = [_said(error, request_id) for error in done.errors]
    # Errors without a place in the answer are about the request: it was not executed.
    if done.data is not None or any(error.path for error in done.errors or ()):
        found["data"] = done.data
    return found


@lru_cache(CACHED_DOCUMENTS)
def _document(text: str, introspection: bool) -> tuple[DocumentNode, tuple[GraphQLError, ...]]:
    """The parsed document and what is wrong with it. The same for everybody, so it may be shared."""
    try:
        document = parse(text, max_tokens=TOKENS_MAX)
    except GraphQLSyntaxError as wrong:
        if f"more that {TOKENS_MAX} tokens" in wrong.message or f"more than {TOKENS_MAX} tokens" in wrong.message:
            raise too_complex(f"more than {TOKENS_MAX} tokens", str(TOKENS_MAX)) from None
        raise
    except RecursionError:
        raise too_complex("too many levels", "fewer") from None
    rules = RULES if introspection else (*RULES, NoSchemaIntrospectionCustomRule)
    return document, tuple(validate(CORE, document, rules, max_errors=ERRORS_MAX))


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    found = get_operation_ast(document, name)
    if found is None:
        raise GraphQLError("The document has no such operation, or several and no operationName.")
    return found


def _located(no: GraphQLError | Refused) -> GraphQLError:
    return no if isinstance(no, GraphQLError) else GraphQLError(no.what, original_error=no)


def _said(error: GraphQLError, request_id: str) -> dict[str, Any]:
    """The error as the caller sees it."""
    cause = error.original_error
    extensions: dict[str, Any] = {"code": Code.DOCUMENT_INVALID.value}
    message = SUGGESTION.sub("", error.message)
    if isinstance(cause, Refused):
        message, extensions = cause.what, {"code": cause.code.value, "fix": cause.fix}
    elif isinstance(cause, DBAPIError) and getattr(cause.orig, "sqlstate", "") == QUERY_CANCELED:
        message = "Reading took too long."
        extensions = {"code": Code.TIMEOUT.value, "fix": "Ask for smaller pages or fewer fields."}
    elif error.path:
        _log.error("defect in request %s: %s", request_id, _place(cause or error))
        message, extensions = "Internal error", {"code": Code.INTERNAL.value}
    elif error.extensions and "code" in error.extensions:
        extensions = {"code": error.extensions["code"]}
    said: dict[str, Any] = {"message": message}
    if error.locations:
        said["locations"] = [{"line": at.line, "column": at.column} for at in error.locations]
    if error.path:
        said["path"] = error.path
    return {**said, "extensions": {**extensions, "requestId": request_id}}


def _place(wrong: BaseException) -> str:
    """Kind and place of a defect. Its message is left out: it may hold a value of somebody's."""
    frames = traceback.extract_tb(wrong.__traceback__)[-3:]
    return " ".join([type(wrong).__name__, *(f"{frame.name}:{frame.lineno}" for frame in frames)])
