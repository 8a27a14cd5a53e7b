"""What of the schema a set of documents has reached: fields, arguments, input fields and words that can be asked."""

from collections.abc import Iterator
from typing import Any

from graphql import (
    EnumValueNode,
    FieldNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLSchema,
    Node,
    ObjectFieldNode,
    TypeInfo,
    TypeInfoVisitor,
    VariableDefinitionNode,
    Visitor,
    get_named_type,
    parse,
    type_from_ast,
    visit,
)

from api.graphql.binding import TYPES
from tests.api.graphql.generated.asking import Document, Place


def reachable(schema: GraphQLSchema) -> set[str]:
    """Every coordinate that a query can name, from the root."""
    found: set[str] = set()
    waiting: list[Any] = [schema.query_type, schema.type_map["Node"]]
    waiting += schema.get_possible_types(schema.type_map["Node"])  # type: ignore[arg-type]
    seen: set[str] = set()
    while waiting:
        kind = waiting.pop()
        if kind.name in seen:
            continue
        seen.add(kind.name)
        for name, field in getattr(kind, "fields", {}).items():
            found.add(f"{kind.name}.{name}")
            waiting.append(get_named_type(field.type))
            for argument, declared in getattr(field, "args", {}).items():
                found.add(f"{kind.name}.{name}({argument}:)")
                found |= _input(get_named_type(declared.type), set())
    return found


def _input(kind: Any, seen: set[str]) -> set[str]:
    if isinstance(kind, GraphQLEnumType):
        return {f"{kind.name}.{word}" for word in kind.values}
    if not isinstance(kind, GraphQLInputObjectType) or kind.name in seen:
        return set()
    seen.add(kind.name)
    found = {f"{kind.name}.{name}" for name in kind.fields}
    for field in kind.fields.values():
        found |= _input(get_named_type(field.type), seen)
    return found


def reached(schema: GraphQLSchema, document: Document) -> set[str]:
    """The coordinates in this document and its variables."""
    try:
        ast = parse(document.text)
    except GraphQLError:
        return set()
    info, found = TypeInfo(schema), set()

    class Look(Visitor):
        def enter(self, node: Node, *_: Any) -> None:
            if isinstance(node, FieldNode):
                parent = info.get_parent_type()
                for argument in node.arguments or () if parent else ():
                    found.add(f"{parent.name}.{node.name.value}({argument.name.value}:)")
                found.add(f"{parent.name if parent else ''}.{node.name.value}")
            elif isinstance(node, ObjectFieldNode):
                found.add(f"{get_named_type(info.get_parent_input_type())}.{node.name.value}")
            elif isinstance(node, EnumValueNode):
                found.add(f"{get_named_type(info.get_input_type())}.{node.value}")
            elif isinstance(node, VariableDefinitionNode):
                kind = type_from_ast(schema, node.type)
                for variables in (document.variables, *document.more):
                    found.update(_given(kind, variables.get(node.variable.name.value)))

    visit(ast, TypeInfoVisitor(info, Look()))
    return found


def _given(kind: Any, value: Any) -> Iterator[str]:
    named = get_named_type(kind)
    if isinstance(value, list):
        for each in value:
            yield from _given(named, each)
    elif isinstance(named, GraphQLEnumType) and isinstance(value, str):
        yield f"{named.name}.{value}"
    elif isinstance(named, GraphQLInputObjectType) and isinstance(value, dict):
        for name, each in value.items():
            if name in named.fields:
                yield f"{named.name}.{name}"
                yield from _given(named.fields[name].type, each)


def shown_words(place: Place, schema: GraphQLSchema) -> dict[str, set[str]]:
    """Words that no row of ours holds in any column that shows them: enum -> words."""
    held: dict[str, set[str]] = {}
    for kind, bound in TYPES.items():
        for field in schema.type_map[kind].fields.values():  # type: ignore[attr-defined]
            named = get_named_type(field.type)
            column = field.extensions["strawberry-definition"].python_name
            if isinstance(named, GraphQLEnumType) and column in bound.table.c:
                held.setdefault(named.name, set()).update(str(row[column]) for row in place.made.here(bound.table))
    missing: dict[str, set[str]] = {}
    for name, stored in held.items():
        words = schema.type_map[name].values  # type: ignore[attr-defined]
        gone = {word for word, value in words.items() if str(getattr(value.value, "value", value.value)) not in stored}
        if gone:
            missing[name] = gone
    return missing
