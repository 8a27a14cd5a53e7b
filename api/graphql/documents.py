"""Documents: parsed and validated once, the same for everybody, so they may be shared.

Decides: what is wrong with a document, before anybody's values are looked at. Refuses: more than 1,500 tokens, and what
limits.py and the rules of GraphQL forbid.
"""

from dataclasses import dataclass, field
from functools import lru_cache

from graphql import DocumentNode, GraphQLError, GraphQLSyntaxError, parse, specified_rules, validate
from graphql.validation import NoSchemaIntrospectionCustomRule

from api.graphql.limits import ERRORS_MAX, TOKENS_MAX, DocumentSize, too_complex
from api.graphql.planner.plan import Plans
from api.graphql.served import CORE
from engine.refusal import Code, Refused

RULES = (*specified_rules, DocumentSize)
CACHED_MAX = 512


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A parsed document and what is wrong with it."""

    ast: DocumentNode
    errors: tuple[GraphQLError, ...]
    plans: Plans = field(default_factory=dict)  # what the planner has made of it


def registered(document_id: str) -> str:
    """The text behind an id. No document is registered yet, so there is none."""
    raise Refused(Code.DOCUMENT_NOT_FOUND, "No document is registered under this id.", "Send the text as `query`.")


@lru_cache(CACHED_MAX)
def prepared(text: str, introspection: bool) -> Document:
    """The document of this text; raises GraphQLError where it cannot even be read."""
    try:
        ast = parse(text, max_tokens=TOKENS_MAX)
    except GraphQLSyntaxError as wrong:
        if f"more that {TOKENS_MAX} tokens" in wrong.message or f"more than {TOKENS_MAX} tokens" in wrong.message:
            raise too_complex(f"more than {TOKENS_MAX} tokens", str(TOKENS_MAX)) from None
        raise
    except RecursionError:
        raise too_complex("too many levels", "fewer") from None
    rules = RULES if introspection else (*RULES, NoSchemaIntrospectionCustomRule)
    return Document(ast, tuple(validate(CORE, ast, rules, max_errors=ERRORS_MAX)))
