"""What an operation costs, before it runs: the number of objects that the asked sizes allow. A client can compute it.

A leaf costs 0, an object 1 and its content, a list with a size (`limit`, `ids`) size x (1 + content), a connection
1 + page x (1 + content). `edges`, `node`, `nodes` and `pageInfo` cost nothing of their own, `totalCount` 10. Where a
thing may be of several types, the dearest counts. What has to be computed has a price in DECLARED, a mutation costs 10
and its selection. A field that @skip or @include leave out costs nothing, and neither do fields that begin with __.
Equal fields side by side are one, as in the answer.

The walk over a document is done once for each set of its conditions; what is left is a sum over the sizes that
variables give. Refuses: operations over 10,000; over 50,000 where the document is registered.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
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
    NullValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    Undefined,
    VariableNode,
    get_named_type,
    is_abstract_type,
)
from graphql.utilities.coerce_input_value import coerce_default_value

from engine.refusal import Code, Refused

PRICE_MAX = 10_000
REGISTERED_PRICE_MAX = 50_000
SIZES = ("limit", "ids")
PAGE_SIZES = ("first", "last")
COUNT_PRICE = 10
MUTATION_PRICE = 10
SHAPES_MAX = 64

Variables = Mapping[str, Any]
Formula = Callable[[Variables], int]
Amount = int | Formula
Sets = tuple[SelectionSetNode, ...]
Fields = list[FieldNode]  # of one response key
# Type and field -> what it costs beside its selection; it may read an argument of the field.
DECLARED: Mapping[tuple[str, str], Callable[[Callable[[str], Amount]], Amount]] = {
    ("Query", "explain"): lambda number: times(50, number("depth")),
    ("AuditRecord", "proof"): lambda _: 10,
}


class Prices:
    """The prices of one operation of a valid document, for every value of its variables."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) -> None:
        self._parts = schema, document, operation
        names = (each.variable.name.value for each in operation.variable_definitions or ())
        self._conditions = tuple(sorted(set(names) & _named_in_conditions(document)))
        self._formulas: dict[tuple[Any, ...], Formula] = {}

    def formula(self, coerced: Variables) -> Formula:
        """The price as a function of the sizes; it holds as long as the conditions have the values that they have."""
        shape = tuple(coerced.get(name) for name in self._conditions)
        found = self._formulas.get(shape)
        if found is None:
            found = formula(*self._parts, coerced)
            if len(self._formulas) < SHAPES_MAX:
                self._formulas[shape] = found
        return found

    def of(self, coerced: Variables) -> int:
        """The price with these values. Variables are coerced: 200.0 is 200, and what was left out has its default."""
        return self.formula(coerced)(coerced)


def price(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    coerced: Variables,
    maximum: int = PRICE_MAX,
) -> int:
    """The price where nobody keeps the prices of the document; refuses one over the maximum."""
    return within(formula(schema, document, operation, coerced)(coerced), maximum)


def within(found: int, maximum: int) -> int:
    if found > maximum:
        raise Refused(
            Code.COST_EXCEEDED, f"The operation costs {found}; {maximum} are allowed.", "Ask for smaller pages."
        )
    return found


def formula(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, coerced: Variables
) -> Formula:
    """The price as a function of the variables that are sizes. Conditions are taken as these variables decide them."""
    walk = _Walk(schema, document, coerced)
    root = schema.get_root_type(operation.operation)
    return _function(walk.content((operation.selection_set,), root))


class _Walk:
    """Through one operation. Sets of selections that stand together are priced once, however often they are spread."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, coerced: Variables) -> None:
        self._schema = schema
        self._fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }
        self._coerced = coerced
        self._known: dict[tuple[str, tuple[int, ...]], Amount] = {}

    def content(self, sets: Sets, parent: Any) -> Amount:
        """The price of what is selected of one thing of this type; of several possible types the dearest."""
        known = (parent.name, tuple(map(id, sets)))
        if known not in self._known:
            types = self._schema.get_possible_types(parent) if is_abstract_type(parent) else (parent,)
            self._known[known] = dearest(
                total(self._field(fields, each) for fields in self._collected(sets, each)) for each in types
            )
        return self._known[known]

    def _field(self, fields: Fields, parent: Any) -> Amount:
        name = fields[0].name.value
        if name.startswith("__"):
            return 0
        declared: GraphQLField = parent.fields[name]
        number = partial(_number, fields[0], declared)
        own = DECLARED[parent.name, name](number) if (parent.name, name) in DECLARED else 0
        below, type_ = _below(fields), get_named_type(declared.type)
        if not below:
            return own
        if parent is self._schema.mutation_type:
            return plus(plus(MUTATION_PRICE, own), self.content(below, type_))
        if "pageInfo" in getattr(type_, "fields", ()):
            items, counts = self._page(below, type_)
            size = dearest(number(each) for each in PAGE_SIZES)
            return total((1 + COUNT_PRICE * counts, own, times(size, plus(1, items))))
        sizes = [number(each) for each in SIZES if each in declared.args]
        return plus(own, times(dearest(sizes) if sizes else 1, plus(1, self.content(below, type_))))

    def _page(self, sets: Sets, page: Any) -> tuple[Amount, int]:
        """Of a connection: what is selected of each item, and how many counts."""
        items: list[Amount] = []
        counts = 0
        for fields in self._collected(sets, page):
            name = fields[0].name.value
            counts += name == "totalCount"
            if name == "nodes":
                items.append(self.content(_below(fields), _type_of(page, name)))
            elif name == "edges":
                edge = _type_of(page, name)
                items += [
                    self.content(_below(inner), _type_of(edge, "node"))
                    for inner in self._collected(_below(fields), edge)
                    if inner[0].name.value == "node"
                ]
        return total(items), counts

    def _collected(self, sets: Sets, parent: Any) -> Iterable[Fields]:
        """The fields of one object, equal keys together, as execution collects them."""
        found: dict[str, Fields] = {}
        seen: set[str] = set()
        for field in (field for selections in sets for field in self._fields(selections, parent, seen)):
            found.setdefault((field.alias or field.name).value, []).append(field)
        return found.values()

    def _fields(self, selections: SelectionSetNode, parent: Any, seen: set[str]) -> Iterator[FieldNode]:
        for each in selections.selections:
            if not self._asked(each):
                continue
            if isinstance(each, FieldNode):
                yield each
                continue
            part: Any = each
            if isinstance(each, FragmentSpreadNode):
                if each.name.value in seen:
                    continue
                seen.add(each.name.value)
                part = self._fragments[each.name.value]
            if part.type_condition is None or self._applies(part.type_condition.name.value, parent):
                yield from self._fields(part.selection_set, parent, seen)

    def _applies(self, condition: str, to: Any) -> bool:
        found: Any = self._schema.get_type(condition)
        return found is to or (is_abstract_type(found) and self._schema.is_sub_type(found, to))

    def _asked(self, each: Any) -> bool:
        for directive in each.directives or ():
            if directive.name.value in ("skip", "include"):
                given = directive.arguments[0].value
                on = self._coerced.get(given.name.value) if isinstance(given, VariableNode) else given.value
                if bool(on) is (directive.name.value == "skip"):
                    return False
        return True


def _below(fields: Fields) -> Sets:
    return tuple(each.selection_set for each in fields if each.selection_set)


def _type_of(parent: Any, name: str) -> Any:
    return get_named_type(parent.fields[name].type)


def _number(field: FieldNode, declared: GraphQLField, name: str) -> Amount:
    """The whole number that an argument has: written, from a variable, or by default; of a list its length."""
    if name not in declared.args:
        return 0
    default = coerce_default_value(declared.args[name])
    given = next((each.value for each in field.arguments or () if each.name.value == name), None)
    if isinstance(given, VariableNode):
        key = given.name.value
        return lambda coerced: _whole(coerced.get(key, default))
    if isinstance(given, IntValueNode):
        return max(0, int(given.value))
    if isinstance(given, ListValueNode):
        return len(given.values)
    return _whole(default) if given is None else 0 if isinstance(given, NullValueNode) else 1


def _whole(value: Any) -> int:
    if isinstance(value, list):
        return len(value)
    return max(0, value) if isinstance(value, int) and value is not Undefined else 0


def _named_in_conditions(document: DocumentNode) -> set[str]:
    """Variables that @skip and @include look at, anywhere in the document."""
    found: set[str] = set()
    waiting: list[Any] = [each for each in document.definitions if hasattr(each, "selection_set")]
    while waiting:
        node = waiting.pop()
        for directive in getattr(node, "directives", None) or ():
            values = [argument.value for argument in directive.arguments or ()]
            found |= {value.name.value for value in values if isinstance(value, VariableNode)}
        selections = getattr(node, "selection_set", None)
        waiting += selections.selections if selections else ()
    return found


def _function(amount: Amount) -> Formula:
    return amount if callable(amount) else lambda _: amount


def plus(one: Amount, other: Amount) -> Amount:
    if not callable(one) and not callable(other):
        return one + other
    if 0 in (one, other):
        return other if one == 0 else one
    a, b = _function(one), _function(other)
    return lambda coerced: a(coerced) + b(coerced)


def times(one: Amount, other: Amount) -> Amount:
    if not callable(one) and not callable(other):
        return one * other
    a, b = _function(one), _function(other)
    return lambda coerced: a(coerced) * b(coerced)


def total(amounts: Iterable[Amount]) -> Amount:
    found: Amount = 0
    for each in amounts:
        found = plus(found, each)
    return found


def dearest(amounts: Iterable[Amount]) -> Amount:
    every = list(amounts)
    fixed = max((each for each in every if not callable(each)), default=0)
    varying = [each for each in every if callable(each)]
    return (lambda coerced: max(fixed, *(each(coerced) for each in varying))) if varying else fixed
