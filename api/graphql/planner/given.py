"""Arguments of a field, again and again: converted in full once for a plan, then only what variables change.

Decides: which arguments can be had that way: those whose variables stand for a scalar or a list of scalars, at the top
or inside an input object that is written out. All requests of a plan have the same shape (select.shape), so whether
such a variable is given, and the value of every word, is the same for all. Others are converted in full each time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from typing import Any

from graphql import (
    FieldNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLScalarType,
    ListValueNode,
    ObjectValueNode,
    VariableNode,
    get_nullable_type,
)
from graphql.execution.values import VariableValues
from strawberry.schema import Schema

from api.graphql.planner.select import arguments

Given = Callable[[VariableValues], dict[str, Any]]
Path = tuple[str, ...]  # Python names from the argument down to a field of an input object


class _Other(Exception):
    """Something that must be converted in full."""


def given(schema: Schema, field: GraphQLField, node: FieldNode, variables: VariableValues) -> Given | None:
    """How the arguments come from the variables, for all requests of the shape of these; None where they stay."""
    try:
        places = list(_places(schema, field, node))
    except _Other:
        return lambda later: arguments(schema, field, node, later)
    if not places:
        return None
    first = arguments(schema, field, node, variables)
    changing = [(path, name) for path, name in places if variables.coerced.get(name) is not None]
    for path, _ in changing:  # a plan keeps no value of a request
        _put(first, {}, path, None)

    def again(later: VariableValues) -> dict[str, Any]:
        found = dict(first)
        copied: dict[Path, Any] = {}
        for path, name in changing:
            _put(found, copied, path, later.coerced[name])
        return found

    return again


def _put(found: dict[str, Any], copied: dict[Path, Any], path: Path, value: Any) -> None:
    if len(path) == 1:
        found[path[0]] = value
    else:
        setattr(_copied(found, copied, path[:-1]), path[-1], value)


def _copied(found: dict[str, Any], copied: dict[Path, Any], path: Path) -> Any:
    """This request's own copy of the input object at the path."""
    if path not in copied:
        if len(path) == 1:
            copied[path] = found[path[0]] = copy(found[path[0]])
        else:
            above = _copied(found, copied, path[:-1])
            copied[path] = copy(getattr(above, path[-1]))
            setattr(above, path[-1], copied[path])
    return copied[path]


def _places(schema: Schema, field: GraphQLField, node: FieldNode) -> Iterator[tuple[Path, str]]:
    """Where variables stand in the arguments."""
    declared = (field.extensions or {})["strawberry-definition"]
    convert = schema.config.name_converter.get_graphql_name
    names = {convert(each): each.python_name for each in declared.arguments}
    for each in node.arguments or ():
        name = each.name.value
        yield from _below((names[name],), field.args[name].type, each.value)


def _below(path: Path, kind: Any, value: Any) -> Iterator[tuple[Path, str]]:
    kind = get_nullable_type(kind)
    if isinstance(value, VariableNode):
        if isinstance(kind, GraphQLEnumType):
            return  # a word is part of the shape
        if not _plain(kind):
            raise _Other
        yield path, value.name.value
    elif isinstance(value, ObjectValueNode) and isinstance(kind, GraphQLInputObjectType):
        fields = _python_names(kind)
        for each in value.fields:
            name = each.name.value
            yield from _below((*path, fields[name]), kind.fields[name].type, each.value)
    elif isinstance(value, ListValueNode) and _has_variables(value.values):
        raise _Other


def _plain(kind: Any) -> bool:
    """Scalars and lists of them are taken as they were coerced."""
    inner = kind.of_type if isinstance(kind, GraphQLList) else kind
    return isinstance(get_nullable_type(inner), GraphQLScalarType)


def _python_names(kind: GraphQLInputObjectType) -> Mapping[str, str]:
    return {name: (field.extensions or {})["strawberry-definition"].python_name for name, field in kind.fields.items()}


def _has_variables(values: Sequence[Any]) -> bool:
    return any(
        isinstance(each, VariableNode)
        or _has_variables(getattr(each, "values", ()))
        or _has_variables([field.value for field in getattr(each, "fields", ())])
        for each in values
    )
