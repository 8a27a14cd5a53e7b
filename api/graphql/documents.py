"""Documents: parsed and validated once, the same for everybody, so they may be shared.

Decides: what is wrong with a document, before anybody's values are looked at. Refuses: more than 1,500 tokens, and what
limits.py and the rules of GraphQL forbid.
"""

import asyncio
from dataclasses import dataclass, field
from functools import lru_cache

from graphql import DocumentNode, GraphQLError, GraphQLSyntaxError, parse, specified_rules, validate
from graphql.validation import NoSchemaIntrospectionCustomRule

from api.graphql.limits import DEPTH_MAX, ERRORS_MAX, TOKENS_MAX, listed, oversized, too_complex
from api.graphql.planner.plan import Plans
from api.graphql.registry import id_of
from api.graphql.served import CORE

RULES = tuple(specified_rules)
# How the parser says that it stopped early.
UNREAD = (
    (f"{TOKENS_MAX} tokens", f"more than {TOKENS_MAX} tokens", str(TOKENS_MAX)),
    ("nested too deeply", "too many levels", str(DEPTH_MAX)),
)
CACHED_MAX = 512
REGISTERED_MAX = 4096
LONG_CHARACTERS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A parsed document and what is wrong with it."""

    ast: DocumentNode
    errors: tuple[GraphQLError, ...]
    id: str = ""  # of a registered document
    plans: Plans = field(default_factory=dict)  # what the planner has made of it


@lru_cache(CACHED_MAX)
def prepared(text: str, introspection: bool) -> Document:
    """The document of this text; raises GraphQLError where it cannot even be read."""
    ast = read(text)
    rules = RULES if introspection else (*RULES, NoSchemaIntrospectionCustomRule)
    return Document(ast, tuple(oversized(ast) or listed(validate(CORE, ast, rules, max_errors=ERRORS_MAX))))


async def ready(text: str, introspection: bool) -> Document:
    """The same; a long text is read beside the event loop, so that others are answered meanwhile."""
    if len(text) < LONG_CHARACTERS:
        return prepared(text, introspection)
    return await asyncio.to_thread(prepared, text, introspection)


def read(text: str) -> DocumentNode:
    """The text as a tree; reading stops at the first token too many, or a level too deep."""
    try:
        return parse(text, max_tokens=TOKENS_MAX)
    except GraphQLSyntaxError as wrong:
        for said, found, most in UNREAD:
            if said in wrong.message:
                raise too_complex(found, most) from None
        raise


@lru_cache(REGISTERED_MAX)
def registered(text: str) -> Document:
    """The document of a registered text: free of the limits for texts that we do not know, and of introspection."""
    ast = parse(text)
    errors = validate(CORE, ast, (*specified_rules, NoSchemaIntrospectionCustomRule), max_errors=ERRORS_MAX)
    return Document(ast, tuple(errors), id_of(text))
