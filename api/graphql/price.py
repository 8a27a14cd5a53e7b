"""What an operation costs, before it runs: the number of objects that the asked sizes allow.

A page costs 1 + size x (1 + its content), a list with a limit likewise, any other object 1 + its content, a leaf 0.
`edges`, `node`, `nodes` and `pageInfo` are free, `totalCount` costs 10, `explain` 50 for each level.
Refuses operations over 10,000.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLSchema,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)
from graphql.execution.values import get_variable_values

from engine.refusal import Code, Refused

PRICE_MAX = 10_000
SIZES = ("first", "last", "limit", "ids")
PLUMBING = frozenset({"edges", "pageInfo"})
COUNT_PRICE = 10
EXPLAIN_PRICE = 50


def price(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]
) -> int:
    """The price of this operation of a valid document; refuses one over the maximum.

    Variables count as they will be used: with the operation's own defaults, 200.0 as 200. Wrong ones are refused here.
    """
    given = get_variable_values(schema, operation.variable_definitions or (), dict(variables), max_errors=1)
    if isinstance(given, list):
        raise given[0]
    root = schema.mutation_type if operation.operation is OperationType.MUTATION else schema.query_type
    found = _Prices(schema, document, given.coerced).of(operation.selection_set, root).whole
    if found > PRICE_MAX:
        raise Refused(
            Code.COST_EXCEEDED, f"The operation costs {found}; {PRICE_MAX} are allowed.", "Ask for smaller pages."
        )
    return found


@dataclass(frozen=True, slots=True)
class Price:
    """Of a selection: what is paid once, and what for each item of the page that it stands in."""

    once: int = 0
    items: int = 0

    def __add__(self, other: "Price") -> "Price":
        return Price(self.once + other.once, self.items + other.items)

    @property
    def whole(self) -> int:
        return self.once + self.items


class _Prices:
    """Prices of one operation; a fragment is priced once, however often it is spread."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self._schema = schema
        self._fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }
        self._variables = variables
        self._known: dict[str, Price] = {}

    def of(self, selections: SelectionSetNode | None, parent: Any) -> Price:
        found = Price()
        for each in selections.selections if selections else ():
            found = found + self._one(each, parent)
        return found

    def _one(self, selection: Any, parent: Any) -> Price:
        if isinstance(selection, FieldNode):
            return self._field(selection, parent)
        if isinstance(selection, FragmentSpreadNode):
            name = selection.name.value
            if name not in self._known:
                found = self._fragments[name]
                self._known[name] = self.of(found.selection_set, self._on(found.type_condition, parent))
            return self._known[name]
        return self.of(selection.selection_set, self._on(selection.type_condition, parent))

    def _on(self, condition: Any, parent: Any) -> Any:
        return self._schema.get_type(condition.name.value) if condition else parent

    def _field(self, field: FieldNode, parent: Any) -> Price:
        name = field.name.value
        if name.startswith("__"):
            return Price()
        if not field.selection_set:
            return Price(COUNT_PRICE if name == "totalCount" else 0)
        declared: GraphQLField = parent.fields[name]
        below = self.of(field.selection_set, get_named_type(declared.type))
        if parent.name.endswith(("Connection", "Edge")):
            return below if name in PLUMBING else Price(0, 1 + below.whole)
        sizes = [size for size in (self._number(field, declared, each) for each in SIZES) if size is not None]
        extra = EXPLAIN_PRICE * max(0, self._number(field, declared, "depth") or 0) if name == "explain" else 0
        size = max([1, *sizes])
        if "limit" in declared.args or "ids" in declared.args:
            return Price(1 + extra + size * (1 + below.whole))
        return Price(1 + extra + below.once + size * below.items)

    def _number(self, field: FieldNode, declared: GraphQLField, name: str) -> int | None:
        """The whole number that an argument has: written, from a variable, or by default; of a list its length."""
        if name not in declared.args:
            return None
        value: Any = declared.args[name].default_value
        for each in field.arguments or ():
            if each.name.value == name:
                if isinstance(each.value, IntValueNode):
                    value = int(each.value.value)
                elif isinstance(each.value, ListValueNode):
                    value = len(each.value.values)
                elif isinstance(each.value, VariableNode):
                    value = self._variables.get(each.value.name.value, value)
        value = len(value) if isinstance(value, list) else value
        return value if isinstance(value, int) and not isinstance(value, bool) else None
