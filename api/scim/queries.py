"""What a client asks for: which page, which attributes, and filters of the few kinds that we answer.

A filter is `eq` on an attribute that we search by, or several of them joined with `and`. Everything else of the filter
language is refused with invalidFilter and the list of what there is. Counting begins at 1; a page holds at most 200.
`sortBy` is ignored: sorting is said to be off.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from scim2_models import InvalidFilterException, ResponseParameters, SearchRequest
from scim2_models.path import CompareOperator, Comparison, FilterNode, LogicalExpr, LogicalOperator

from api.scim.records import Kind
from api.scim.resources import PAGE_MAX, TOLERANT

TERMS_MAX = 10
ASKED = ("filter", "startIndex", "count", "attributes", "excludedAttributes")


def parameters(kind: Kind, query: Mapping[str, str]) -> ResponseParameters[Any]:
    """Which attributes the answer is to hold."""
    given = {name: query[name] for name in ASKED[3:] if name in query}
    found: ResponseParameters[Any] = ResponseParameters[kind.model].model_validate(given, scim_policy=TOLERANT)  # type: ignore[name-defined]
    return found


def search(kind: Kind, query: Mapping[str, str]) -> tuple[SearchRequest[Any], list[tuple[str, Any]]]:
    """The request, with a page that is given, and the conditions that a row must meet."""
    given = {name: query[name] for name in ASKED if name in query}
    asked: SearchRequest[Any] = SearchRequest[kind.model].model_validate(given, scim_policy=TOLERANT)  # type: ignore[name-defined]
    asked.count = PAGE_MAX if asked.count is None else min(asked.count, PAGE_MAX)
    asked.start_index = min(asked.start_index or 1, 2**31)
    return asked, conditions(kind, asked.filter.ast) if asked.filter else []


def conditions(kind: Kind, node: FilterNode) -> list[tuple[str, Any]]:
    """Attribute and value of each comparison; all must hold."""
    terms: Sequence[FilterNode] = (node,)
    if isinstance(node, LogicalExpr) and node.op is LogicalOperator.and_:
        terms = node.terms
    if len(terms) > TERMS_MAX:
        raise InvalidFilterException(detail=f"A filter has at most {TERMS_MAX} comparisons.")
    return [condition(kind, term) for term in terms]


def condition(kind: Kind, term: FilterNode) -> tuple[str, Any]:
    if isinstance(term, Comparison) and term.op is CompareOperator.eq and term.attr_path.sub_attr is None:
        attribute, value = term.attr_path.attr.lower(), term.value
        wanted = bool if attribute == "active" else str
        if attribute in kind.searched and isinstance(value, wanted) and plain(str(value)):
            return attribute, value
    names = ", ".join(sorted(kind.searched))
    raise InvalidFilterException(detail=f"Filters compare with eq, joined by and: {names}.")


def plain(value: str) -> bool:
    """Whether a column could hold this text; what none can hold is found nowhere."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value
