"""Whether a query can be read to its end, looked at before it is queued.

Decides: the query must be one that would be answered, must be one that can be read to its end (bulk.py), and costs what
it costs as a query; what is read for it costs nothing more. Refused: what those refuse.
"""

from typing import Any
from uuid import UUID

from graphql import GraphQLError, print_ast

from api.actions import exports
from api.graphql import bulk
from api.graphql.context import Context
from api.graphql.documents import Document, prepared
from api.graphql.execution import Request
from api.graphql.operations import Unsound, affordable, document_of, opened
from engine.refusal import Code, Refused


async def asked(context: Context, query: str | None, document_id: str | None, variables: Any, purpose: str) -> UUID:
    """Queue what is asked for, if it can be read to its end."""
    variables = {} if variables is None else variables
    if not isinstance(variables, dict) or (query is None) == (document_id is None):
        raise Refused(Code.BAD_INPUT, "Neither or both of `query` and `documentId` are given.", "Give one.", ("query",))
    request = Request(query, variables, None, document_id, reads_only=True)
    try:
        document = await document_of(request, context)
        cost = affordable(opened(request, document))
        looked_at(document, variables)
    except Unsound as no:
        raise _unsound(no.errors[0]) from None
    except GraphQLError as no:
        raise _unsound(no) from None
    await context.purse.pay(cost)
    house, viewer = context.house, context.reading.viewer
    text = print_ast(document.ast)
    return await exports.ask(house.store, house.log, viewer, text, variables, purpose, house.clock())


def looked_at(document: Document, variables: dict[str, Any]) -> None:
    """Every request that the worker will send must be a sound one, and none too dear."""
    whole = bulk.reading(document.ast, None)
    for page in (whole.page(None), *(whole.rest(bulk.Rest(path, "", "")) for path in whole.nested)):
        request = Request(page.text, bulk.variables_of(page, variables))
        affordable(opened(request, prepared(page.text, False)))


def _unsound(no: GraphQLError) -> Refused:
    return Refused(Code.DOCUMENT_INVALID, no.message, "Send a query that is answered as it is.", ("query",))
